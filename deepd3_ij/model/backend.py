"""Keras on TensorFlow, JAX or PyTorch, and TensorFlow alone; imported on first use and without their log lines."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deepd3_ij.errors import ModelError, one_line

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
"""Accepted backends of Keras; without a choice the first that is installed is taken."""

_loads: set[str] = set()
"""Holds ``keras`` from when it is loaded for this package until it is set up."""


def tensorflow() -> Any:
    """The TensorFlow module.

    Raises
    ------
    ModelError
        TensorFlow is not installed or cannot be loaded.
    """
    if "tensorflow" not in sys.modules:
        _quieten_tensorflow()
        with suppress(ModelError):  # TensorFlow loads Keras, which computing on a graphics card does not need
            _settle_backend()
    try:
        with _native_log_hidden("tensorflow" not in sys.modules):
            import tensorflow as tf
    except (ImportError, ValueError) as error:  # of Keras, too, which may know no such backend
        raise ModelError(f"TensorFlow cannot be loaded ({one_line(error)}); install it with: pip install "
                         "tensorflow") from error
    return tf


def chosen_backend() -> str:
    """Backend that Keras has, or will have once it is loaded; loads nothing.

    Where Keras is not loaded yet, the variable KERAS_BACKEND chooses. After that comes the file ``keras.json``, if what
    it names is installed: Keras writes that file itself, so it need not be a choice. Otherwise it is the first of
    `BACKENDS` that is installed.

    Raises
    ------
    ModelError
        Keras was loaded with another backend, KERAS_BACKEND names one that is unknown or not installed, or none is
        installed.
    """
    accepted = ", ".join(BACKENDS)
    if "keras" in sys.modules:
        loaded = str(sys.modules["keras"].config.backend())
        if loaded not in BACKENDS:
            raise ModelError(f"Keras was loaded with the backend {loaded!r}; accepted: {accepted}. Set KERAS_BACKEND "
                             "to one of them before Keras is imported.")
        return loaded
    named = os.environ.get("KERAS_BACKEND")
    if named and named not in BACKENDS:
        raise ModelError(f"KERAS_BACKEND is {named!r}; accepted: {accepted}. Set it to one of them, or unset it.")
    if named and not _installed(named):
        raise ModelError(f"KERAS_BACKEND is {named!r}, and {BACKENDS[named]} is not installed; install it with: pip "
                         f"install {named}, or set KERAS_BACKEND to what is installed.")
    found = [name for name in (named, _backend_of_file(), *BACKENDS) if name in BACKENDS and _installed(name)]
    if not found:
        raise ModelError(f"None of {', '.join(BACKENDS.values())} is installed, and a training needs one; install it "
                         "with: pip install tensorflow")
    return str(found[0])


def backend_version(name: str) -> str:
    """Version of an installed backend; loads nothing."""
    if name in sys.modules:
        return str(sys.modules[name].__version__)
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # packages such as tensorflow-cpu bring the module, too
        return "of unknown version"


def _installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _backend_of_file() -> str | None:
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    try:
        content = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = content.get("backend") if isinstance(content, dict) else None
    return named if isinstance(named, str) else None


def _settle_backend() -> str:
    """Let Keras come with the chosen backend, whoever imports it."""
    name = chosen_backend()
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name
        _loads.add("keras")
    return name


def graphics_card() -> bool:
    """Whether TensorFlow has a graphics card to compute on; it is only loaded where there are signs of one."""
    signs = [Path("/proc/driver/nvidia/version").exists(), Path("/dev/kfd").exists(),
             sys.platform == "win32" and shutil.which("nvidia-smi") is not None,
             sys.platform == "darwin" and importlib.util.find_spec("tensorflow-plugins") is not None]
    try:
        return any(signs) and bool(tensorflow().config.list_physical_devices("GPU"))
    except ModelError:
        return False


def keras() -> Any:
    """The Keras module (version 3) on the chosen backend.

    Raises
    ------
    ModelError
        No backend can be loaded; see :func:`chosen_backend`.
    """
    name = _settle_backend()
    if name == "tensorflow":
        tensorflow()
    try:
        import keras
    except ImportError as error:
        raise ModelError(f"Keras cannot be loaded with {BACKENDS[name]} ({one_line(error)}); install them with: pip "
                         f"install keras {name}") from error
    if "keras" in _loads:  # the user's ~/.keras/keras.json may say otherwise
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")
        keras.config.set_epsilon(1e-7)
        _loads.clear()
    return keras


def set_seed(seed: int) -> None:
    """Seed what Keras draws, such as the first weights of layers."""
    library = keras()
    _quieten_tensorflow()
    with _native_log_hidden("tensorflow" not in sys.modules):  # Keras loads it for this, whatever its backend is
        library.utils.set_random_seed(seed)


def _quieten_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _native_log_hidden(active: bool) -> Iterator[None]:
    """TensorFlow's native code writes to the error stream while it loads, whatever its log level is."""
    try:
        error_stream = sys.__stderr__.fileno() if active and sys.__stderr__ is not None else None
    except (OSError, ValueError):
        error_stream = None
    if error_stream is None:
        yield
        return
    sys.__stderr__.flush()  # type: ignore[union-attr]
    saved = os.dup(error_stream)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, error_stream)
        yield
    finally:
        os.dup2(saved, error_stream)
        os.close(nowhere)
        os.close(saved)
