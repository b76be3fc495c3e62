"""The verbs of the window in which training data are made: annotation in, masks out; what is shown is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.atomic import check_output_folder
from deepd3_ij.errors import AnnotationError, DeepD3Error, FijiError, OutputError, one_line
from deepd3_ij.notes import note
from deepd3_ij.parameters import (
    CorrectedDataParameters,
    CorrectedFileParameters,
    OverwriteParameters,
    TrainingDataParameters,
)
from deepd3_ij.progress import Progress
from deepd3_ij.service.dialogs import Section, add_dialog
from deepd3_ij.service.exchange import REINSTALL, Image, Outlines, Reply, grid
from deepd3_ij.service.registry import NOTHING_CHOSEN, Bytes, Choices, Kind, Map, Pixels, verb
from deepd3_ij.stack import voxel_size_um

Mask8 = Annotated[npt.NDArray[np.uint8], Kind(("uint8",), 3)]


@dataclass(frozen=True)
class DrawnLines:
    """Lines that were drawn along dendrites: 0-based plane, points (x, y; corner coordinates) and width in pixels."""

    lines: tuple[tuple[int, tuple[tuple[float, float], ...], float], ...]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> DrawnLines:
        """Read the table ``lines`` that a script sent."""
        try:
            lines = tuple((int(line["plane"]), tuple((float(x), float(y)) for x, y in line["points"]),
                           float(line["width_px"])) for line in values["lines"])
        except (KeyError, TypeError, ValueError) as error:
            raise FijiError(f"The drawn lines are not understood ({one_line(error)}); {REINSTALL}.") from error
        return cls(lines)


@verb("read_dendrite_annotation")
def read_dendrite_annotation(progress: Progress, *, image: Image, shape: list[int], path: str, units: str = "auto",
                             reconstruction: str | None = None, store: bool = True) -> Reply:
    """Mask of a tracing or of a TIFF file; a tracing's volume is stored beside it, and read from there if named."""
    from deepd3_ij.files.masks import is_tracing, read_tiff_mask
    from deepd3_ij.training.dataset import read_dendrites

    like = grid(image, shape)
    progress(0, 1, "Reading the dendrite annotation")
    if reconstruction is not None:
        mask, told = read_tiff_mask(reconstruction, like), f"the volume stored in {Path(reconstruction).name}"
    else:
        mask, told = read_dendrites(path, like, units, progress=progress)
        if store and is_tracing(path):
            _store(Path(path), mask, like)
    progress(1, 1, "Reading the dendrite annotation")
    return _masked(mask, told=told)


def reconstruction_beside(path: Path) -> Path:
    """Where the volume of a tracing is stored for later."""
    return path.with_name(f"{path.stem}_reconstruction.tif")


def _store(path: Path, mask: npt.NDArray[np.bool_], like: xr.DataArray) -> None:
    from deepd3_ij.files.tiff import write_stack

    target = reconstruction_beside(path)
    try:
        write_stack(target, like.copy(data=mask.astype(np.uint8) * np.uint8(255)))
    except (DeepD3Error, OSError) as error:
        note(f"The volume of {path.name} was not stored beside it ({error})")


@verb("draw_dendrite_annotation")
def draw_dendrite_annotation(progress: Progress, *, image: Image, shape: list[int], drawn: DrawnLines,
                             swc: str | None = None) -> Reply:
    """Mask of lines that were drawn in planes, with their widths; also as a tracing, if a file for it is named."""
    from deepd3_ij.files.swc import write_swc

    like = grid(image, shape)
    tracing = tracing_of_lines(drawn, like)
    z_um, xy_um, _ = voxel_size_um(like)
    mask = draw_tracing(tracing, like.shape, xy_um=xy_um, z_um=z_um, progress=progress)
    if swc is not None:
        write_swc(swc, tracing, comment="Dendrites drawn as lines; positions and radii in um.")
    return _masked(mask, told=f"{len(drawn.lines)} drawn line{'' if len(drawn.lines) == 1 else 's'}")


def tracing_of_lines(drawn: DrawnLines, like: xr.DataArray) -> Tracing:
    """Lines as a tracing in µm.

    Parameters
    ----------
    drawn
        The lines.
    like
        The stack that they were drawn on.

    Raises
    ------
    AnnotationError
        There is no line, or one without points.
    """
    z_um, xy_um, _ = voxel_size_um(like)
    rows: list[tuple[float, float, float, float, int]] = []
    for plane, points, width_px in drawn.lines:
        for number, (x, y) in enumerate(points):
            rows.append(((x - 0.5) * xy_um, (y - 0.5) * xy_um, plane * z_um, width_px * xy_um / 2,
                         len(rows) if number else ROOT))
    if not rows:
        raise AnnotationError("No line was drawn; draw a segmented line along a dendrite and add it.")
    table = np.array(rows, np.float64)
    return Tracing(np.arange(1, len(rows) + 1), np.full(len(rows), 3), table[:, :3].copy(), table[:, 3].copy(),
                   table[:, 4].astype(np.int64))


