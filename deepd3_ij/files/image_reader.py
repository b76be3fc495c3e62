"""Opening TIFF files of any microscope program, and OME-Zarr, as stacks.

Pixel values are those of the file: an inverted or coloured lookup table changes only how
ImageJ shows an image, and "white is zero" is not turned round. Two things are undone
because the stored numbers are not the image's: ImageJ's offset of 32768 for signed 16-bit
images, and pixel types that this package does not use (boolean, 8-bit signed, 16-bit float,
32- and 64-bit) are converted to the nearest used type where this is exact.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr

from deepd3_ij.errors import DeepD3Error, StackError, one_line
from deepd3_ij.files.calibration import (
    FileVoxelSize,
    combined,
    doubts_about_voxel_size,
    imagej_voxel_size,
    lsm_voxel_size,
    ome_voxel_size,
    plain_voxel_size,
    stated_in,
)
from deepd3_ij.files.choosing import choose, choose_voxel_size
from deepd3_ij.files.frame_times import imagej_frame_days, ome_frame_days
from deepd3_ij.files.ome import looks_like_ome, read_ome
from deepd3_ij.files.ome_zarr import open_image
from deepd3_ij.files.plane_source import PlacedPlane, PlaneSource, TiffPlanes, quiet_tifffile
from deepd3_ij.files.scanimage import scanimage_header, scanimage_pages, scanimage_voxel_size
from deepd3_ij.files.tiff_pages import BITS, COMPRESSION, LENGTH, WIDTH, PageChain, PageForm, read_chain
from deepd3_ij.files.zarr_stores import is_zarr
from deepd3_ij.input_limits import check_memory
from deepd3_ij.names import PROVENANCE
from deepd3_ij.notes import note
from deepd3_ij.stack import label_stack

_PLANE_AXES = "ZIQP"
_LARGEST_PLANE_COUNT = 10_000_000
_IMAGE_DESCRIPTION = 270


def open_stack(
    path: str | PathLike[str],
    *,
    xy_um: float | None = None,
    z_um: float | None = None,
    channel: int | None = None,
    frame: int | None = None,
    level: int | None = None,
    lazy: bool = False,
) -> xr.DataArray:
    """Open one channel and time point of a TIFF file or an OME-Zarr image as a stack.

    Parameters
    ----------
    path
        TIFF, BigTIFF, OME-TIFF or ImageJ hyperstack, two- or three-dimensional. Pages without
        a stated meaning are planes. Or the folder or address (of fsspec: ``s3://…``, ``https://…``) of an OME-Zarr
        image; of several images in it, the path of one.
    xy_um, z_um
        Size of a pixel and distance of planes in µm; they override the file's. A single plane
        needs no distance: the file's, else the pixel size, is then its thickness.
    channel, frame
        0-based channel and time point; needed when the file has more than one.
    level
        Resolution level of an OME-Zarr image, 0 (the default) is the finest.
    lazy
        Give a dask array of one chunk per plane that reads planes when they are used.

    Returns
    -------
    xarray.DataArray
        Dimensions ``("z", "y", "x")``; uint8, uint16, int16 or float32; ``source`` is the
        file's name; ``provenance`` is there if this package wrote it into the file, ``notes`` (a tuple of
        texts, also given to :func:`deepd3_ij.notes.note`) if something about the file is doubtful, ``origin_um``
        (z, y, x) if the metadata place the first voxel elsewhere than at 0.

    Raises
    ------
    StackError
        The file is missing, damaged, no TIFF, has colour, NaN or infinite pixels, values that
        no supported pixel type holds exactly, or a channel or time point must be chosen. With
        `lazy`, what concerns pixel values is raised when a plane is read.
    VoxelSizeError
        The voxel size is neither in the file nor given, or pixels are not square.
    """
    origin_um = None
    planes: PlaneSource
    if is_zarr(path):
        image = open_image(path, level)
        planes, notes = image.planes(channel, frame)
        found, provenance, name = image.voxel_size, image.provenance, image.name
        origin_um = image.multiscales.origin_um(image.level)
    else:
        file, name = Path(path), Path(path).name
        if level not in (None, 0):
            raise StackError(f"{name} has no resolution level {level}; accepted for what is no OME-Zarr: 0.")
        with quiet_tifffile():
            planes, found, provenance, notes = _survey(file, channel, frame)
    z_um, xy_um = choose_voxel_size(name, found, len(planes), xy_um, z_um)
    stack = label_stack(planes.as_dask() if lazy else planes.load(), xy_um=xy_um, z_um=z_um, source=name)
    notes += doubts_about_voxel_size(name, xy_um, z_um)
    for text in notes:
        note(text)
    known = {"provenance": provenance, "notes": tuple(notes),
             "origin_um": origin_um if origin_um and any(origin_um) else None}
    return stack.assign_attrs({key: value for key, value in known.items() if value})


@dataclass(frozen=True)
class _Pages:
    """Pages of one image: outer axes from slow to fast, and for each combination of them (in C order) its page."""

    axes: str
    sizes: tuple[int, ...]
    pages: Sequence[Any]
    keyframe: tifffile.TiffPage
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Opened:
    """A TIFF file whose pages have got their meaning."""

    tif: tifffile.TiffFile
    image: _Pages
    chain: PageChain
    header: Mapping[str, str]
    kept_planes: int | None
    notes: list[str]


@contextmanager
def _opened(file: Path) -> Iterator[_Opened]:
    """Open a file and find out what its pages are; whatever fails in the block becomes one line."""
    chain = read_chain(file)
    if not chain.complete:  # tifffile would look for the lost pages at places without meaning
        raise StackError(f"{file.name} is truncated: only its first {len(chain)} planes are there; "
                         "copy or export it again.")
    try:
        description, software = _texts(file)
        header = scanimage_header(description, software)
        ome = read_ome(description, file, chain) if not header and looks_like_ome(description) else None
        flags: dict[str, Any] = {"is_scanimage": False, "is_ndpi": False, "is_mmstack": False, "is_ndtiff": False}
        if ome is None or ome.xml is None:
            flags["is_ome"] = False
        with tifffile.TiffFile(file, omexml=ome.xml if ome else None, **flags) as tif:
            _check_description(tif)
            notes = list(ome.notes) if ome else []
            image, kept = _choose_image(tif, chain), None
            if header:
                meaning = scanimage_pages(header, len(image.pages), tif.filename)
                image, kept = replace(image, axes=meaning.axes, sizes=meaning.sizes), meaning.planes
                notes += meaning.notes
            elif ome is not None and ome.axes:
                image = replace(image, axes=ome.axes, sizes=ome.sizes)
            yield _Opened(tif, image, chain, header, kept, notes)
    except DeepD3Error:
        raise
    except OSError as error:
        raise StackError(f"{file.name} cannot be read: {one_line(error)}.") from error
    except Exception as error:  # a damaged file makes tifffile fail in many ways
        raise StackError(f"{file.name} is a damaged TIFF file ({one_line(error)}); export it again.") from error


def _survey(file: Path, channel: int | None, frame: int | None
            ) -> tuple[PlaneSource, FileVoxelSize, str | None, list[str]]:
    """Find the planes of one channel and time point; what the file states of voxel size and provenance; notes."""
    with _opened(file) as opened:
        tif = opened.tif
        planes = _choose_planes(tif, opened.image, opened.chain, channel, frame, opened.kept_planes)
        properties = _imagej_metadata(tif).get("Properties")
        provenance = properties.get(PROVENANCE) if isinstance(properties, dict) else None
        found = _stated_voxel_size(tif, opened.image, len(planes), opened.header)
        return planes, found, provenance if isinstance(provenance, str) else None, opened.notes


@dataclass(frozen=True)
class FileContent:
    """What an image file holds before a channel or time point is chosen.

    Attributes
    ----------
    kind
        Whose metadata it has, in words.
    axes, sizes
        From slow to fast, axes of length 1 left out, with rows (Y) and columns (X).
    channels, pages
        Numbers of them.
    dtype
        Pixel type in the file.
    voxel_size
        As stated in the file.
    notes
        What is doubtful.
    levels
        Number of resolution levels.
    frame_days
        When its time points were imaged, in days from the first; empty if there is one or the file does not tell.
    """

    kind: str
    axes: str
    sizes: tuple[int, ...]
    channels: int
    pages: int
    dtype: str
    voxel_size: FileVoxelSize
    notes: tuple[str, ...]
    levels: int = 1
    frame_days: tuple[float, ...] = ()

    @property
    def frames(self) -> int:
        """Number of time points."""
        return dict(zip(self.axes, self.sizes, strict=True)).get("T", 1)


def look_into(path: str | PathLike[str]) -> FileContent:
    """Tell what an image file holds, without reading pixels.

    Parameters
    ----------
    path
        TIFF file, or folder or address of an OME-Zarr image.

    Raises
    ------
    StackError
        The file cannot be read, or holds no grey image.
    """
    if is_zarr(path):
        return _look_into_zarr(path)
    file = Path(path)
    with quiet_tifffile(), _opened(file) as opened:
        tif, image = opened.tif, opened.image
        height, width = image.keyframe.shaped[-3:-1]
        sizes = {axis: (opened.kept_planes or size) if axis == "P" else size
                 for axis, size in zip(image.axes, image.sizes, strict=True)}
        shown = {axis: size for axis, size in sizes.items() if size > 1} | {"Y": height, "X": width}
        planes = math.prod(size for axis, size in sizes.items() if axis in _PLANE_AXES)
        kinds = {"OME-TIFF": bool(tif.ome_metadata), "LSM file": bool(tif.is_lsm),
                 "ScanImage file": bool(opened.header), "ImageJ TIFF": bool(tif.is_imagej)}
        kind = next((name for name, is_kind in kinds.items() if is_kind), "TIFF without axes")
        axes = "".join(shown).replace("P", "Z")
        return FileContent(kind, axes, tuple(shown.values()), sizes.get("C", 1), len(opened.chain), str(image.dtype),
                           _stated_voxel_size(tif, image, planes, opened.header), tuple(opened.notes),
                           frame_days=_frame_days(tif, image, sizes.get("T", 1)))


def _look_into_zarr(path: str | PathLike[str]) -> FileContent:
    image = open_image(path)
    metadata, shape = image.multiscales, image.array.shape
    shown = [(axis.name.upper(), int(size)) for axis, size in zip(metadata.axes, shape, strict=True)
             if size > 1 or axis.name.lower() in "yx"]
    pages = math.prod(shape) // (image.size("y") * image.size("x"))
    kind = f"OME-Zarr {metadata.version}".strip()
    axes, sizes = "".join(name for name, _ in shown), tuple(size for _, size in shown)
    return FileContent(kind, axes, sizes, image.size("c"), pages,
                       str(np.dtype(image.array.dtype)), image.voxel_size, (), len(metadata.levels))


def _texts(file: Path) -> tuple[str, str]:
    """Description and software of the first page, before anything is made of them."""
    with tifffile.TiffFile(file, is_scanimage=False, is_ome=False, is_lsm=False, is_ndpi=False) as tif:
        return str(tif.pages.first.description), str(tif.pages.first.software)


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


def _choose_image(tif: tifffile.TiffFile, chain: PageChain) -> _Pages:
    _check_imagej_header(tif, chain)
    own = [series for series in tif.series
           if not series.keyframe.is_reduced
           and any(page is not None and page.parent.filehandle.path == tif.filehandle.path for page in series.pages)]
    if not own:
        raise StackError(f"{tif.filename} has no image planes; accepted: a TIFF file with at least one plane.")
    if len(own) > 1 and _differ_in_storage_only(own):
        pages = sorted((page for series in own for page in series.pages if page is not None),
                       key=lambda page: page.index)
        return _grey(tif, _Pages("I", (len(pages),), pages, own[0].keyframe, np.dtype(own[0].dtype)), own[0].axes)
    if len(own) > 1:
        sizes = ", ".join("×".join(map(str, series.shape)) for series in own[:4])
        more = ", …" if len(own) > 4 else ""
        raise StackError(f"{tif.filename} holds {len(own)} images of different kinds ({sizes}{more}); "
                         "save the one to analyse in a file of its own.")
    (series,) = own
    if any(page is None for page in series.pages):
        raise StackError(f"{tif.filename} is incomplete: some of its planes are in files that are missing; "
                         "put them beside it or export it as a single file.")
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    sizes_of = [(axis, size) for axis, size in zip(axes, shape, strict=True) if axis != "S"]
    if sizes_of[-1:] == [("C", 1)]:  # an LSM file counts the one sample of a pixel as channel
        sizes_of.pop()
    if series.dtype is None:
        raise StackError(f"{tif.filename} has pixels of no known type; accepted: 8 and 16 bit, 32-bit float.")
    if [axis for axis, _ in sizes_of[-2:]] != ["Y", "X"]:
        raise StackError(f"{tif.filename} has the axes {axes}; accepted: planes whose last axes are Y and X.")
    image = _Pages("".join(axis for axis, _ in sizes_of[:-2]), tuple(size for _, size in sizes_of[:-2]), series.pages,
                   series.keyframe, np.dtype(series.dtype))
    return _grey(tif, image, series.axes)


def _differ_in_storage_only(own: Sequence[tifffile.TiffPageSeries]) -> bool:
    """Whether images of one file are planes of one stack that are only compressed or cut into strips in other ways."""
    first = own[0]
    return all(series.kind == "generic" and series.keyframe.shape == first.keyframe.shape
               and series.dtype == first.dtype and series.keyframe.axes == first.keyframe.axes
               and series.keyframe.photometric == first.keyframe.photometric for series in own)


def _check_imagej_header(tif: tifffile.TiffFile, chain: PageChain) -> None:
    """ImageJ's numbers of channels, planes and time points must agree with each other and with the pages.

    A program that removes pages often leaves the header as it was; then no plane has a certain place.
    """
    metadata = _imagej_metadata(tif)
    names = {"channels": "channels", "slices": "planes", "frames": "time points"}
    sizes = {text: int(metadata[key]) for key, text in names.items() if metadata.get(key) is not None}
    if not metadata or not all(size > 0 for size in sizes.values()):
        return
    for number, entry in enumerate(chain.pages):
        _check_form(tif, entry.form, chain.pages[0].form, number)
    page = tif.pages.first
    if page.samplesperpixel > 1:
        return
    product = math.prod(sizes.values())
    images = int(metadata.get("images", product if sizes else 1))
    stated = " × ".join(f"{size} {text}" for text, size in sizes.items())
    if sizes and product != images:
        raise StackError(f"{tif.filename} contradicts itself: its ImageJ header states {images} images and "
                         f"{stated or 'one image'}; open it in Fiji, set channels, planes and time points "
                         "(Image ▸ Properties…) and save it again.")
    if len(chain) == 1 and images > 1:  # ImageJ's form for large stacks: the planes follow each other
        size = tif.filehandle.size
        start, step = (page.dataoffsets[0], page.nbytes) if page.dataoffsets else (size, 0)
        if not page.is_final or start + images * step > size:
            there = (size - start) // step if page.is_final and step else 1
            raise _truncated(tif.filename, images, there)
    elif len(chain) > 1 and len(chain) != images and (sizes or images != 1):
        raise StackError(f"{tif.filename} contradicts itself: its ImageJ header states {images} images"
                         f"{f' ({stated})' if sizes else ''}, and it has {len(chain)} pages; open it in Fiji, set "
                         "channels, planes and time points (Image ▸ Properties…) and save it again.")


def _grey(tif: tifffile.TiffFile, image: _Pages, axes: str) -> _Pages:
    """The same image, if its numbers are brightness."""
    page = image.keyframe
    if page.samplesperpixel > 1 and "S" in axes:
        raise StackError(f"{tif.filename} is a colour image ({page.samplesperpixel} samples per pixel, "
                         f"{getattr(page.photometric, 'name', page.photometric)}); save one channel as grey image "
                         "(in Fiji: Image ▸ Color ▸ Split Channels).")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not (tif.is_imagej or tif.is_ome) and not _is_ramp(page):
        raise StackError(f"{tif.filename} has a colour palette: its numbers are not brightness; "
                         "save it as grey image (in Fiji: Image ▸ Type ▸ RGB Color, then 8-bit).")
    if image.dtype.kind not in "buif" or image.dtype.itemsize > 8:
        raise StackError(f"{tif.filename} has pixels of type {image.dtype}; accepted: 8 and 16 bit, 32-bit float.")
    return image


def _is_ramp(page: tifffile.TiffPage) -> bool:
    """Whether a palette only colours grey levels: brightness never falls (or never rises) with the number."""
    if page.colormap is None:
        return False
    steps = np.diff(np.asarray(page.colormap, np.int64).sum(axis=0))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _choose_planes(tif: tifffile.TiffFile, image: _Pages, chain: PageChain, channel: int | None, frame: int | None,
                   kept_planes: int | None) -> PlaneSource:
    """Find the pages of one channel and time point, from the axes of the image."""
    name = tif.filename
    height, width = image.keyframe.shaped[-3:-1]
    outer = list(zip(image.axes, image.sizes, strict=True))
    along_z = [size for axis, size in outer if axis in _PLANE_AXES and size > 1]
    foreign = [f"{axis} ({size})" for axis, size in outer if axis not in _PLANE_AXES + "CT" and size > 1]
    if foreign or len(along_z) > 1:
        described = ", ".join(foreign) or " × ".join(map(str, along_z)) + " unnamed pages"
        raise StackError(f"{name} has axes that are neither z, channel nor time: {described}; "
                         "save one z stack of it in a file of its own.")
    index: list[Any] = []
    for axis, size in outer:
        if axis == "C":
            index.append(choose(name, "channel", "channels", channel, size))
        elif axis == "T":
            index.append(choose(name, "frame", "time points", frame, size))
        else:
            index.append(slice(kept_planes if axis == "P" else None))
    for option, plural, axis, value in (("channel", "channels", "C", channel), ("frame", "time points", "T", frame)):
        if axis not in image.axes:
            choose(name, option, plural, value, 1)
    count = math.prod(image.sizes)
    if not count or not height or not width:
        raise StackError(f"{name} has no pixels (axes {image.axes}YX, sizes {(*image.sizes, height, width)}); "
                         "accepted: at least one plane.")
    if count > _LARGEST_PLANE_COUNT:
        raise StackError(f"{name} states {count} planes; accepted: at most {_LARGEST_PLANE_COUNT}.")
    numbers = np.arange(count).reshape(image.sizes)[tuple(index)].ravel()
    check_memory(float(height) * width * image.dtype.itemsize, f"A single plane of {name} ({height} × {width} pixels)",
                 "export it again, or crop it", StackError)
    places = _locate(tif, image, chain, numbers, (height, width))
    stored = np.dtype(image.dtype).newbyteorder(tif.byteorder)
    return TiffPlanes(name, places, (height, width), stored, _has_signed_offset(tif, image))


def _locate(tif: tifffile.TiffFile, image: _Pages, chain: PageChain, numbers: np.ndarray,
            plane_shape: tuple[int, int]) -> list[PlacedPlane]:
    """Say where the planes of these numbers lie, and check that the file is long enough."""
    step = plane_shape[0] * plane_shape[1] * image.dtype.itemsize
    total = math.prod(image.sizes)
    # ImageJ's large stacks have one page; their planes follow each other.
    first = (image.keyframe.dataoffsets[0]
             if len(image.pages) == 1 and image.keyframe.is_final and image.keyframe.dataoffsets else None)
    if first is not None:
        if first + total * step > tif.filehandle.size:
            raise _truncated(tif.filename, total, (tif.filehandle.size - first) // step)
        return [PlacedPlane(tif.filehandle.path, first + int(number) * step, raw=True) for number in numbers]
    per_page = max(total // len(image.pages), 1)
    if per_page * len(image.pages) != total:
        raise StackError(f"{tif.filename} is damaged: {len(image.pages)} pages for {total} planes; export it again.")
    form_at = {page.offset: page.form for page in chain.pages}
    places = []
    for number in map(int, numbers):
        page, part = image.pages[number // per_page], number % per_page
        assert page is not None  # _choose_image refused such files
        offsets, counts = np.array(page.dataoffsets, np.int64), np.array(page.databytecounts, np.int64)
        file = page.parent.filehandle
        if not len(counts) or not counts.all() or (offsets + counts).max() > file.size:
            raise _truncated(tif.filename, total, number)
        if page.parent is tif:
            _check_form(tif, form_at.get(page.offset), form_at.get(image.keyframe.offset), number)
        raw = (page.parent is tif and page.is_final and int(counts.sum()) == per_page * step
               and np.array_equal(offsets[1:], (offsets + counts)[:-1])
               and _storage(form_at.get(page.offset)) == _storage(form_at.get(image.keyframe.offset)))
        if raw:
            places.append(PlacedPlane(file.path, int(offsets[0]) + part * step, raw=True))
        else:
            places.append(PlacedPlane(file.path, page.offset, raw=False, part=part))
    return places


def _check_form(tif: tifffile.TiffFile, form: PageForm | None, first: PageForm | None, number: int) -> None:
    """Pages of another size or type are none of the stack's planes; tifffile takes all to be like the first."""
    if form is None or first is None:
        return
    for code, what in ((WIDTH, "pixels across"), (LENGTH, "rows"), (BITS, "bits per pixel")):
        if form.get(code) != first.get(code):
            raise StackError(f"{tif.filename} holds images of different kinds: page {number} (0-based) has "
                             f"{form.get(code)} {what}, the first one {first.get(code)}; save the one to analyse in "
                             "a file of its own.")


