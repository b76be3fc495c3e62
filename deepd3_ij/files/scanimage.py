"""What the headers of ScanImage say about the pages of its TIFF files.

ScanImage writes a page for every channel, frame and plane in turn, channels fastest, and says so only in a text: of
version 3 in each page's description (``state.acq.numberOfZSlices=6``), of version 4 and 5 there as
``scanimage.SI4.stackNumSlices = 6``, of later ones in the first page's Software tag
(``SI.hStackManager.numSlices = 6``). The order is that of https://docs.scanimage.org.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deepd3_ij.errors import StackError
from deepd3_ij.files.calibration import FileVoxelSize

_LINE = re.compile(r"^\s*(?:scanimage\.)?(?:state|SI\d?)\.([\w.]+)\s*=\s*(.*?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LARGEST_COUNT = 10_000_000
_CHANNELS = ("hChannels.channelSave", "channelsSave", "hChannels.channelsSave")
_SLICES = ("hStackManager.actualNumSlices", "hStackManager.numSlices", "hStackManager.slicesPerAcq", "stackNumSlices",
           "acq.numberOfZSlices")
_FRAMES = ("hStackManager.framesPerSlice", "acqNumFrames", "acq.numberOfFrames")
_VOLUMES = ("hStackManager.actualNumVolumes", "hStackManager.numVolumes", "hFastZ.numVolumes", "fastZNumVolumes")
_STEPS_UM = ("hStackManager.actualStackZStepSize", "hStackManager.stackZStepSize", "stackZStepSize", "acq.zStepSize")
_FAST = ("hFastZ.enable", "fastZEnable")
_VOLUME_FRAMES = ("hStackManager.numFramesPerVolumeWithFlyback", "hFastZ.numFramesPerVolume")
_AVERAGED = ("hScan2D.logAverageFactor", "acqNumAveragedFrames", "loggingFramesAverage")


@dataclass(frozen=True)
class ScanImagePages:
    """Meaning of the pages.

    Attributes
    ----------
    axes, sizes
        Outer axes from slow to fast and their lengths; "P" stands for planes of which only the first
        ``planes`` are images (the others are the mirror's way back).
    planes
        Number of planes.
    notes
        What the user should know.
    """

    axes: str
    sizes: tuple[int, ...]
    planes: int
    notes: tuple[str, ...] = ()


def scanimage_header(description: str, software: str) -> dict[str, str]:
    """Entries of the header by name without ``state.``, ``SI.`` or ``scanimage.SI5.``; empty if there is none."""
    is_header = (description.startswith("state.") or "scanimage.SI" in description or software.startswith("SI.")
                 or description.lstrip().startswith("SI."))
    if not is_header:
        return {}
    text = "\n".join((software, description)).replace("\r\n", "\n").replace("\r", "\n")
    return {found[1]: found[2] for found in _LINE.finditer(text)}


def scanimage_pages(header: Mapping[str, str], pages: int, name: str) -> ScanImagePages:
    """Find out which page is which channel, plane and time point.

    Parameters
    ----------
    header
        Entries of :func:`scanimage_header`.
    pages
        Pages in the file.
    name
        The file's name, for messages.

    Raises
    ------
    StackError
        The header and the number of pages contradict each other.
    """
    channels = _channel_count(header)
    slices = _count(header, _SLICES) or 1
    if header.get("hStackManager.enable", "").strip() in ("false", "0"):
        slices = 1
    averaged = max(1, _count(header, _AVERAGED) or 1)
    if header.get("acq.averaging", "").strip() == "1":
        averaged = _count(header, _FRAMES) or 1
    stated_frames = _count(header, _FRAMES)
    frames = max(1, stated_frames // averaged) if stated_frames else None
    fast = any(header.get(key, "").strip() in ("true", "1") for key in _FAST)
    volumes = (_count(header, _VOLUMES) or 1) if fast else 1
    stated = f"{channels} channel{'s' * (channels != 1)}, {slices} plane{'s' * (slices != 1)}"
    if frames:
        stated += f", {frames} frame{'s' * (frames != 1)} each"
    if fast:
        stated += f", {volumes} volume{'s' * (volumes != 1)}"
    if pages % channels:
        raise StackError(f"{name} contradicts itself: its ScanImage header states {stated}, and it has {pages} pages, "
                         f"no multiple of {channels}; save the channel to analyse in a file of its own.")
    images = pages // channels
    if fast:
        return _fast_pages(header, images, channels, slices, volumes, stated, name)
    if slices == 1:
        return ScanImagePages("TC", (images, channels), 1)
    if images % slices == 0:
        each = images // slices
        if each == 1 or frames in (None, each):
            return ScanImagePages("ZTC", (slices, each, channels), slices)
        if frames == 1:  # several stacks one after the other
            return ScanImagePages("TZC", (each, slices, channels), slices)
    if images < slices * (frames or 1) and images % (frames or 1) == 0:
        planes = images // (frames or 1)
        return ScanImagePages("ZTC", (planes, frames or 1, channels), planes, (
            f"{name}: its ScanImage header announces {slices} planes, {planes} were recorded.",))
    raise StackError(f"{name} contradicts itself: its ScanImage header states {stated}, and it has {pages} pages; save "
                     "the stack to analyse in a file of its own.")


def _fast_pages(header: Mapping[str, str], images: int, channels: int, slices: int, volumes: int, stated: str, name: str
                ) -> ScanImagePages:
    for block in (_count(header, _VOLUME_FRAMES) or slices, slices):
        if block >= slices and images % block == 0:
            return ScanImagePages("TPC", (images // block, block, channels), slices)
    raise StackError(f"{name} contradicts itself: its ScanImage header states {stated}, and it has "
                     f"{images * channels} pages; save the volume to analyse in a file of its own.")


def scanimage_voxel_size(header: Mapping[str, str], width: int, height: int) -> FileVoxelSize:
    """Distance of planes, and the pixel size where the header tells the field of view in µm."""
    step = next((abs(value) for key in _STEPS_UM if (value := _value(header.get(key, ""))) is not None and value), None)
    corners = [float(number) for number in _NUMBER.findall(header.get("hRoiManager.imagingFovUm", ""))]
    if len(corners) != 8:
        return FileVoxelSize(z_um=step)
    across, along = max(corners[0::2]) - min(corners[0::2]), max(corners[1::2]) - min(corners[1::2])
    if not (across > 0 and along > 0):
        return FileVoxelSize(z_um=step)
    return FileVoxelSize(across / width, along / height, step)


def _channel_count(header: Mapping[str, str]) -> int:
    for key in _CHANNELS:
        if key in header:
            return max(1, len(_NUMBER.findall(header[key])))
    saved = sum(header.get(f"acq.savingChannel{number}", "").strip() == "1" for number in range(1, 17))
    return _count(header, ("acq.numberOfChannelsSave",)) or saved or 1


def _count(header: Mapping[str, str], keys: tuple[str, ...]) -> int | None:
    """The first of these entries that is a positive whole number."""
    for key in keys:
        value = _value(header.get(key, ""))
        if value is not None and 1 <= value <= _LARGEST_COUNT and value == int(value):
            return int(value)
    return None


def _value(text: str) -> float | None:
    found = _NUMBER.fullmatch(text.strip().strip("[]"))
    value = float(found[0]) if found else math.nan
    return value if math.isfinite(value) else None
