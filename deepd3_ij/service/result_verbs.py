"""Verbs for tables and files: measure, analyze, export, save, load, batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.batch import BatchSettings, analyze_folder
from deepd3_ij.errors import FijiError, ParameterError
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, Results, endings_of, output_of, write_analysis, write_outputs
from deepd3_ij.parameters import BatchParameters, MeasureParameters
from deepd3_ij.progress import Progress
from deepd3_ij.service.exchange import (
    Image,
    Outlines,
    Reply,
    describe_image,
    grid,
    merged,
    prediction_reply,
    rois_reply,
    table_values,
)
from deepd3_ij.service.registry import NOTHING_CHOSEN, Bytes, Choices, Map, Pixels, verb
from deepd3_ij.stems import stem_of

EVERYTHING = "everything"
"""What is exported if all files of an analysis are wanted."""


@verb("measure")
def measure(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}", rois: Outlines,
            outlines: Bytes | None = None, stack: Pixels | None = None, stack_image: Image | None = None,
            choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Measure spines and dendrites."""
    from deepd3_ij.measurement import measure as measure_rois

    prediction = image.prediction(dendrite, spine, provenance)
    grey = None if stack is None else _on(prediction, (stack_image or image).stack(stack))
    return _tables_reply(measure_rois(rois.rois(outlines, prediction), prediction, grey,
                                      choices.typed.get(MeasureParameters), progress=progress))


@verb("analyze")
def analyze(progress: Progress, *, image: Image, stack: Pixels, model: str | None = None,
            choices: Choices = NOTHING_CHOSEN, folder: str | None = None, stem: str | None = None) -> Reply:
    """Segment, clean, build ROIs and measure; with a folder, write all files."""
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze as analyze_stack
    from deepd3_ij.pipeline import check_typed

    labelled = image.stack(stack)
    target = check_output_folder(folder) if folder else None
    check_typed(choices.typed)
    ledger = None if target is None else Ledger(target, _file_stem(stem or image.source or image.title))
    if ledger is not None:
        ledger.check(endings_of(USUAL))
    progress(0, 1, "Loading the model")
    loaded = load_model(model)
    analysis = analyze_stack(labelled, loaded, choices.typed, progress=progress)
    files = [] if ledger is None else write_analysis(analysis, ledger.folder, ledger.stem, ledger=ledger,
                                                     progress=progress)
    return merged(prediction_reply(analysis.prediction, model=loaded.name), rois_reply(analysis.rois),
                  _tables_reply(analysis.measurements), files=[str(path) for path in files])


@verb("export")
def export(progress: Progress, *, what: str, folder: str, stem: str, image: Image, dendrite: Map | None = None,
           spine: Map | None = None, provenance: str = "{}", rois: Outlines | None = None,
           outlines: Bytes | None = None, shape: list[int] | None = None, stack: Pixels | None = None,
           stack_image: Image | None = None, choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Write results into a folder: a kind of output, or ``everything``, which writes the files of an analysis."""
    from deepd3_ij.measurement import measure as measure_rois

    kinds = USUAL if what == EVERYTHING else (output_of(what).name,)
    needs = {name for kind in kinds for name in output_of(kind).needs}
    target, name = check_output_folder(folder), _file_stem(stem)
    prediction = None if dendrite is None or spine is None else image.prediction(dendrite, spine, provenance)
    like = prediction if prediction is not None else grid(image, shape or ())
    found = None if rois is None else rois.rois(outlines, like)
    grey = None if stack is None or prediction is None else _on(prediction, (stack_image or image).stack(stack))
    measurements = None
    if "measurements" in needs and prediction is not None and found is not None:
        measurements = measure_rois(found, prediction, grey, choices.typed.get(MeasureParameters), progress=progress)
    files = write_outputs(Results(grey, prediction, found, measurements), target, name, kinds, progress=progress)
    return Reply({"files": [str(path) for path in files]})


@verb("save")
def save(progress: Progress, *, path: str, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
         rois: Outlines | None = None, outlines: Bytes | None = None) -> Reply:
    """Write ``.prediction`` and, with ROIs, ``.rois``; `path` is either of them or an image beside them."""
    prediction = image.prediction(dendrite, spine, provenance)
    found = None if rois is None else rois.rois(outlines, prediction)
    files = write_outputs(Results(prediction=prediction, rois=found), check_output_folder(Path(path).parent),
                          stem_of(path), ("prediction_file",) if found is None else ("prediction_file", "rois_file"),
                          progress=progress)
    return Reply({"files": [str(file) for file in files]})


@verb("load")
def load(progress: Progress, *, path: str, image: Image | None = None, shape: list[int] | None = None,
         xy_um: float | None = None, z_um: float | None = None) -> Reply:
    """Read ``.prediction`` or ``.rois``; a given image supplies voxel size and shape."""
    from deepd3_ij.files.hdf5 import read_prediction, read_rois

    like = None if image is None or shape is None else grid(image, shape)
    progress(0, 1, "Reading")
    suffix = Path(path).suffix.lower()
    if suffix == ".prediction":
        return prediction_reply(read_prediction(path, like=like, xy_um=xy_um, z_um=z_um), kind="prediction")
    if suffix == ".rois":
        found = read_rois(path, like=like, xy_um=xy_um, z_um=z_um)
        return rois_reply(found, kind="rois", image=describe_image(found.labels), shape=list(found.labels.shape))
    raise FijiError(f"{path} is neither a .prediction nor a .rois file; accepted: these two.")


@verb("import_annotations")
def import_annotations(progress: Progress, *, path: str) -> Reply:
    """Read annotated positions from a CSV table: rows of plane, y and x, 0-based."""
    from deepd3_ij.files.point_tables import read_positions

    return Reply({}, {"positions": np.ascontiguousarray(read_positions(path).T)})


@verb("batch")
def batch(progress: Progress, *, source: str, target: str, model: str | None = None, xy_um: float | None = None,
          z_um: float | None = None, choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Analyze all stacks below a folder; one that fails does not stop the others."""
    which = choices.resolve(BatchParameters).parameters
    typed = {cls: values for cls, values in choices.typed.items() if cls is not BatchParameters}
    result = analyze_folder(source, target, model, BatchSettings(typed, xy_um=xy_um, z_um=z_um),
                            pattern=which.pattern, resume=not which.again, overwrite=which.overwrite,
                            progress=progress)
    return Reply({"done": [str(item.source) for item in result.done],
                  "skipped": [str(item.source) for item in result.skipped],
                  "failed": [[str(item.source), reason] for item, reason in result.failed],
                  "kept": [[str(item.source), reason] for item, reason in result.kept],
                  "passed_over": [[str(item.path), item.reason] for item in result.passed_over if item.notable]})


def _tables_reply(measurements: Any) -> Reply:
    spines, spine_values = table_values(measurements.spines)
    dendrites, dendrite_values = table_values(measurements.dendrites)
    return Reply({"spines": spines, "dendrites": dendrites},
                 {"spine_values": spine_values, "dendrite_values": dendrite_values})


def _on(prediction: xr.Dataset, stack: xr.DataArray) -> xr.DataArray:
    """The stack on the prediction's coordinates, if it has its shape (the measurement says it if not)."""
    same = stack.shape == prediction["spine"].shape
    return stack.assign_coords(prediction.coords) if same else stack


def _file_stem(name: str) -> str:
    """A title as the start of file names: no folder, no image suffix."""
    stem = stem_of(Path(name.replace("\\", "/")).name)
    if stem in ("", ".", ".."):
        raise ParameterError(f"{name!r} is no name for files; give the image a title.")
    return stem
