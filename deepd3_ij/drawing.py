"""Matplotlib's modules, whatever the environment says about windows."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def drawing_library(module: str) -> Any:
    """Import a module of Matplotlib that needs no screen.

    A notebook hands the variable ``MPLBACKEND`` on to the programs that it starts. If what it names is not in this
    environment, Matplotlib cannot even be imported; then it is imported without it.

    Parameters
    ----------
    module
        Name below ``matplotlib``, for example ``"figure"``.
    """
    name = f"matplotlib.{module}"
    try:
        return importlib.import_module(name)
    except ValueError:
        backend = os.environ.pop("MPLBACKEND", None)
        if backend is None:
            raise
        for part in [part for part in sys.modules if part.partition(".")[0] == "matplotlib"]:
            del sys.modules[part]  # the import broke off half-way
        try:
            return importlib.import_module(name)
        finally:
            os.environ["MPLBACKEND"] = backend
