"""The verbs: what Fiji's scripts can ask for, step by step.

Each function has typed arguments, which :mod:`deepd3_ij.service.verbs` checks and fills from a request.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

import deepd3_ij
from deepd3_ij.atomic import check_output_folder
from deepd3_ij.batch import BatchSettings, analyze_folder
from deepd3_ij.errors import FijiError, ParameterError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.outputs.analysis_files import (
    write_analysis,
    write_binary_roi_map,
    write_measurements,
)
from deepd3_ij.parallel import available_threads
from deepd3_ij.parameters import (
    CleaningParameters,
    EvaluationParameters,
    MeasureParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    SeriesParameters,
    SimulationParameters,
    TrainingDataParameters,
    TrainingParameters,
    describe,
)
from deepd3_ij.progress import Progress
from deepd3_ij.rois.roiset import RoiSet
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
from deepd3_ij.stack import label_prediction, voxel_size_um
from deepd3_ij.stems import stem_of

P = TypeVar("P", bound=Parameters)

PARAMETER_CLASSES: dict[str, type[Parameters]] = {
    cls.__name__: cls for cls in (PredictionParameters, CleaningParameters, Roi2DParameters, Roi3DParameters,
                                  MeasureParameters, EvaluationParameters, SeriesParameters, SimulationParameters,
                                  TrainingDataParameters, TrainingParameters)}
EXPORTS = ("predictions", "roi_zip", "roi_folder", "roi_map", "centroids", "tables", "everything")


@dataclasses.dataclass(frozen=True)
class Kind:
    """Accepted types and dimensions of an array in a request."""

    dtypes: tuple[str, ...]
    dimensions: int


Pixels = Annotated[npt.NDArray[Any], Kind(("uint8", "uint16", "float32"), 3)]
Map = Annotated[npt.NDArray[np.float32], Kind(("float32",), 3)]
Bytes = Annotated[npt.NDArray[np.uint8], Kind(("uint8",), 1)]
Anything = Annotated[npt.NDArray[Any], Kind(("uint8", "uint16", "int32", "float32", "float64"), 3)]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Parameters of an operation as the user chose them.

    Attributes
    ----------
    typed
        What the user really gave, by name.
    recommended
        Recommendations of the model's card (``ModelCard.recommended``), which fill what is not typed.
    """

    typed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recommended: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Choice:
        """Read the choice that a script sent."""
        unknown = sorted(set(values) - {"typed", "recommended"})
        if unknown or not all(isinstance(part, Mapping) for part in values.values()):
            raise ParameterError(f"Parameters are given as {sorted(values)}; accepted: the tables 'typed' and "
                                 "'recommended'.")
        return cls(**values)

    def resolve(self, kind: type[P], size_um: tuple[float, float, float]) -> P:
        """The user's values, then the model's, then the defaults."""
        from deepd3_ij.model.card import ModelCard

        return ModelCard(recommended=dict(self.recommended)).resolve(kind, self.typed, size_um)


NOTHING_TYPED = Choice()


# About the service


def echo(progress: Progress, *, arrays: Anything | None = None, text: str = "", as_bytes: bool = False) -> Reply:
    """Give back what was sent, or its bytes, which do not fit into the place of the input; tests the transport."""
    if arrays is None:
        return Reply({"text": text})
    return Reply({"text": text}, {"arrays": arrays.view(np.uint8) if as_bytes else arrays})


def about(progress: Progress) -> Reply:
    """Versions and places."""
    return Reply({"version": deepd3_ij.__version__, "python": platform.python_version(), "executable": sys.executable,
                  "package": str(Path(deepd3_ij.__file__).parent), "threads": available_threads(),
                  "tensorflow_loaded": "tensorflow" in sys.modules})