def _storage(form: PageForm | None) -> int:
    return (form or {}).get(COMPRESSION, 1)


def _truncated(name: str, stated: int, there: int) -> StackError:
    return StackError(f"{name} is truncated: it should have {stated} plane{'s' * (stated != 1)}, "
                      f"{max(there, 0)} {'are' if there != 1 else 'is'} complete; copy or export it again.")


def _has_signed_offset(tif: tifffile.TiffFile, image: _Pages) -> bool:
    """ImageJ stores signed 16-bit pixels plus 32768 and says so by a straight calibration line."""
    metadata = _imagej_metadata(tif)
    return (image.dtype == np.uint16 and metadata.get("cf") == 0
            and metadata.get("c0") == -32768 and metadata.get("c1") == 1)


def _stated_voxel_size(tif: tifffile.TiffFile, image: _Pages, planes: int, header: Mapping[str, str]) -> FileVoxelSize:
    tags = tif.pages.first.tags
    resolution = None
    if "XResolution" in tags and "YResolution" in tags:
        resolution = (tags["XResolution"].value, tags["YResolution"].value)
    unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else 2
    resolution_unit = int(unit) if isinstance(unit, int) else 2
    height, width = image.keyframe.shaped[-3:-1]
    sources = []
    if tif.ome_metadata:
        sources.append(stated_in("OME metadata", ome_voxel_size(tif.ome_metadata, {"X": width, "Y": height})))
    if tif.is_lsm:
        sources.append(stated_in("LSM header", lsm_voxel_size(tif.lsm_metadata or {})))
    if header:
        sources.append(stated_in("ScanImage header", scanimage_voxel_size(header, width, height)))
    if tif.is_imagej:
        sources.append(stated_in("ImageJ header", imagej_voxel_size(
            _imagej_metadata(tif), resolution, resolution_unit, planes)))
    sources.append(stated_in("TIFF resolution tags", plain_voxel_size(resolution, resolution_unit)))
    return combined(sources)


def _frame_days(tif: tifffile.TiffFile, image: _Pages, frames: int) -> tuple[float, ...]:
    if frames < 2:
        return ()
    height, width = image.keyframe.shaped[-3:-1]
    stated = ome_frame_days(tif.ome_metadata, {"X": width, "Y": height, "T": frames}) if tif.ome_metadata else ()
    return stated or imagej_frame_days(_imagej_metadata(tif), frames)


def _imagej_metadata(tif: tifffile.TiffFile) -> dict[str, Any]:
    return (tif.imagej_metadata or {}) if tif.is_imagej else {}
