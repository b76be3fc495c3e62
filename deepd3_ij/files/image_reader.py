"""Opening TIFF files of any microscope program as stacks.

Pixel values are those of the file: an inverted or coloured lookup table changes only how
ImageJ shows an image, and "white is zero" is not turned round. Two things are undone
because the stored numbers are not the image's: ImageJ's offset of 32768 for signed 16-bit
images, and pixel types that this package does not use (boolean, 8-bit signed, 16-bit float,
32- and 64-bit) are converted to the nearest used type where this is exact.
"""

from __future__ import annotations

import struct
from os import PathLike
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import xarray as xr

from deepd3_ij.errors import ChannelError, StackError, VoxelSizeError, one_line
from deepd3_ij.files.calibration import FileVoxelSize, combined, imagej_voxel_size, ome_voxel_size, plain_voxel_size
from deepd3_ij.files.plane_source import PlacedPlane, PlaneSource, quiet_tifffile
from deepd3_ij.names import PROVENANCE
from deepd3_ij.stack import label_stack

_PLANE_AXES = "ZIQ"
_SAME_SIZE = 1e-3
_IMAGE_DESCRIPTION = 270


def open_stack(
    path: str | PathLike[str],
    *,
    xy_um: float | None = None,
    z_um: float | None = None,
    channel: int | None = None,
    frame: int | None = None,
    lazy: bool = False,
) -> xr.DataArray:
    """Open one channel and time point of a TIFF file as a stack.

    Parameters
    ----------
    path
        TIFF, BigTIFF, OME-TIFF or ImageJ hyperstack, two- or three-dimensional. Pages without
        a stated meaning are planes.
    xy_um, z_um
        Size of a pixel and distance of planes in µm; they override the file's. A single plane
        needs no distance: the file's, else the pixel size, is then its thickness.
    channel, frame
        0-based channel and time point; needed when the file has more than one.
    lazy
        Give a dask array of one chunk per plane that reads planes when they are used.

    Returns
    -------
    xarray.DataArray
        Dimensions ``("z", "y", "x")``; uint8, uint16, int16 or float32; ``source`` is the
        file's name; ``provenance`` is there if this package wrote it into the file.

    Raises
    ------
    StackError
        The file is missing, damaged, no TIFF, has colour, NaN or infinite pixels, values that
        no supported pixel type holds exactly, or a channel or time point must be chosen. With
        `lazy`, what concerns pixel values is raised when a plane is read.
    VoxelSizeError
        The voxel size is neither in the file nor given, or pixels are not square.
    """
    file = Path(path)
    _check_file(file)
    with quiet_tifffile():
        planes, found, provenance = _survey(file, channel, frame)
    z_um, xy_um = _voxel_size(file.name, found, len(planes), xy_um, z_um)
    stack = label_stack(planes.as_dask() if lazy else planes.load(), xy_um=xy_um, z_um=z_um, source=file.name)
    return stack.assign_attrs(provenance=provenance) if provenance else stack


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise StackError(f"{file} is a folder; give the name of a TIFF file.")
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
    except FileNotFoundError as error:
        raise StackError(f"{file} does not exist; give the name of a TIFF file.") from error
    except OSError as error:
        raise StackError(f"{file} cannot be read: {one_line(error)}.") from error
    if not start:
        raise StackError(f"{file.name} is empty; accepted: a TIFF file with at least one plane.")
    if start not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise StackError(f"{file.name} is not a TIFF file; save it as TIFF first (in Fiji: File ▸ Save As ▸ Tiff…).")