def health(progress: Progress, *, model: str | None = None) -> Reply:
    """Load a model and predict a small plane."""
    from deepd3_ij.model import load_model

    progress(0, 2, "Loading the model")
    loaded = load_model(model)
    progress(1, 2, "Predicting a small plane")
    side = loaded.fixed_shape or (64, 64)
    dendrite, _ = loaded.predict_batch(np.zeros((1, *side), np.float32))
    if not np.isfinite(dendrite).all():
        raise FijiError(f"The model {loaded.name} computes no numbers here; reinstall TensorFlow.")
    progress(2, 2, "Done")
    return merged(about(progress), model=loaded.name)


def parameters(progress: Progress, *, kind: str) -> Reply:
    """Names, defaults, ranges, units and texts of the parameters of an operation."""
    cls = PARAMETER_CLASSES.get(kind)
    if cls is None:
        raise ParameterError(f"There are no parameters {kind!r}; accepted: {', '.join(PARAMETER_CLASSES)}.")
    return Reply({"parameters": [
        {"name": info.name, "type": info.type.__name__, "optional": info.optional, "default": info.default,
         "low": info.low, "high": info.high, "unit": info.unit, "choices": list(info.choices), "label": info.label,
         "help": info.help} for info in describe(cls)]})


def models(progress: Progress) -> Reply:
    """Models that can be named."""
    from deepd3_ij.model.zoo import available, models_folder

    return Reply({"folder": str(models_folder()), "models": [
        {"name": entry.name, "origin": entry.origin, "path": str(entry.path) if entry.path else None,
         "description": entry.about()} for entry in available()]})


def get_model(progress: Progress, *, name: str) -> Reply:
    """Download a model of the Zoo."""
    from deepd3_ij.model.zoo import download

    return Reply({"path": str(download(name, progress=progress))})


# Stacks


def open_image(progress: Progress, *, path: str, xy_um: float | None = None, z_um: float | None = None,
               channel: int | None = None, frame: int | None = None) -> Reply:
    """Read an image file (channel and frame 0-based)."""
    progress(0, 1, "Reading the stack")
    stack = open_stack(path, xy_um=xy_um, z_um=z_um, channel=channel, frame=frame)
    progress(1, 1, "Reading the stack")
    beside = Path(path).with_name(stem_of(path))
    saved = [str(file) for suffix in (".prediction", ".rois")
             if (file := beside.with_name(beside.name + suffix)).is_file()]
    pixels, signed = stack.values, False
    if pixels.dtype == np.int16:
        pixels, signed = pixels.view(np.uint16) ^ np.uint16(32768), True
    elif pixels.dtype not in (np.uint8, np.uint16, np.float32):
        pixels = pixels.astype(np.float32)
    return Reply({"image": describe_image(stack), "signed": signed, "saved": saved}, {"stack": pixels})


def segment(progress: Progress, *, image: Image, stack: Pixels, model: str | None = None,
            choice: Choice = NOTHING_TYPED, first_plane: int = 1, last_plane: int | None = None) -> Reply:
    """Predict dendrites and spines in a stack (planes as a Fiji user counts them, from 1, last one included)."""
    from deepd3_ij.model import load_model
    from deepd3_ij.segmentation import predict

    labelled = image.stack(stack)
    progress(0, 1, "Loading the model")
    loaded = load_model(model)
    chosen = loaded.card.resolve(PredictionParameters, choice.typed, voxel_size_um(labelled))
    prediction = predict(labelled, loaded, chosen, z_range=_z_range(first_plane, last_plane, labelled),
                         progress=progress)
    return prediction_reply(prediction, model=loaded.name, recommended=loaded.card.recommended)


def clean(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
          choice: Choice = NOTHING_TYPED) -> Reply:
    """Clean a prediction."""
    from deepd3_ij.cleaning import clean as clean_prediction

    prediction = image.prediction(dendrite, spine, provenance)
    chosen = choice.resolve(CleaningParameters, voxel_size_um(prediction))
    return prediction_reply(clean_prediction(prediction, chosen, progress))


# ROIs


