"""Verbs about the service itself: versions, models, parameters."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np

import deepd3_ij
from deepd3_ij.errors import FijiError, ModelError, ParameterError
from deepd3_ij.inspection import inspect
from deepd3_ij.model.backend import BACKENDS, backend_version, chosen_backend
from deepd3_ij.parallel import available_threads
from deepd3_ij.parameters import describe
from deepd3_ij.progress import Progress
from deepd3_ij.service.exchange import Reply, merged
from deepd3_ij.service.registry import Anything, parameter_classes, verb


@verb("echo")
def echo(progress: Progress, *, arrays: Anything | None = None, text: str = "", as_bytes: bool = False) -> Reply:
    """Give back what was sent, or its bytes, which do not fit into the place of the input; tests the transport."""
    if arrays is None:
        return Reply({"text": text})
    return Reply({"text": text}, {"arrays": arrays.view(np.uint8) if as_bytes else arrays})


@verb("about")
def about(progress: Progress) -> Reply:
    """Versions and places."""
    return Reply({"version": deepd3_ij.__version__, "python": platform.python_version(), "executable": sys.executable,
                  "package": str(Path(deepd3_ij.__file__).parent), "threads": available_threads(),
                  "tensorflow_loaded": "tensorflow" in sys.modules, "training_backend": _training_backend()})


def _training_backend() -> str | None:
    try:
        name = chosen_backend()
    except ModelError:
        return None
    return f"{BACKENDS[name]} {backend_version(name)}"


@verb("health")
def health(progress: Progress, *, model: str | None = None) -> Reply:
    """Load a model and predict a small plane."""
    from deepd3_ij.model import load_model

    progress(0, 2, "Loading the model")
    loaded = load_model(model)
    progress(1, 2, "Predicting a small plane")
    side = loaded.fixed_shape or (64, 64)
    dendrite, _ = loaded.predict_batch(np.zeros((1, *side), np.float32))
    if not np.isfinite(dendrite).all():
        raise FijiError(f"The model {loaded.name} computes no numbers here; train or download it again.")
    progress(2, 2, "Done")
    return merged(about(progress), model=loaded.name)


@verb("inspect")
def inspect_file(progress: Progress, *, path: str) -> Reply:
    """Tell what the program sees in a file."""
    progress(0, 1, "Reading the file")
    seen = inspect(path)
    progress(1, 1, "Reading the file")
    return Reply({"kind": seen.kind, "lines": seen.lines(), "problem": seen.problem})


@verb("parameters")
def parameters(progress: Progress, *, kind: str) -> Reply:
    """Names, defaults, ranges, units and texts of the parameters of an operation."""
    classes = parameter_classes()
    cls = classes.get(kind)
    if cls is None:
        raise ParameterError(f"There are no parameters {kind!r}; accepted: {', '.join(classes)}.")
    return Reply({"parameters": [
        {"name": info.name, "type": info.type.__name__, "optional": info.optional, "default": info.default,
         "low": info.low, "high": info.high, "unit": info.unit, "choices": list(info.choices), "label": info.label,
         "help": info.help} for info in describe(cls)]})


@verb("models")
def models(progress: Progress) -> Reply:
    """Models that can be named."""
    from deepd3_ij.model.zoo import available, models_folder

    return Reply({"folder": str(models_folder()), "models": [
        {"name": entry.name, "origin": entry.origin, "path": str(entry.path) if entry.path else None,
         "description": entry.about()} for entry in available()]})


@verb("get_model")
def get_model(progress: Progress, *, name: str) -> Reply:
    """Download a model of the Zoo."""
    from deepd3_ij.model.zoo import download

    return Reply({"path": str(download(name, progress=progress))})