@verb("read_spine_annotation")
def read_spine_annotation(progress: Progress, *, image: Image, shape: list[int], path: str | None = None,
                          rois: Outlines | None = None, outlines: Bytes | None = None) -> Reply:
    """Mask of the spines in a file, or of the ROI Manager's ROIs, each of which needs its plane."""
    from deepd3_ij.files.masks import read_spine_mask

    like = grid(image, shape)
    progress(0, 1, "Reading the spine annotation")
    mask, told = (read_spine_mask(path, like), "") if path is not None else _of_manager(rois, outlines, like)
    progress(1, 1, "Reading the spine annotation")
    return _masked(mask, told=told)


def _of_manager(rois: Outlines | None, outlines: npt.NDArray[np.uint8] | None, like: xr.DataArray
                ) -> tuple[npt.NDArray[np.bool_], str]:
    if rois is None or not rois.lengths:
        raise AnnotationError("The ROI Manager has no ROIs of this stack; outline spines on it and press T for each, "
                              "or choose a file.")
    without = rois.without_plane(outlines, like)
    if without:
        raise AnnotationError(f"{len(without)} of {len(rois.lengths)} ROIs have no plane (first: {without[0]}); they "
                              "would be spines in every plane. Go to the plane of each, select it in the ROI Manager "
                              "and press Update.")
    mask = np.asarray(rois.rois(outlines, like).labels.values > 0)
    if not mask.any():
        raise AnnotationError("The ROIs of the ROI Manager have no area inside of this stack; outline spines with an "
                              "area tool (oval, polygon, freehand).")
    return mask, f"{len(rois.lengths)} ROIs"


@verb("save_training_data")
def save_training_data(progress: Progress, *, image: Image, stack: Pixels, dendrite: Mask8, spine: Mask8, out: str,
                       ignored: Mask8 | None = None, choices: Choices = NOTHING_CHOSEN,
                       overwrite: bool = False) -> Reply:
    """Cut training data out of pixels and the masks that were shown, and write them."""
    from deepd3_ij.files.d3data import write_d3data
    from deepd3_ij.training.dataset import cut_training_data

    target = training_file(out, ".d3data")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists; replace it, or choose another name.")
    progress(0, 1, "Writing training data")
    data = cut_training_data(image.stack(stack), dendrite > 0, spine > 0,
                             choices.resolve(TrainingDataParameters).parameters, ignored=ignored)
    write_d3data(target, data)
    progress(1, 1, "Writing training data")
    return Reply({"file": str(target), "shape": list(data.stack.shape), "dendrite_voxels": int(data.dendrite.sum()),
                  "spine_voxels": int(data.spines.sum())})


@verb("use_corrections")
def use_corrections(progress: Progress, *, image: Image, stack: Pixels, dendrite: Map, spine: Map, out: str,
                    now_rois: Outlines, now_outlines: Bytes | None = None, shown_rois: Outlines | None = None,
                    shown_outlines: Bytes | None = None, excluded_rois: Outlines | None = None,
                    excluded_outlines: Bytes | None = None, confirmed: list[int] | None = None,
                    provenance: str = "{}", choices: Choices = NOTHING_CHOSEN, overwrite: bool = False) -> Reply:
    """Make training data of corrected ROIs: what a person saw counts; the dendrites are those of the prediction."""
    from deepd3_ij.files.d3data import NO_SPINE, cut_d3data, write_d3data
    from deepd3_ij.training.corrections import masks_of_corrections

    target = training_file(out, ".d3data")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists; allow replacing it, or choose another name.")
    progress(0, 1, "Making training data")
    prediction = image.prediction(dendrite, spine, provenance)
    now = now_rois.rois(now_outlines, prediction)
    before = shown_rois.rois(shown_outlines, prediction) if shown_rois is not None else None
    excluded = None
    if excluded_rois is not None and excluded_rois.lengths:
        excluded = excluded_rois.rois(excluded_outlines, prediction).labels.values > 0
    masks = masks_of_corrections(prediction, now, before, confirmed or [],
                                 choices.resolve(CorrectedDataParameters).parameters, excluded=excluded)
    data = cut_d3data(image.stack(stack), masks.dendrite, masks.spines, ignored=masks.ignored)
    write_d3data(target, data)
    progress(1, 1, "Making training data")
    return Reply({"file": str(target), "trusted": masks.trusted, "deleted": masks.deleted,
                  "counting": float(np.mean(masks.ignored & NO_SPINE == 0)),
                  "model": json.loads(provenance).get("model")})


add_dialog("Use as DeepD3 Training Data...", Section(CorrectedFileParameters), Section(OverwriteParameters),
           Section(CorrectedDataParameters, "What counts", ("trust",)))


def training_file(path: str, suffix: str) -> Path:
    """The file to write, with its suffix; its folder must exist or be made."""
    given = Path(path).expanduser()
    if not given.is_absolute():
        raise OutputError(f"{path} names no folder; choose the file to write with its folder.")
    check_output_folder(given.parent)
    return given if given.suffix.lower() == suffix else given.with_name(given.name + suffix)


def _masked(mask: npt.NDArray[np.bool_], **values: Any) -> Reply:
    from scipy.ndimage import label

    return Reply({"voxels": int(np.count_nonzero(mask)), "objects": int(label(mask, np.ones((3, 3, 3)))[1]), **values},
                 {"mask": mask.astype(np.uint8) * np.uint8(255)})
