"""ROI zips, the files of ImageJ's ROI Manager."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import Colour, roi_colour
from deepd3_ij.errors import DeepD3Error, FileFormatError, one_line
from deepd3_ij.files.imagej_roi import decode_roi, encode_rois
from deepd3_ij.input_limits import check_memory, check_regular
from deepd3_ij.notes import note
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.regroup import RoiPart, join_parts
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS

# Far above any real ROI; a larger entry is a fault or an attack.
_MAX_ROI_BYTES = 64 * 2**20
_MAX_ZIP_BYTES = 2**30
DATE = (1980, 1, 1, 0, 0, 0)
_REPORT_EVERY = 500


def write_roi_zip(
    path: str | PathLike[str], rois: RoiSet, *, colour_of: Callable[[int], Colour] = roi_colour,
    progress: Progress = no_progress,
) -> None:
    """Write ROIs for ImageJ's ROI Manager.

    One entry per ROI and plane with all its parts and holes, named ``spine0012_z007`` (plane
    1-based), with the plane as its position, the id as the property ``deepd3.id`` and a colour
    per ROI. A file of this name is replaced. Without ROIs the result is a valid zip without entries
    (ImageJ says that it holds no ROIs). Equal ROIs give equal files.

    Parameters
    ----------
    path
        File to write, usually ``….zip``.
    rois
        ROIs of two or three dimensions.
    colour_of
        Colour of a ROI by its id.
    progress
        Called from time to time; may raise ``Cancelled``.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    contours = rois.contours
    progress(0, len(contours), "Writing ROIs")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for count, (name, data) in enumerate(encode_rois(rois, colour_of=colour_of)):
            archive.writestr(zipfile.ZipInfo(f"{name}.roi", date_time=DATE), data, zipfile.ZIP_DEFLATED)
            if count % _REPORT_EVERY == 0:
                progress(count, len(contours), "Writing ROIs")
    progress(len(contours), len(contours), "Writing ROIs")


def read_roi_zip(
    path: str | PathLike[str],
    like: xr.DataArray | xr.Dataset,
    *,
    dimensions: int | None = None,
    progress: Progress = no_progress,
) -> RoiSet:
    """Read ROIs that ImageJ (or this package, or DeepD3) saved.

    Every selection with an area is read: rectangles (also with round corners or rotated), ovals, ellipses,
    polygons, freehand and traced selections, composites with curves, with sub-pixel
    coordinates as without. Its pixels are those that ImageJ would measure. Regions are joined to
    spines by the property ``deepd3.id``, else by their name, else by overlap across
    neighbouring planes (:func:`deepd3_ij.rois.regroup.join_parts`). The plane is the ROI's z position,
    else its stack position, else the number that ImageJ puts into the names of a stack's ROIs. ROIs that have
    time points and no planes were drawn on an image whose planes Fiji took for time points: these are
    their planes. A ROI without any of this counts for all planes. What lies outside of the image is cut off; where
    ROIs overlap, the later one wins.

    Parameters
    ----------
    path
        Zip of ROIs or a single ``.roi`` file.
    like
        Stack or prediction on which the ROIs lie.
    dimensions
        3 (spines through planes) or 2 (every ROI without an id for itself); None to take what the file says, else 3.
    progress
        Called from time to time; may raise ``Cancelled``.

    Returns
    -------
    RoiSet
        ``provenance["skipped"]`` lists selections without an area (points, lines, texts) and ROIs
        outside of the stack; a note tells how many.

    Raises
    ------
    FileFormatError
        No ROI file, or a damaged one (the message names the entry); no ROI in it but other files; ROIs with
        time points or channels and no planes, where the planes cannot be told.
    """
    source = Path(path)
    shape = tuple(like.sizes[dim] for dim in DIMS)
    parts: list[RoiPart] = []
    skipped: list[str] = []
    pixels = 0
    for name, data, done, total in _entries(source):
        if done % _REPORT_EVERY == 0:
            progress(done, total, "Reading ROIs")
        try:
            part = decode_roi(data, name, (shape[1], shape[2]))
        except FileFormatError as error:
            raise FileFormatError(f"{source}: {error}") from error
        if isinstance(part, str):
            skipped.append(f"{name}: {part}")
        elif not part.mask.any():
            skipped.append(f"{name}: no pixel inside of the stack")
        else:
            parts.append(part)
            pixels += part.mask.size
            check_memory(pixels, f"What the ROIs of {source.name} cover", "save fewer or smaller ROIs")
    placed = _in_planes(parts, shape[0], source.name)
    parts = [part for part in placed if part.plane is None or part.plane < shape[0]]
    skipped += [f"{part.name}: no pixel inside of the stack" for part in placed
                if part.plane is not None and part.plane >= shape[0]]
    if skipped:
        note(f"{source.name}: {len(skipped)} of {len(skipped) + len(parts)} selections were left out "
             f"(first: {skipped[0]}).")
    provenance = {"source": source.name, "skipped": skipped}
    return join_parts(parts, like, dimensions=dimensions, provenance=provenance)


