"""ROI zips, the files of ImageJ's ROI Manager."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path, PurePosixPath

import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import FileFormatError, one_line
from deepd3_ij.files.imagej_roi import decode_roi, encode_rois
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.regroup import RoiPart, join_parts
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS

# Far above any real ROI; a larger entry is a fault or an attack.
_MAX_ROI_BYTES = 64 * 2**20
_DATE = (1980, 1, 1, 0, 0, 0)
_REPORT_EVERY = 500


def write_roi_zip(path: str | PathLike[str], rois: RoiSet, *, progress: Progress = no_progress) -> None:
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
        for count, (name, data) in enumerate(encode_rois(rois)):
            archive.writestr(zipfile.ZipInfo(f"{name}.roi", date_time=_DATE), data, zipfile.ZIP_DEFLATED)
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
    else its stack position; a ROI without either counts for all planes. What lies outside of the image
    is cut off; where ROIs overlap, the later one wins.

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
        outside of the stack; a warning tells how many.

    Raises
    ------
    FileFormatError
        No ROI file, or a damaged one; the message names the entry.
    """
    source = Path(path)
    shape = tuple(like.sizes[dim] for dim in DIMS)
    parts: list[RoiPart] = []
    skipped: list[str] = []
    for name, data, done, total in _entries(source):
        if done % _REPORT_EVERY == 0:
            progress(done, total, "Reading ROIs")
        try:
            part = decode_roi(data, name, (shape[1], shape[2]))
        except FileFormatError as error:
            raise FileFormatError(f"{source}: {error}") from error
        if isinstance(part, str):
            skipped.append(f"{name}: {part}")
        elif not part.mask.any() or (part.plane is not None and part.plane >= shape[0]):
            skipped.append(f"{name}: no pixel inside of the stack")
        else:
            parts.append(part)
    if skipped:
        warnings.warn(f"{source}: {len(skipped)} of {len(skipped) + len(parts)} selections were left out "
                      f"(first: {skipped[0]}).", stacklevel=2)
    provenance = {"source": source.name, "skipped": skipped}
    return join_parts(parts, like, dimensions=dimensions, provenance=provenance)


def _entries(source: Path) -> Iterator[tuple[str, bytes, int, int]]:
    """Name and content of every ROI of a zip, or of a single ROI file, with its number and their count."""
    try:
        with source.open("rb") as file:
            content = file.read() if file.read(4) == b"Iout" else b""
            file.seek(0)
            if content:
                yield source.stem, b"Iout" + content, 0, 1
                return
            with zipfile.ZipFile(file) as archive:
                members = [info for info in archive.infolist() if _is_roi(info)]
                for number, info in enumerate(members):
                    yield PurePosixPath(info.filename).name[:-4], _content(archive, info, source), number, len(members)
    except zipfile.BadZipFile as error:
        raise FileFormatError(f"{source} is neither a zip of ImageJ ROIs nor a .roi file ({one_line(error)}); "
                              "give a file that the ROI Manager saved.") from error
    except OSError as error:
        raise FileFormatError(f"{source} cannot be read: {one_line(error)}; give a zip of ROIs or a .roi file."
                              ) from error


def _is_roi(info: zipfile.ZipInfo) -> bool:
    # macOS adds shadow entries of its own beside every file.
    return info.filename.lower().endswith(".roi") and not info.filename.startswith("__MACOSX/")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path) -> bytes:
    problem = f"it has {info.file_size} bytes"
    if info.file_size <= _MAX_ROI_BYTES:
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            problem = one_line(error)
    raise FileFormatError(f"{source}: the ROI {info.filename!r} is damaged ({problem}); "
                          "save the ROIs again from ImageJ.")
