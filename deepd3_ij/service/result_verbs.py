"""Verbs for tables and files: measure, analyze, export, save, load, batch."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.batch import BatchSettings, RunOptions, analyze_folder
from deepd3_ij.errors import FijiError, OutputError, ParameterError
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, Results, endings_of, output_of, write_analysis, write_outputs
from deepd3_ij.parameters import BatchParameters, MeasureParameters, RegionParameters
from deepd3_ij.progress import MEASURING_SHARES, STEP_SHARES, WRITING_SHARES, Progress, in_steps
from deepd3_ij.service.by_hand import NOTHING_BY_HAND, ByHand, measured
from deepd3_ij.service.exchange import (
    Image,
    Outlines,
    Reply,
    built_reply,
    describe_image,
    grid,
    merged,
    prediction_reply,
    rois_reply,
    table_values,
    with_corrections,
)
from deepd3_ij.service.registry import NOTHING_CHOSEN, Bytes, Choices, Map, Pixels, verb
from deepd3_ij.stems import stem_of

EVERYTHING = "everything"
"""What is exported if all files of an analysis are wanted."""


@verb("measure")
def measure(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}", rois: Outlines,
            outlines: Bytes | None = None, stack: Pixels | None = None, stack_image: Image | None = None,
            choices: Choices = NOTHING_CHOSEN, by_hand: ByHand = NOTHING_BY_HAND) -> Reply:
    """Measure spines and dendrites; tells the spines in the order in which a person should look at them, too."""
    progress = in_steps(progress, MEASURING_SHARES)
    prediction = image.prediction(dendrite, spine, provenance)
    grey = None if stack is None else _on(prediction, (stack_image or image).stack(stack))
    tables = measured(rois.rois(outlines, prediction), prediction, grey, choices, by_hand, progress)
    return merged(_tables_reply(tables), doubtful=_doubtful(tables.spines))


@verb("spine_profile")
def spine_profile(progress: Progress, *, number: int, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
                  rois: Outlines, outlines: Bytes | None = None, stack: Pixels | None = None,
                  stack_image: Image | None = None, choices: Choices = NOTHING_CHOSEN,
                  by_hand: ByHand = NOTHING_BY_HAND) -> Reply:
    """Measure the light along a spine; tells the places of base, split, head and tip on it."""
    from deepd3_ij.measurement.profiles import spine_profile as profile_of

    progress = in_steps(progress, MEASURING_SHARES)
    prediction = image.prediction(dendrite, spine, provenance)
    grey = None if stack is None else _on(prediction, (stack_image or image).stack(stack))
    found = profile_of(rois.rois(outlines, prediction), number, prediction, grey, choices.typed.get(MeasureParameters),
                       by_hand.placed.get(number), progress)
    neck = found.neck
    marks = [("base", 0.0), ("split", neck.length_um), ("head", found.head_um), ("tip", found.tip_um)]
    summary = "head and neck cannot be told apart" if math.isnan(neck.length_um) else (
        f"neck {neck.length_um:.2f} um, split at the {neck.split}, contrast {neck.contrast:.2f}")
    return Reply({"marks": [[name, place] for name, place in marks if math.isfinite(place)], "summary": summary},
                 {"profile": np.stack([found.distance_um, found.light])})


@verb("analyze")
def analyze(progress: Progress, *, image: Image, stack: Pixels, model: str | None = None,
            choices: Choices = NOTHING_CHOSEN, folder: str | None = None, stem: str | None = None,
            overwrite: bool = False, region: str | None = None, shown_rois: Outlines | None = None,
            shown_outlines: Bytes | None = None, now_rois: Outlines | None = None,
            now_outlines: Bytes | None = None) -> Reply:
    """Segment, clean, build ROIs and measure; with a folder, write all files.

    `region`: the box that alone is segmented, ``x,y,width,height`` in pixels.

    With ROIs that were shown and those there are now, corrections are kept.
    """
    from deepd3_ij.measurement import measure as measure_rois
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze as analyze_stack
    from deepd3_ij.pipeline import check_typed

    labelled = image.stack(stack)
    target = check_output_folder(folder) if folder else None
    check_typed(choices.typed)
    box = RegionParameters(region).box()
    ledger = None if target is None else _ledger(target, stem or image.source or image.title, USUAL, overwrite)
    progress = in_steps(progress, STEP_SHARES)
    progress(0, 1, "Loading the model")
    loaded = load_model(model)
    analysis = analyze_stack(labelled, loaded, choices.typed, region=box, progress=progress)
    corrected = with_corrections(analysis.rois, analysis.prediction, (shown_rois, shown_outlines),
                                 (now_rois, now_outlines))
    if corrected is not None:
        tables = measure_rois(corrected[0], analysis.prediction, labelled, choices.typed.get(MeasureParameters),
                              progress)
        analysis = replace(analysis, rois=corrected[0], measurements=tables)
    files = [] if ledger is None else write_analysis(analysis, ledger.folder, ledger.stem, ledger=ledger,
                                                     progress=progress)
    return merged(prediction_reply(analysis.prediction, model=loaded.name), built_reply(analysis.rois, corrected),
                  _tables_reply(analysis.measurements), files=[str(path) for path in files])


@verb("export")
def export(progress: Progress, *, what: str, folder: str, stem: str, image: Image, dendrite: Map | None = None,
           spine: Map | None = None, provenance: str = "{}", rois: Outlines | None = None,
           outlines: Bytes | None = None, shape: list[int] | None = None, stack: Pixels | None = None,
           stack_image: Image | None = None, choices: Choices = NOTHING_CHOSEN, overwrite: bool = False,
           by_hand: ByHand = NOTHING_BY_HAND) -> Reply:
    """Write results into a folder: a kind of output, or ``everything``, which writes the files of an analysis."""
    progress = in_steps(progress, {**MEASURING_SHARES, **WRITING_SHARES})
    kinds = _kinds(what)
    needs = {name for kind in kinds for name in output_of(kind).needs}
    ledger = _ledger(check_output_folder(folder), stem, kinds, overwrite)
    prediction = None if dendrite is None or spine is None else image.prediction(dendrite, spine, provenance)
    like = prediction if prediction is not None else grid(image, shape or ())
    found = None if rois is None else rois.rois(outlines, like)
    grey = None if stack is None or prediction is None else _on(prediction, (stack_image or image).stack(stack))
    measurements = None
    if "measurements" in needs and prediction is not None and found is not None:
        measurements = measured(found, prediction, grey, choices, by_hand, progress)
    files = write_outputs(Results(grey, prediction, found, measurements), ledger.folder, ledger.stem, kinds,
                          ledger=ledger, progress=progress)
    return Reply({"files": [str(path) for path in files]})


@verb("existing_files")
def existing_files(progress: Progress, *, what: list[str], folder: str, stem: str) -> Reply:
    """Which files an export of these kinds (or ``everything``) would replace."""
    name = _file_stem(stem)
    paths = [Path(folder) / f"{name}{ending}" for kind in what for ending in endings_of(_kinds(kind))]
    return Reply({"files": [str(path) for path in paths if path.exists()]})


@verb("save")
def save(progress: Progress, *, folder: str, stem: str, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
         rois: Outlines | None = None, outlines: Bytes | None = None, overwrite: bool = False) -> Reply:
    """Write ``.prediction`` and, with ROIs, ``.rois``."""
    prediction = image.prediction(dendrite, spine, provenance)
    found = None if rois is None else rois.rois(outlines, prediction)
    kinds = ("prediction_file",) if found is None else ("prediction_file", "rois_file")
    ledger = _ledger(check_output_folder(folder), stem, kinds, overwrite)
    files = write_outputs(Results(prediction=prediction, rois=found), ledger.folder, ledger.stem, kinds,
                          ledger=ledger, progress=progress)
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
                            pattern=which.pattern, table=which.table, resume=not which.again,
                            overwrite=which.overwrite, progress=progress,
                            options=RunOptions(which.workers, take_over=which.take_over))
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


def _doubtful(spines: pd.DataFrame) -> list[int]:
    """Numbers of spines, the most doubtful first; without a calibrated confidence, by the spine map."""
    from deepd3_ij.measurement.confidence import doubtful_first

    known = "confidence" if spines["confidence"].notna().any() else "max_probability"
    return [int(spine) for spine in spines["id"].to_numpy()[doubtful_first(spines[known])]]


def _on(prediction: xr.Dataset, stack: xr.DataArray) -> xr.DataArray:
    """The stack on the prediction's coordinates, if it has its shape (the measurement says it if not)."""
    same = stack.shape == prediction["spine"].shape
    return stack.assign_coords(prediction.coords) if same else stack


def _kinds(what: str) -> tuple[str, ...]:
    return USUAL if what == EVERYTHING else (output_of(what).name,)


def _ledger(folder: Path, name: str, kinds: tuple[str, ...], overwrite: bool) -> Ledger:
    """Record of the files of an image in a folder, after a check that none is there that must not be replaced."""
    ledger = Ledger(folder, _file_stem(name), overwrite)
    endings = endings_of(kinds)
    there = [path for path in (folder / f"{ledger.stem}{ending}" for ending in endings) if path.exists()]
    if there and not overwrite:
        raise OutputError(f"{there[0]} is there already; choose another folder, or tick 'Replace files' (in a macro: "
                          "overwrite=true).")
    ledger.check(endings)
    return ledger


def _file_stem(name: str) -> str:
    """A title as the start of file names: no folder, no image suffix."""
    stem = stem_of(Path(name.replace("\\", "/")).name)
    if stem in ("", ".", ".."):
        raise ParameterError(f"{name!r} is no name for files; give the image a title.")
    return stem
