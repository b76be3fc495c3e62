"""The one list of what a result can be written as: kind → writer, with provenance, for every interface.

A new kind of output is one entry of ``OUTPUTS``; the command line's options, the export commands in Fiji's menus, the
windows and the batch follow it. Importing it loads no library of a format.
"""

from __future__ import annotations

import json
import math
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepd3_ij.atomic import replacing_together
from deepd3_ij.errors import Cancelled, OutputError, ParameterError, one_line, remedy
from deepd3_ij.names import LABELS, ROLE
from deepd3_ij.progress import Progress, no_progress

if TYPE_CHECKING:
    import xarray as xr

    from deepd3_ij.measurement import Measurements
    from deepd3_ij.outputs.ledger import Ledger
    from deepd3_ij.pipeline import Analysis
    from deepd3_ij.rois import RoiSet

Approval = Callable[[Sequence[Path]], None]


@dataclass(frozen=True)
class Results:
    """What there is to write; None for what there is not.

    Attributes
    ----------
    stack
        The stack, ``(z, y, x)``.
    prediction
        Dendrite and spine probability.
    rois
        Spine ROIs.
    measurements
        Tables and centre lines.
    """

    stack: xr.DataArray | None = None
    prediction: xr.Dataset | None = None
    rois: RoiSet | None = None
    measurements: Measurements | None = None


_MISSING = {
    "stack": "the stack that was segmented, which is not there; open it",
    "prediction": "a prediction, and there is none; segment the stack",
    "rois": "ROIs, and there are none; build them",
    "measurements": "tables, and there are none; measure the ROIs",
}


@dataclass(frozen=True)
class Output:
    """A kind of output.

    Attributes
    ----------
    name
        How callers name it.
    title
        What menus call it.
    help
        One sentence for help texts and docs.
    needs
        Fields of :class:`Results` that it is made of.
    endings
        What follows the stem in the names of its files.
    write
        Writes it into a folder, under a stem; the files have the endings in their order.
    usual
        An analysis writes it without being asked.
    option
        Command-line option that adds it to what is usual; empty for what is usual.
    instead_of
        Output whose place it takes.
    choice
        Option and the value of it that means this kind; both empty if there is none.
    is_folder
        It is one folder, which its writer replaces as a whole; the writer also gets what approves of that, or None.
    is_optional
        An analysis is complete without it: if it cannot be made, a warning tells why.
    """

    name: str
    title: str
    help: str
    needs: tuple[str, ...]
    endings: tuple[str, ...]
    write: Callable[..., object]
    usual: bool = False
    option: str = ""
    instead_of: str = ""
    is_folder: bool = False
    is_optional: bool = False
    choice: tuple[str, str] = ("", "")


def write_roi_map(path: Path, rois: RoiSet, *, binary: bool = False) -> None:
    """Write a ROI map with its provenance: one number per ROI, or, binary, 255 inside of ROIs and 0 elsewhere."""
    import numpy as np

    from deepd3_ij.files.tiff import write_stack

    text = json.dumps(dict(rois.provenance), sort_keys=True, default=str) if rois.provenance else None
    attrs = {**rois.labels.attrs, **({"provenance": text} if text else {})}
    if binary:
        mask = (rois.labels > 0).astype(np.uint8) * np.uint8(255)
        write_stack(path, mask.assign_attrs(attrs), display_range=(0, 255), properties={ROLE: LABELS})
    else:
        write_stack(path, rois.labels.assign_attrs(attrs), properties={ROLE: LABELS})