def build_rois_2d(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
                  choice: Choice = NOTHING_TYPED) -> Reply:
    """Build 2-D ROIs plane by plane."""
    from deepd3_ij.rois import build_rois_2d as build

    prediction = image.prediction(dendrite, spine, provenance)
    return rois_reply(build(prediction, choice.resolve(Roi2DParameters, voxel_size_um(prediction)), progress))


def build_rois_3d(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
                  choice: Choice = NOTHING_TYPED) -> Reply:
    """Build 3-D ROIs."""
    from deepd3_ij.rois import build_rois_3d as build

    prediction = image.prediction(dendrite, spine, provenance)
    return rois_reply(build(prediction, choice.resolve(Roi3DParameters, voxel_size_um(prediction)), progress))


def try_rois(progress: Progress, *, image: Image, spine: Map | None = None, grey: Pixels | None = None,
             display_range: list[float] | None = None, choice: Choice = NOTHING_TYPED) -> Reply:
    """Build 3-D ROIs on a crop of a spine map, or of grey levels of which a range counts as 0 to 1.

    Outlines are relative to the crop.
    """
    from deepd3_ij.rois import build_rois_3d as build

    if grey is not None and display_range is not None and len(display_range) == 2:
        low, high = display_range
        spine = np.clip((grey.astype(np.float32) - low) / max(high - low, 1e-9), 0, 1, dtype=np.float32)
    if spine is None:
        raise FijiError("There is neither a spine map nor grey levels with their display range; install the scripts "
                        "again: deepd3-ij install-fiji.")
    like = image.stack(spine)
    prediction = label_prediction(np.zeros_like(spine), spine, like, {})
    return rois_reply(build(prediction, choice.resolve(Roi3DParameters, voxel_size_um(like))))


def label_volume(progress: Progress, *, image: Image, shape: list[int], rois: Outlines,
                 outlines: Bytes | None = None) -> Reply:
    """Labels of the ROIs as they are in ImageJ now."""
    found = _rois(rois, outlines, grid(image, shape))
    pixels = found.labels.values
    narrow = found.ids.max(initial=0) < 2**16
    return Reply({"image": describe_image(found.labels), "count": len(found)},
                 {"labels": pixels.astype(np.uint16 if narrow else np.float32)})


# Tables and files


def measure(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}", rois: Outlines,
            outlines: Bytes | None = None, stack: Pixels | None = None, stack_image: Image | None = None,
            choice: Choice = NOTHING_TYPED) -> Reply:
    """Measure spines and dendrites."""
    from deepd3_ij.measurement import measure as measure_rois

    prediction = image.prediction(dendrite, spine, provenance)
    chosen = choice.resolve(MeasureParameters, voxel_size_um(prediction))
    grey = None if stack is None else _on(prediction, (stack_image or image).stack(stack))
    measurements = measure_rois(_rois(rois, outlines, prediction), prediction, grey, chosen, progress=progress)
    return _tables_reply(measurements)


def analyze(progress: Progress, *, image: Image, stack: Pixels, model: str | None = None, cleaning: bool = True,
            prediction_choice: Choice = NOTHING_TYPED, cleaning_choice: Choice = NOTHING_TYPED,
            roi_choice: Choice = NOTHING_TYPED, measure_choice: Choice = NOTHING_TYPED, roi_dimensions: int = 3,
            folder: str | None = None, stem: str | None = None) -> Reply:
    """Segment, clean, build ROIs and measure; with a folder, write all files."""
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze_as_typed

    labelled = image.stack(stack)
    target = check_output_folder(folder) if folder else None
    typed = _typed(prediction_choice, cleaning_choice, roi_choice, measure_choice, roi_dimensions)
    progress(0, 1, "Loading the model")
    loaded = load_model(model)
    analysis = analyze_as_typed(labelled, loaded, typed, cleaning=cleaning, progress=progress)
    files = [] if target is None else write_analysis(analysis, target, _file_stem(stem or image.source or image.title),
                                                     progress=progress)
    return merged(prediction_reply(analysis.prediction, model=loaded.name, recommended=loaded.card.recommended),
                  rois_reply(analysis.rois), _tables_reply(analysis.measurements),
                  files=[str(path) for path in files])


