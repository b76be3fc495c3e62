"""Annotated stacks as training data: cut out, checked, looked at, arranged to sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij import colours
from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.units import AUTO, guess_units
from deepd3_ij.atomic import replacing
from deepd3_ij.drawing import drawing_library
from deepd3_ij.errors import AnnotationError, FileFormatError
from deepd3_ij.file_identity import refuse_inputs
from deepd3_ij.files.d3data import D3Data, cut_d3data, read_d3data, update_meta, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.masks import is_tracing, read_spine_mask, read_tiff_mask
from deepd3_ij.files.snt_traces import SUFFIX as TRACES_SUFFIX
from deepd3_ij.files.snt_traces import read_traces
from deepd3_ij.files.swc import read_swc
from deepd3_ij.notes import note
from deepd3_ij.parameters import TrainingDataParameters
from deepd3_ij.progress import Progress, in_steps, no_progress
from deepd3_ij.stack import voxel_size_um
from deepd3_ij.training.summaries import Summary, count_spines, doubts, summarize

if TYPE_CHECKING:
    import pandas as pd

FilePath = str | PathLike[str]
Mask = npt.NDArray[np.bool_]

_CHECKING = "Reading training data"


def box_of(shape_zyx: Sequence[int], parameters: TrainingDataParameters) -> tuple[slice, slice, slice]:
    """Turn the box that a user gave into slices of planes, rows and columns.

    Parameters
    ----------
    shape_zyx
        Shape of the whole stack, ``(z, y, x)``.
    parameters
        The box; its last plane is included.

    Raises
    ------
    AnnotationError
        The box or its planes reach out of the stack.
    """
    depth, height, width = shape_zyx
    z_end = depth - 1 if parameters.z_end is None else parameters.z_end
    if not parameters.z_begin <= z_end < depth:
        raise AnnotationError(f"Planes {parameters.z_begin} to {z_end} are not all in the stack; it has planes 0 to "
                              f"{depth - 1}. Change z_begin and z_end (the last plane is included).")
    spans = []
    for axis, length, first, wanted in (("columns", width, parameters.x_px, parameters.width_px),
                                        ("rows", height, parameters.y_px, parameters.height_px)):
        end = length if wanted is None else first + wanted
        if first >= length or end > length:
            raise AnnotationError(f"The box spans {axis} {first} to {max(first, end - 1)}; the stack has {axis} 0 to "
                                  f"{length - 1}. Move the box or make it smaller.")
        spans.append(slice(first, end))
    return slice(parameters.z_begin, z_end + 1), spans[1], spans[0]


def cut_training_data(
    stack: xr.DataArray, dendrite: Mask, spines: Mask, parameters: TrainingDataParameters | None = None, *,
    ignored: npt.NDArray[np.uint8] | None = None
) -> D3Data:
    """Cut a box out of a stack and its masks.

    Parameters
    ----------
    stack
        Image, ``(z, y, x)``, of any pixel type; its voxel size and source go along.
    dendrite, spines
        Masks of the whole stack's shape, foreground > 0.
    parameters
        The box.
    ignored
        What does not count in training, as in :class:`deepd3_ij.files.d3data.D3Data`.

    Returns
    -------
    D3Data
        The box in the stack's pixel type, with boolean masks.

    Raises
    ------
    AnnotationError
        A mask has another shape than the stack, or no foreground in the box; the box reaches out
        of the stack.
    """
    parameters = parameters or TrainingDataParameters()
    box = box_of(stack.shape, parameters)
    whole = all(part == slice(0, length) for part, length in zip(box, stack.shape, strict=True))
    data = cut_d3data(stack, dendrite, spines, None if whole else box, ignored)
    for name, mask, part in (("dendrite", dendrite, data.dendrite), ("spine", spines, data.spines)):
        if not (parameters.allow_empty or part.any()):
            outside = np.count_nonzero(mask)
            where = (f"in the box; its {outside} voxels lie outside. Move the box" if outside
                     else "at all. Give the right mask")
            raise AnnotationError(f"The {name} mask has no foreground {where}, or allow empty masks.")
    return data


def overlay(data: D3Data, *, min_side_px: int = 512) -> npt.NDArray[np.uint8]:
    """Picture training data: maximum projection on the left, with masks on the right.

    Parameters
    ----------
    data
        Image and masks.
    min_side_px
        Small stacks are enlarged by a whole number until a panel's longer side has this many pixels.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(height, width, 3)``: grey levels between the 1st and the 99.8th
        percentile of the projection; dendrite magenta, spines green.
    """
    projection = data.stack.max(axis=0).astype(np.float64)
    low, high = np.percentile(projection, (1, 99.8))
    grey = np.clip((projection - low) / max(high - low, 1e-12), 0, 1)
    plain = np.repeat(grey[..., None], 3, axis=2)
    painted = plain.copy()
    for mask, colour in ((data.dendrite, colours.DENDRITE), (data.spines, colours.SPINE)):
        seen = mask.any(axis=0)
        painted[seen] = 0.6 * painted[seen] + 0.4 * np.array(colour) / 255
    gap = np.ones((grey.shape[0], max(1, grey.shape[1] // 100), 3))
    picture = (np.concatenate([plain, gap, painted], axis=1) * 255).round().astype(np.uint8)
    times = max(1, -(-min_side_px // max(grey.shape)))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def create_training_data(
    stack: FilePath,
    dendrite: FilePath,
    spines: FilePath,
    out: FilePath,
    parameters: TrainingDataParameters | None = None,
    *,
    xy_um: float | None = None,
    z_um: float | None = None,
    channel: int | None = None,
    frame: int | None = None,
    progress: Progress = no_progress,
) -> D3Data:
    """Make a d3data file from a stack and its annotation.

    Parameters
    ----------
    stack
        TIFF stack.
    dendrite
        Tracing (SWC, or SNT's .traces), or a TIFF mask of the stack's shape (foreground > 0).
    spines
        TIFF mask or label image, pipra ``.mask`` file, or ImageJ ROI zip.
    out
        The d3data file to make or replace.
    parameters
        The box, and how an SWC file is read.
    xy_um, z_um
        Voxel size; needed if the stack's file has none.
    channel, frame
        0-based channel and time point of the stack, if it has several.
    progress
        Called after each step; may raise ``Cancelled``.

    Returns
    -------
    D3Data
        What was written.

    Raises
    ------
    StackError, VoxelSizeError
        The stack cannot be read or its voxel size is unknown.
    AnnotationError
        An annotation cannot be read, has another shape or no foreground in the box, or the box
        reaches out of the stack.
    OutputError
        The file cannot be written.
    """
    parameters = parameters or TrainingDataParameters()
    refuse_inputs([out], [stack, dendrite, spines])
    progress(0, 4, "Reading the stack")
    image = open_stack(stack, xy_um=xy_um, z_um=z_um, channel=channel, frame=frame)
    box_of(image.shape, parameters)
    progress(1, 4, "Reading the dendrite annotation")
    dendrite_mask, told = read_dendrites(dendrite, image, parameters.swc_units)
    if parameters.swc_units == AUTO and told:
        note(f"{Path(dendrite).name}: {told}.")
    progress(2, 4, "Reading the spine annotation")
    spine_mask = read_spine_mask(spines, image)
    progress(3, 4, "Writing training data")
    data = cut_training_data(image, dendrite_mask, spine_mask, parameters)
    write_d3data(out, data)
    progress(4, 4, "Writing training data")
    return data


def read_dendrites(path: FilePath, stack: xr.DataArray, swc_units: str = AUTO, *, progress: Progress = no_progress
                   ) -> tuple[Mask, str]:
    """Read annotated dendrites of a stack.

    Parameters
    ----------
    path
        Tracing (SWC, or SNT's ``.traces``), or a TIFF mask of the stack's shape.
    stack
        The annotated stack.
    swc_units
        Unit of the positions in an SWC file: "um", "px", or "auto" to guess it. SNT's files tell theirs.
    progress
        Called while a tracing is drawn.

    Returns
    -------
    mask : numpy.ndarray
        Boolean, shape ``(z, y, x)``.
    told : str
        In which unit a tracing was read, and why; empty for a mask.

    Raises
    ------
    AnnotationError
        It cannot be read, has another shape than the stack, or lies outside of it.
    """
    if not is_tracing(path):
        return read_tiff_mask(path, stack), ""
    z_um, xy_um, _ = voxel_size_um(stack)
    reason = "as chosen"
    if Path(path).suffix.lower() == TRACES_SUFFIX:
        tracing, units = read_traces(path)
        reason = "as the file tells"
    else:
        tracing, units = read_swc(path), swc_units
        if units == AUTO:
            units, reason = guess_units(tracing, stack.shape, xy_um=xy_um, z_um=z_um)
    mask = draw_tracing(tracing, stack.shape, xy_um=xy_um, z_um=z_um, units=units, progress=progress)
    return mask, f"positions in {'µm' if units == 'um' else 'pixels'} ({reason})"


def read_training_data(path: FilePath, *, progress: Progress = no_progress) -> list[D3Data]:
    """Read a d3set, or a d3data file as a set of one.

    Raises
    ------
    FileFormatError
        The file is damaged or of neither kind.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".d3data":
        return [read_d3data(path)]
    if suffix == ".d3set":
        return read_d3set(path, progress=progress)
    raise FileFormatError(f"{path} is no training data; give a file that ends in .d3data or .d3set.")


def describe_training_data(path: FilePath) -> pd.DataFrame:
    """Tell what a d3data or d3set file holds.

    Returns
    -------
    pandas.DataFrame
        One row for each stack: DeepD3's metadata by their names, then ``shape`` (z, y, x;
        sets of the original can name another size), ``dtype``, ``minimum`` and ``maximum`` of the
        image, ``dendrite_voxels``, ``spine_voxels`` and ``spine_objects`` (26-connected components).

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind.
    """
    import pandas as pd

    return pd.DataFrame([_described(data) for data in read_training_data(path)])


def _described(data: D3Data) -> dict[str, Any]:
    return {
        **data.meta,
        "shape": data.stack.shape,
        "dtype": str(data.stack.dtype),
        "minimum": data.stack.min().item(),
        "maximum": data.stack.max().item(),
        "dendrite_voxels": int(np.count_nonzero(data.dendrite)),
        "spine_voxels": int(np.count_nonzero(data.spines)),
        "spine_objects": count_spines(data),
    }


def set_meta(path: FilePath, values: Mapping[str, Any]) -> None:
    """Change metadata of a d3data file, such as ``{"Resolution_XY": 0.094}``.

    Parameters
    ----------
    path
        The d3data file; it is replaced.
    values
        New values by DeepD3's names; texts are turned into the right type.

    Raises
    ------
    AnnotationError
        A name is unknown or a value unfit.
    FileFormatError, OutputError
        The file cannot be read or written.
    """
    update_meta(path, values)


def preview_training_data(path: FilePath, png: FilePath) -> None:
    """Draw the :func:`overlay` of a d3data file, or of every stack of a d3set one below the other.

    Raises
    ------
    FileFormatError, OutputError
        The file cannot be read, the picture not be written.
    """
    imsave = drawing_library("image").imsave
    refuse_inputs([png], [path])
    pictures = [overlay(data) for data in read_training_data(path)]
    width = max(picture.shape[1] for picture in pictures)
    rows = [np.pad(picture, ((0, 8), (0, width - picture.shape[1]), (0, 0)), constant_values=255)
            for picture in pictures]
    with replacing(png) as temporary:
        imsave(temporary, np.concatenate(rows)[:-8], format="png", metadata={"Software": "deepd3_ij"})


def arrange_training_data(
    paths: Sequence[FilePath], out: FilePath, *, progress: Progress = no_progress
) -> list[Summary]:
    """Arrange d3data files to a d3set; what speaks against training with them together is noted.

    Parameters
    ----------
    paths
        d3data files, in the order in which the set is to hold them.
    out
        The d3set to make or replace.
    progress
        Called after each file; may raise ``Cancelled``.

    Returns
    -------
    list of Summary
        What each file holds.

    Raises
    ------
    AnnotationError
        No file was given, or one twice.
    FileFormatError, OutputError
        A file cannot be read or written.
    """
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.resolve() in seen:
            raise AnnotationError(f"{path} is given twice; list every d3data file once.")
        seen.add(path.resolve())
    refuse_inputs([out], paths)
    progress = in_steps(progress, {_CHECKING: 0.5, "Writing d3set": 0.5})
    summaries = []
    for number, each in enumerate(paths):
        progress(number, len(paths), _CHECKING)
        summaries.append(summarize(each))
    for doubt in doubts(summaries):
        note(doubt)
    write_d3set(out, list(paths), progress=progress)
    return summaries