def _survey(file: Path, channel: int | None, frame: int | None) -> tuple[PlaneSource, FileVoxelSize, str | None]:
    """Find the planes of one channel and time point, the voxel size and the provenance that the file states."""
    try:
        with tifffile.TiffFile(file) as tif:
            _check_description(tif)
            _check_references(tif)
            series = _choose_series(tif)
            _check_grey(tif, series)
            planes = _choose_planes(tif, series, channel, frame)
            properties = _imagej_metadata(tif).get("Properties")
            provenance = properties.get(PROVENANCE) if isinstance(properties, dict) else None
            return planes, _stated_voxel_size(tif, series, len(planes)), provenance
    except StackError:
        raise
    except OSError as error:
        raise StackError(f"{file.name} cannot be read: {one_line(error)}.") from error
    except Exception as error:  # a damaged file makes tifffile fail in many ways
        raise StackError(f"{file.name} is a damaged TIFF file ({one_line(error)}); export it again.") from error


def _check_description(tif: tifffile.TiffFile) -> None:
    """A description beyond the end of the file is passed over by tifffile; axes and calibration would be lost."""
    if not tif.pages or "ImageDescription" in tif.pages.first.tags:
        return
    layout, stream = tif.tiff, tif.filehandle
    stream.seek(tif.pages.first.offset)
    (count,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
    entries = stream.read(count * layout.tagsize)
    codes = (struct.unpack_from(tif.byteorder + "H", entries, start)[0]
             for start in range(0, len(entries) - 1, layout.tagsize))
    if _IMAGE_DESCRIPTION in codes:
        raise StackError(f"{tif.filename} is truncated: its description is cut off; copy or export it again.")


def _check_references(tif: tifffile.TiffFile) -> None:
    """An OME-TIFF may name the files that hold its other planes: they must lie beside it."""
    if not tif.ome_metadata:
        return
    for element in ElementTree.fromstring(tif.ome_metadata).iter():
        name = element.get("FileName") if element.tag.rpartition("}")[2] == "UUID" else None
        if name and (Path(name).name != name or "\\" in name):
            raise StackError(f"{tif.filename} refers to {name!r}, which is not in its folder; "
                             "export it as a single file.")


def _choose_series(tif: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    own = [series for series in tif.series
           if not series.keyframe.is_reduced
           and any(page is not None and page.parent.filehandle.path == tif.filehandle.path for page in series.pages)]
    if not own:
        raise StackError(f"{tif.filename} has no image planes; accepted: a TIFF file with at least one plane.")
    if len(own) > 1:
        sizes = ", ".join("×".join(map(str, series.shape)) for series in own[:4])
        more = ", …" if len(own) > 4 else ""
        raise StackError(f"{tif.filename} holds {len(own)} images of different kinds ({sizes}{more}); "
                         "save the one to analyse in a file of its own.")
    (series,) = own
    if any(page is None for page in series.pages):
        raise StackError(f"{tif.filename} is incomplete: some of its planes are in files that are missing; "
                         "put them beside it or export it as a single file.")
    return series


def _check_grey(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    page = series.keyframe
    if page.samplesperpixel > 1 and "S" in series.axes:
        raise StackError(f"{tif.filename} is a colour image ({page.samplesperpixel} samples per pixel, "
                         f"{getattr(page.photometric, 'name', page.photometric)}); save one channel as grey image "
                         "(in Fiji: Image ▸ Color ▸ Split Channels).")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not (tif.is_imagej or tif.is_ome) and not _is_ramp(page):
        raise StackError(f"{tif.filename} has a colour palette: its numbers are not brightness; "
                         "save it as grey image (in Fiji: Image ▸ Type ▸ RGB Color, then 8-bit).")
    if series.dtype is None or series.dtype.kind not in "buif" or series.dtype.itemsize > 8:
        raise StackError(f"{tif.filename} has pixels of type {series.dtype}; accepted: 8 and 16 bit, 32-bit float.")


def _is_ramp(page: tifffile.TiffPage) -> bool:
    """Whether a palette only colours grey levels: brightness never falls (or never rises) with the number."""
    if page.colormap is None:
        return False
    steps = np.diff(np.asarray(page.colormap, np.int64).sum(axis=0))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _choose_planes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, channel: int | None,
                   frame: int | None) -> PlaneSource:
    """Find the pages of one channel and time point, from the axes of the series."""
    name = tif.filename
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    sizes = [(axis, size) for axis, size in zip(axes, shape, strict=True) if axis != "S"]
    if [axis for axis, _ in sizes[-2:]] != ["Y", "X"]:
        raise StackError(f"{name} has the axes {axes}; accepted: planes whose last axes are Y and X.")
    height, width = (size for _, size in sizes[-2:])
    outer = sizes[:-2]
    along_z = [size for axis, size in outer if axis in _PLANE_AXES and size > 1]
    foreign = [f"{axis} ({size})" for axis, size in outer if axis not in _PLANE_AXES + "CT" and size > 1]
    if foreign or len(along_z) > 1:
        described = ", ".join(foreign) or " × ".join(map(str, along_z)) + " unnamed pages"
        raise StackError(f"{name} has axes that are neither z, channel nor time: {described}; "
                         "save one z stack of it in a file of its own.")
    index: list[Any] = []
    for axis, size in outer:
        if axis == "C":
            index.append(_choice(name, "channel", "channels", channel, size))
        elif axis == "T":
            index.append(_choice(name, "frame", "time points", frame, size))
        else:
            index.append(slice(None))
    for option, plural, axis, value in (("channel", "channels", "C", channel), ("frame", "time points", "T", frame)):
        if axis not in axes:
            _choice(name, option, plural, value, 1)
    numbers = np.arange(int(np.prod([size for _, size in outer], dtype=np.int64)))
    numbers = numbers.reshape([size for _, size in outer])[tuple(index)].ravel()
    if not len(numbers) or not height or not width:
        raise StackError(f"{name} has no pixels (axes {axes}, sizes {shape}); accepted: at least one plane.")
    places = _locate(tif, series, numbers, (height, width))
    stored = np.dtype(series.dtype).newbyteorder(tif.byteorder)
    return PlaneSource(name, places, (height, width), stored, _has_signed_offset(tif, series))


def _choice(name: str, option: str, plural: str, value: int | None, count: int) -> int:
    if value is None and count == 1:
        return 0
    if value is None:
        hint = ""
        if option == "frame":
            hint = "; if these are the planes of a stack, say so in Fiji (Image ▸ Properties…) and save it again"
        raise ChannelError(f"{name} has {count} {plural}; choose one with --{option} 0 to {count - 1} "
                           f"(in Python {option}=…){hint}.")
    if not 0 <= value < count:
        accepted = "0" if count == 1 else f"0 to {count - 1}"
        raise ChannelError(f"{name} has no {option} {value}: it has {count} {plural if count > 1 else plural[:-1]}; "
                           f"accepted for --{option}: {accepted}.")
    return int(value)


def _locate(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, numbers: np.ndarray,
            plane_shape: tuple[int, int]) -> list[PlacedPlane]:
    """Say where the planes of these numbers lie, and check that the file is long enough."""
    size = plane_shape[0] * plane_shape[1]
    step = size * series.dtype.itemsize
    total = series.size // size
    _check_page_count(tif, total)
    # ImageJ's large stacks have one page; their planes follow each other.
    first = series.dataoffset if len(series.pages) == 1 and series.keyframe.is_final else None
    if first is not None:
        if first + total * step > tif.filehandle.size:
            raise _truncated(tif.filename, total, (tif.filehandle.size - first) // step)
        return [PlacedPlane(tif.filehandle.path, first + int(number) * step, raw=True) for number in numbers]
    per_page = max(total // len(series.pages), 1)
    if per_page * len(series.pages) != total:
        raise StackError(f"{tif.filename} is damaged: {len(series.pages)} pages for {total} planes; export it again.")
    places = []
    for number in map(int, numbers):
        page, part = series.pages[number // per_page], number % per_page
        assert page is not None  # _choose_series refused such files
        offsets, counts = np.array(page.dataoffsets, np.int64), np.array(page.databytecounts, np.int64)
        file = page.parent.filehandle
        if not len(counts) or not counts.all() or (offsets + counts).max() > file.size:
            raise _truncated(tif.filename, total, number)
        raw = (page.parent is tif and page.is_final and int(counts.sum()) == per_page * step
               and np.array_equal(offsets[1:], (offsets + counts)[:-1]))
        if raw:
            places.append(PlacedPlane(file.path, int(offsets[0]) + part * step, raw=True))
        else:
            places.append(PlacedPlane(file.path, page.offset, raw=False, part=part))
    return places


def _check_page_count(tif: tifffile.TiffFile, planes: int) -> None:
    """A file that breaks off in its chain of pages must not pass as a shorter stack."""
    stated = int(_imagej_metadata(tif).get("images", 1))
    if stated > planes:
        raise _truncated(tif.filename, stated, planes)
    position = tif.pages.next_page_offset
    if position is None:
        return
    tif.filehandle.seek(position)
    if tif.filehandle.read(tif.tiff.offsetsize).strip(b"\0") or position + tif.tiff.offsetsize > tif.filehandle.size:
        raise StackError(f"{tif.filename} is truncated: only its first {planes} planes are there; "
                         "copy or export it again.")


def _truncated(name: str, stated: int, there: int) -> StackError:
    return StackError(f"{name} is truncated: it should have {stated} plane{'s' * (stated != 1)}, "
                      f"{max(there, 0)} {'are' if there != 1 else 'is'} complete; copy or export it again.")


def _has_signed_offset(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """ImageJ stores signed 16-bit pixels plus 32768 and says so by a straight calibration line."""
    metadata = _imagej_metadata(tif)
    return (series.dtype == np.uint16 and metadata.get("cf") == 0
            and metadata.get("c0") == -32768 and metadata.get("c1") == 1)


def _stated_voxel_size(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, planes: int) -> FileVoxelSize:
    tags = tif.pages.first.tags
    resolution = None
    if "XResolution" in tags and "YResolution" in tags:
        resolution = (tags["XResolution"].value, tags["YResolution"].value)
    resolution_unit = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2
    sources = []
    if tif.ome_metadata:
        height, width = series.keyframe.shaped[-3:-1]
        sources.append(ome_voxel_size(tif.ome_metadata, {"X": width, "Y": height}))
    if tif.is_imagej:
        sources.append(imagej_voxel_size(_imagej_metadata(tif), resolution, resolution_unit, planes))
    sources.append(plain_voxel_size(resolution, resolution_unit))
    return combined(sources)


def _imagej_metadata(tif: tifffile.TiffFile) -> dict[str, Any]:
    return (tif.imagej_metadata or {}) if tif.is_imagej else {}


def _voxel_size(name: str, found: FileVoxelSize, planes: int, xy_um: float | None,
                z_um: float | None) -> tuple[float, float]:
    """Voxel size (z, xy): given before found; an error names the options that are missing."""
    if xy_um is None and found.x_um is not None and found.y_um is not None:
        if abs(found.x_um - found.y_um) > _SAME_SIZE * found.x_um:
            raise VoxelSizeError(f"{name} has pixels of {found.x_um:g} × {found.y_um:g} µm (x × y); accepted: square "
                                 "pixels. Give the size with --xy (in Python xy_um=) if this is wrong.")
        xy_um = found.x_um
    if z_um is None:
        z_um = found.z_um
    if z_um is None and planes == 1:
        z_um = xy_um
    missing = [(option, argument, what) for option, argument, what, value in (
        ("--xy", "xy_um=", "pixel size", xy_um), ("--z", "z_um=", "distance of planes", z_um)) if value is None]
    if xy_um is None or z_um is None:
        if planes == 1 and xy_um is None:
            missing = missing[:1]
        unit = f" in a known unit (it has {found.unknown_unit!r})" if found.unknown_unit else ""
        raise VoxelSizeError(f"{name} does not state its {' and '.join(what for _, _, what in missing)}{unit}; "
                             f"give it in µm with {' and '.join(option for option, _, _ in missing)} "
                             f"(in Python {', '.join(argument for _, argument, _ in missing)}).")
    return z_um, xy_um