def export(progress: Progress, *, what: str, folder: str, stem: str, image: Image, dendrite: Map | None = None,
           spine: Map | None = None, provenance: str = "{}", rois: Outlines | None = None,
           outlines: Bytes | None = None, shape: list[int] | None = None, stack: Pixels | None = None,
           stack_image: Image | None = None, binary: bool = False, eight_bit: bool = False,
           choice: Choice = NOTHING_TYPED) -> Reply:
    """Write results into a folder; ``everything`` writes the files of an analysis."""
    from deepd3_ij.files.contour_folder import write_contour_folder
    from deepd3_ij.files.roi_zip import write_roi_zip
    from deepd3_ij.files.tables import write_centroids
    from deepd3_ij.files.tiff import write_prediction_maps, write_stack

    if what not in EXPORTS:
        raise ParameterError(f"what is {what!r}; accepted: {', '.join(EXPORTS)}.")
    target, name = check_output_folder(folder), _file_stem(stem)
    progress(0, 1, "Writing")
    prediction = None if dendrite is None or spine is None else image.prediction(dendrite, spine, provenance)
    if what == "predictions":
        files = list(write_prediction_maps(target, name, _needed(prediction), eight_bit=eight_bit))
    elif what in ("tables", "everything"):
        files = _export_measured(what, target, name, _needed(prediction), rois, outlines, stack, stack_image or image,
                                 choice, progress)
    else:
        like = prediction if prediction is not None else grid(image, shape or ())
        found = _rois(_needed_rois(rois), outlines, like)
        if what == "roi_folder":
            files = [write_contour_folder(target, name, found)]
        else:
            suffix = {"roi_zip": "_rois.zip", "roi_map": "_roi_map.tif", "centroids": "_centroids.csv"}[what]
            files = [target / (name + suffix)]
            if what == "roi_zip":
                write_roi_zip(files[0], found)
            elif what == "centroids":
                write_centroids(files[0], found)
            elif binary:
                write_binary_roi_map(files[0], found)
            else:
                write_stack(files[0], found.labels)
    progress(1, 1, "Writing")
    return Reply({"files": [str(path) for path in files]})


def save(progress: Progress, *, path: str, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
         rois: Outlines | None = None, outlines: Bytes | None = None) -> Reply:
    """Write ``.prediction`` and, with ROIs, ``.rois``; `path` is either of them or an image beside them."""
    from deepd3_ij.files.hdf5 import write_prediction, write_rois

    prediction = image.prediction(dendrite, spine, provenance)
    base = Path(path).with_name(stem_of(path))
    check_output_folder(base.parent)
    files = [base.with_name(base.name + ".prediction")]
    write_prediction(files[0], prediction, progress=progress)
    if rois is not None:
        files.append(base.with_name(base.name + ".rois"))
        write_rois(files[1], _rois(rois, outlines, prediction), progress=progress)
    return Reply({"files": [str(file) for file in files]})


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


def import_annotations(progress: Progress, *, path: str) -> Reply:
    """Read annotated positions from a CSV table: rows of plane, y and x, 0-based."""
    from deepd3_ij.fiji.view import read_annotations

    return Reply({}, {"positions": np.ascontiguousarray(read_annotations(path).T)})


def batch(progress: Progress, *, source: str, target: str, pattern: str = "**/*.tif*", model: str | None = None,
          xy_um: float | None = None, z_um: float | None = None, cleaning: bool = True, roi_dimensions: int = 3,
          prediction_choice: Choice = NOTHING_TYPED, cleaning_choice: Choice = NOTHING_TYPED,
          roi_choice: Choice = NOTHING_TYPED, measure_choice: Choice = NOTHING_TYPED, resume: bool = True) -> Reply:
    """Analyze all stacks below a folder; one that fails does not stop the others."""
    typed = _typed(prediction_choice, cleaning_choice, roi_choice, measure_choice, roi_dimensions)
    result = analyze_folder(source, target, model, BatchSettings(typed, cleaning=cleaning, xy_um=xy_um, z_um=z_um),
                            pattern=pattern, resume=resume, progress=progress)
    return Reply({"done": [str(item.source) for item in result.done],
                  "skipped": [str(item.source) for item in result.skipped],
                  "failed": [[str(item.source), reason] for item, reason in result.failed]})


