"""TensorFlow and Keras, imported on first use and without their log lines."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepd3_ij.errors import ModelError, one_line

_loads: set[str] = set()
"""Holds ``keras`` from when TensorFlow loads it for this package until it is set up."""


def tensorflow() -> Any:
    """The TensorFlow module.

    Raises
    ------
    ModelError
        TensorFlow is not installed or cannot be loaded.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = "tensorflow"  # the user may use another one elsewhere
            _loads.add("keras")
    try:
        with _native_log_hidden("tensorflow" not in sys.modules):
            import tensorflow as tf
    except ImportError as error:
        raise ModelError(f"TensorFlow cannot be loaded ({one_line(error)}); install it with: pip install "
                         "tensorflow") from error
    return tf


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
    """The Keras module (version 3, on TensorFlow)."""
    tensorflow()
    import keras

    if keras.config.backend() != "tensorflow":
        raise ModelError(f"Keras was loaded with the backend {keras.config.backend()!r}; accepted: tensorflow. Set "
                         "KERAS_BACKEND=tensorflow before Keras is imported.")
    if "keras" in _loads:  # the user's ~/.keras/keras.json may say otherwise
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")
        keras.config.set_epsilon(1e-7)
        _loads.clear()
    return keras


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