def list_rois(path: str | PathLike[str]) -> list[RoiPart]:
    """Names, planes and ids of the selections of a ROI zip or a ROI file; their pixels are left out.

    Raises
    ------
    FileFormatError
        No ROI file, or a damaged one; the message names the entry.
    """
    source = Path(path)
    found = []
    for name, data, _, _ in _entries(source):
        part = decode_roi(data, name, (1, 1))
        found.append(RoiPart(name, None, 0, 0, np.zeros((0, 0), bool)) if isinstance(part, str) else part)
    return found


def _in_planes(parts: list[RoiPart], planes: int, name: str) -> list[RoiPart]:
    """The parts with the planes that they mean.

    Fiji takes the planes of a file without axes for time points or channels; what is drawn there has them as position.
    """
    if planes == 1 or not parts or any(part.plane not in (None, 0) for part in parts):
        return _told_without_plane(parts, planes, name)
    frames = [part.frame for part in parts]
    if any(frames):
        known = [frame for frame in frames if frame is not None]
        if len(known) < len(parts) or max(known) >= planes:
            raise FileFormatError(f"{name}: its ROIs have time points ({min(known) + 1} to {max(known) + 1}) and no "
                                  f"planes; the stack has {planes} planes. Set the z position of the ROIs in Fiji.")
        note(f"{name}: its ROIs have time points ({min(known) + 1} to {max(known) + 1}) and no planes; the time points "
             "are taken as planes.")
        return [replace(part, plane=part.frame) for part in parts]
    channels = {part.channel for part in parts if part.channel is not None}
    if len(channels) > 1:
        raise FileFormatError(f"{name}: its ROIs have channels ({min(channels) + 1} to {max(channels) + 1}) and no "
                              f"planes; the stack has {planes} planes. Set the z position of the ROIs in Fiji.")
    return _told_without_plane(parts, planes, name)


def _told_without_plane(parts: list[RoiPart], planes: int, name: str) -> list[RoiPart]:
    everywhere = sum(part.plane is None for part in parts)
    if everywhere and planes > 1:
        note(f"{name}: {everywhere} of {len(parts)} ROIs have no plane; each counts for all {planes} planes.")
    return parts


def _entries(source: Path) -> Iterator[tuple[str, bytes, int, int]]:
    """Name and content of every ROI of a zip, or of a single ROI file, with its number and their count."""
    size = check_regular(source, "a zip of ROIs or a .roi file")
    try:
        with source.open("rb") as file:
            if file.read(4) == b"Iout":
                if size > _MAX_ROI_BYTES:
                    raise FileFormatError(f"{source} has {size} bytes; accepted for a ROI: at most {_MAX_ROI_BYTES}.")
                file.seek(0)
                yield source.stem, file.read(), 0, 1
                return
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, source)
                for number, info in enumerate(members):
                    yield PurePosixPath(info.filename).name[:-4], _content(archive, info, source), number, len(members)
    except DeepD3Error:
        raise
    except OSError as error:
        raise FileFormatError(f"{source} cannot be read: {one_line(error)}; give a zip of ROIs or a .roi file."
                              ) from error
    except Exception as error:  # a damaged zip makes zipfile fail in many ways
        raise FileFormatError(f"{source} is neither a zip of ImageJ ROIs nor a .roi file ({one_line(error, 120)}); "
                              "give a file that the ROI Manager saved.") from error


def _members(archive: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    """The ROIs of a zip, if they are ROIs and can be read in finite time."""
    files = [info for info in archive.infolist() if not info.is_dir() and not _is_shadow(info)]
    members = [info for info in files if info.filename.lower().endswith(".roi")]
    if files and not members:
        raise FileFormatError(f"{source} holds no ROI (its first file is {PurePosixPath(files[0].filename).name!r}); "
                              "give a file that the ROI Manager saved.")
    if not members:
        note(f"{source.name} holds no ROI.")
    total = sum(info.file_size for info in members)
    if total > _MAX_ZIP_BYTES:
        raise FileFormatError(f"{source}: its ROIs have {total} bytes; accepted: at most {_MAX_ZIP_BYTES}. Save fewer "
                              "ROIs.")
    return members


def _is_shadow(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is what macOS adds beside every file (AppleDouble), wherever it lies."""
    parts = PurePosixPath(info.filename).parts
    return "__MACOSX" in parts or bool(parts and parts[-1].startswith("._"))


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path) -> bytes:
    problem = f"it has {info.file_size} bytes"
    if info.file_size <= _MAX_ROI_BYTES:
        try:
            return archive.read(info)
        except Exception as error:  # zipfile and its decompressors fail in many ways
            problem = one_line(error, 120)
    raise FileFormatError(f"{source}: the ROI {info.filename!r} is damaged ({problem}); "
                          "save the ROIs again from ImageJ.")