def _export_measured(what: str, target: Path, name: str, prediction: xr.Dataset, rois: Outlines | None,
                     outlines: npt.NDArray[np.uint8] | None, stack: npt.NDArray[Any] | None, stack_image: Image,
                     choice: Choice, progress: Progress) -> list[Path]:
    from deepd3_ij.measurement import measure as measure_rois
    from deepd3_ij.pipeline import Analysis

    found = _rois(_needed_rois(rois), outlines, prediction)
    grey = None if stack is None else _on(prediction, stack_image.stack(stack))
    chosen = choice.resolve(MeasureParameters, voxel_size_um(prediction))
    measurements = measure_rois(found, prediction, grey, chosen, progress=progress)
    if what == "tables":
        return write_measurements(measurements, target, name)
    if grey is None:
        raise FijiError("The stack that was segmented is not open; open it with Open Stack… and "
                        "export again.")
    return write_analysis(Analysis(grey, prediction, found, measurements), target, name, progress=progress)


def _tables_reply(measurements: Any) -> Reply:
    spines, spine_values = table_values(measurements.spines)
    dendrites, dendrite_values = table_values(measurements.dendrites)
    return Reply({"spines": spines, "dendrites": dendrites},
                 {"spine_values": spine_values, "dendrite_values": dendrite_values})


def _rois(rois: Outlines, outlines: npt.NDArray[np.uint8] | None, like: xr.DataArray | xr.Dataset) -> RoiSet:
    return rois.rois(np.zeros(0, np.uint8) if outlines is None else outlines, like)


def _on(prediction: xr.Dataset, stack: xr.DataArray) -> xr.DataArray:
    """The stack on the prediction's coordinates, if it has its shape (the measurement says it if not)."""
    same = stack.shape == prediction["spine"].shape
    return stack.assign_coords(prediction.coords) if same else stack


def _needed(prediction: xr.Dataset | None) -> xr.Dataset:
    if prediction is None:
        raise FijiError("There is no prediction; use Segment Dendrites and Spines…")
    return prediction


def _needed_rois(rois: Outlines | None) -> Outlines:
    if rois is None:
        raise FijiError("There are no ROIs; use Build 3D ROIs…")
    return rois


def _typed(prediction: Choice, cleaning: Choice, rois: Choice, measures: Choice, roi_dimensions: int
           ) -> dict[type[Parameters], Mapping[str, Any]]:
    """What the user typed for the steps of an analysis."""
    if roi_dimensions not in (2, 3):
        raise ParameterError(f"roi_dimensions is {roi_dimensions}; accepted: 2 or 3.")
    return {PredictionParameters: prediction.typed, CleaningParameters: cleaning.typed,
            Roi2DParameters if roi_dimensions == 2 else Roi3DParameters: rois.typed, MeasureParameters: measures.typed}


def _z_range(first_plane: int, last_plane: int | None, stack: xr.DataArray) -> tuple[int, int] | None:
    planes = stack.sizes["z"]
    last = planes if last_plane is None else last_plane
    if not 1 <= first_plane <= last <= planes:
        raise ParameterError(f"The planes {first_plane} to {last} are asked for; accepted: planes from 1 to {planes}.")
    return None if (first_plane, last) == (1, planes) else (first_plane - 1, last)


def _file_stem(name: str) -> str:
    """A title as the start of file names: no folder, no image suffix."""
    stem = stem_of(Path(name.replace("\\", "/")).name)
    if stem in ("", ".", ".."):
        raise ParameterError(f"{name!r} is no name for files; give the image a title.")
    return stem