def _maps(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.tiff import write_prediction_maps

    assert results.prediction is not None
    write_prediction_maps(folder, stem, results.prediction)


def _maps_8bit(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.tiff import write_prediction_maps

    assert results.prediction is not None
    write_prediction_maps(folder, stem, results.prediction, eight_bit=True)


def _prediction_file(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.hdf5 import write_prediction

    assert results.prediction is not None
    write_prediction(folder / f"{stem}.prediction", results.prediction)


def _roi_map(results: Results, folder: Path, stem: str) -> None:
    assert results.rois is not None
    write_roi_map(folder / f"{stem}_roi_map.tif", results.rois)


def _roi_map_binary(results: Results, folder: Path, stem: str) -> None:
    assert results.rois is not None
    write_roi_map(folder / f"{stem}_roi_map_binary.tif", results.rois, binary=True)


def _roi_zip(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.roi_zip import write_roi_zip

    assert results.rois is not None
    write_roi_zip(folder / f"{stem}_rois.zip", results.rois)


def _roi_zip_by_confidence(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.roi_zip import write_roi_zip
    from deepd3_ij.outputs.overview import confidence_colours

    assert results.rois is not None
    assert results.measurements is not None
    write_roi_zip(folder / f"{stem}_rois.zip", results.rois, colour_of=confidence_colours(results.measurements))


def _roi_folder(results: Results, folder: Path, stem: str, approve: Approval | None) -> None:
    from deepd3_ij.files.contour_folder import write_contour_folder

    assert results.rois is not None
    write_contour_folder(folder, stem, results.rois, approve=approve)


def _centroids(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.tables import write_centroids

    assert results.rois is not None
    write_centroids(folder / f"{stem}_centroids.csv", results.rois)


def _rois_file(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.hdf5 import write_rois

    assert results.rois is not None
    table = None if results.measurements is None else results.measurements.spines
    write_rois(folder / f"{stem}.rois", results.rois, table)


def _tables(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.tables import write_table

    assert results.measurements is not None
    write_table(folder / f"{stem}_spines.csv", results.measurements.spines)
    write_table(folder / f"{stem}_dendrites.csv", results.measurements.dendrites)


def _traces(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.swc import write_swc

    assert results.measurements is not None
    write_swc(folder / f"{stem}_dendrites.swc", results.measurements.tracing,
              comment="centre lines of dendrites; x, y, z and radius in µm")


def _spine_traces(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.files.swc import write_swc
    from deepd3_ij.measurement.spine_traces import NEEDED, SPINE_TYPE, with_spines

    assert results.measurements is not None
    if not set(NEEDED) <= set(results.measurements.spines):
        raise OutputError("The spines have no bases and tips, which their traces need; measure them with their shapes "
                          f"({remedy('--shapes', 'Shapes of spines')}).")
    traces = with_spines(results.measurements.tracing, results.measurements.spines)
    ids = textwrap.wrap(f"{len(traces.drawn)} spines, ids in their order: {' '.join(map(str, traces.drawn))}", 100)
    write_swc(folder / f"{stem}_spines.swc", traces.tracing, comment="\n".join((
        "centre lines of dendrites (type 3) with their spines; x, y, z and radius in µm",
        f"type {SPINE_TYPE} (custom): dendritic spine, two nodes each: base on the shaft's surface, tip",
        "radius 0: not known", f"{len(traces.left_out)} spines without base, tip or dendrite are left out", *ids)))


def _report(results: Results, folder: Path, stem: str) -> None:
    from deepd3_ij.outputs.report_page import draw_report

    assert results.stack is not None
    assert results.prediction is not None
    assert results.rois is not None
    assert results.measurements is not None
    draw_report(folder / f"{stem}_report.pdf", results.stack, results.prediction, results.rois, results.measurements)


def _overview(results: Results, folder: Path, stem: str, *, by_confidence: bool = False) -> None:
    from deepd3_ij.outputs.overview import draw_overview

    assert results.stack is not None
    assert results.prediction is not None
    assert results.rois is not None
    draw_overview(folder / f"{stem}_overview.png", results.stack, results.prediction, results.rois,
                  results.measurements, by_confidence=by_confidence)


def _ome_zarr(results: Results, folder: Path, stem: str, approve: Approval | None, *, version: str) -> None:
    from deepd3_ij.files.ome_zarr_writing import write_ome_zarr

    assert results.prediction is not None
    found = None if results.measurements is None else results.measurements.found
    origin = None if results.stack is None else results.stack.attrs.get("origin_um")
    write_ome_zarr(
        folder / f"{stem}.ome.zarr", results.prediction, results.rois, None if found is None else found.labels_in,
        spine_table=None if results.measurements is None else results.measurements.spines,
        dendrite_table=None if results.measurements is None else results.measurements.dendrites,
        origin_um=origin, version=version, approve=approve)


OUTPUTS: dict[str, Output] = {output.name: output for output in (
    Output("maps", "Predictions", "Probability maps as 32-bit TIFF.", ("prediction",),
           ("_dendrites.tif", "_spines.tif"), _maps, usual=True),
    Output("maps_8bit", "Predictions (8 bit)", "Write the probability maps with 8 bit (0-255).", ("prediction",),
           ("_dendrites.tif", "_spines.tif"), _maps_8bit, option="--eight-bit", instead_of="maps"),
    Output("prediction_file", "Prediction (HDF5)", "Probability maps as .prediction, which the original opens.",
           ("prediction",), (".prediction",), _prediction_file, usual=True),
    Output("roi_map", "ROI Map", "Label image, one number per spine.", ("rois",), ("_roi_map.tif",), _roi_map,
           usual=True),
    Output("roi_zip", "ROIs to Zip", "ROIs for ImageJ's ROI Manager.", ("rois",), ("_rois.zip",), _roi_zip, usual=True),
    Output("roi_zip_by_confidence", "ROIs to Zip (by confidence)", "Colour the ROIs of the zip by their confidence.",
           ("rois", "measurements"), ("_rois.zip",), _roi_zip_by_confidence, option="--roi-colours-by-confidence",
           instead_of="roi_zip"),
    Output("roi_map_binary", "ROI Map (binary)", "Also the ROI map as a binary image (0/255).", ("rois",),
           ("_roi_map_binary.tif",), _roi_map_binary, option="--binary-roi-map"),
    Output("centroids", "Centroids", "Also the ROI centroids as CSV.", ("rois",), ("_centroids.csv",), _centroids,
           option="--centroids"),
    Output("rois_file", "ROIs (HDF5)", "ROIs as .rois, which the original opens.", ("rois",), (".rois",), _rois_file,
           usual=True),
    Output("tables", "Tables", "Tables of spines and dendrites as CSV.", ("measurements",),
           ("_spines.csv", "_dendrites.csv"), _tables, usual=True),
    Output("traces", "Dendrite Traces", "Also the centre lines of the dendrites as SWC, for SNT.", ("measurements",),
           ("_dendrites.swc",), _traces, option="--traces"),
    Output("spine_traces", "Spine Traces", "Also the spines as twigs of the dendrites' centre lines as SWC.",
           ("measurements",), ("_spines.swc",), _spine_traces, option="--spine-traces"),
    Output("overview", "Overview", "A picture of the stack and what was found.",
           ("stack", "prediction", "rois", "measurements"), ("_overview.png",), _overview, usual=True,
           is_optional=True),
    Output("overview_by_confidence", "Overview (by confidence)", "Colour the outlines of the overview by confidence.",
           ("stack", "prediction", "rois", "measurements"), ("_overview.png",),
           partial(_overview, by_confidence=True), option="--overview-by-confidence", instead_of="overview",
           is_optional=True),
    Output("report", "Report", "Also a page with the overview and how densities, lengths and sizes are distributed.",
           ("stack", "prediction", "rois", "measurements"), ("_report.pdf",), _report, option="--report",
           is_optional=True),
    Output("roi_folder", "ROIs to Folder", "Also a folder of outlines as CSV.", ("rois",), ("",), _roi_folder,
           option="--roi-folder", is_folder=True),
    Output("ome_zarr", "OME-Zarr", "Also probability maps and labels of spines and dendrites as OME-Zarr 0.4.",
           ("prediction",), (".ome.zarr",), partial(_ome_zarr, version="0.4"), option="--ome-zarr", is_folder=True,
           choice=("--ome-zarr-version", "0.4")),
    Output("ome_zarr_05", "OME-Zarr 0.5", "Write OME-Zarr in version 0.5, with shards.", ("prediction",),
           (".ome.zarr",), partial(_ome_zarr, version="0.5"), instead_of="ome_zarr", is_folder=True,
           choice=("--ome-zarr-version", "0.5")),
)}
"""All kinds by name, in the order in which they are written."""

USUAL = tuple(output.name for output in OUTPUTS.values() if output.usual)


def with_extras(names: Iterable[str], base: Iterable[str] = USUAL) -> tuple[str, ...]:
    """What is usual and further kinds, in the order of the list; some take the place of a usual one."""
    extra = [output_of(name) for name in names]
    chosen = {*base, *(output.name for output in extra)} - {output.instead_of for output in extra}
    return tuple(name for name in OUTPUTS if name in chosen)


def output_of(name: str) -> Output:
    """The kind of a name.

    Raises
    ------
    ParameterError
        There is no such kind.
    """
    if name not in OUTPUTS:
        raise ParameterError(f"There is no output {name!r}; accepted: {', '.join(OUTPUTS)}.")
    return OUTPUTS[name]


def endings_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """What follows the stem in the names of the files of some kinds."""
    return tuple(ending for name in kinds for ending in output_of(name).endings)


def needed_bytes(stack: xr.DataArray, kinds: Iterable[str] = USUAL) -> int:
    """Room that the images of an analysis take at least: two maps and the ROI map."""
    per_voxel = {"maps": 8, "maps_8bit": 2, "roi_map": 2, "roi_map_binary": 1}
    return math.prod(stack.shape) * sum(per_voxel.get(name, 0) for name in kinds)


def write_analysis(analysis: Analysis, folder: Path, stem: str, kinds: Iterable[str] = USUAL, *,
                   ledger: Ledger | None = None, progress: Progress = no_progress) -> list[Path]:
    """Write an analysis, which has all that any kind needs; see :func:`write_outputs`."""
    results = Results(analysis.stack, analysis.prediction, analysis.rois, analysis.measurements)
    return write_outputs(results, folder, stem, kinds, ledger=ledger, progress=progress)


def write_outputs(results: Results, folder: Path, stem: str, kinds: Iterable[str] = USUAL, *,
                  ledger: Ledger | None = None, progress: Progress = no_progress) -> list[Path]:
    """Write results; files that are there are replaced when all new ones are complete.

    Parameters
    ----------
    results
        What there is to write.
    folder
        Existing folder.
    stem
        Start of every file name.
    kinds
        Names of ``OUTPUTS``.
    ledger
        Notes what is written, and keeps what somebody changed; without it, whatever is there is replaced.
    progress
        Receives progress over the kinds.

    Returns
    -------
    list of pathlib.Path
        The files, in the order of `kinds`; folders at the end. What is optional and could not be made is not among
        them, nor is an older one of it left.

    Raises
    ------
    OutputError
        Something that a kind needs is missing, or a file cannot be written.
    ParameterError
        There is no such kind.
    """
    chosen = [output_of(name) for name in kinds]
    for output in chosen:
        for name in output.needs:
            if getattr(results, name) is None:
                raise OutputError(f"{output.title} needs {_MISSING[name]} first.")
    chosen.sort(key=lambda output: output.is_folder)
    files: list[Path] = []
    stale: list[Path] = []
    approve = None if ledger is None else ledger.approve
    with replacing_together(folder, approve) as place:
        for done, output in enumerate(chosen):
            progress(done, len(chosen), "Write results")
            targets = [folder / f"{stem}{ending}" for ending in output.endings]
            if output.is_folder:
                output.write(results, folder, stem, approve)
            elif not output.is_optional:
                output.write(results, place, stem)
            elif not _is_made(output, results, place, stem):
                stale += targets
                continue
            files += targets
    for path in stale:
        path.unlink(missing_ok=True)  # it shows older results
    progress(len(chosen), len(chosen), "Write results")
    return files


def _is_made(output: Output, results: Results, place: Path, stem: str) -> bool:
    """Make something that is optional; what hinders that must not cost the results."""
    try:
        output.write(results, place, stem)
    except Cancelled:
        raise
    except Exception as error:  # fonts, drawing libraries, a disk that is almost full
        warnings.warn(f"{output.title} of {stem} was not made ({type(error).__name__}: {one_line(error, 200)}); the "
                      "other results are complete.", stacklevel=2)
        return False
    return True
