"""Settings of 3-D ROI building in DeepD3's ``.roi3d_settings`` files (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import FileFormatError, ParameterError, one_line
from deepd3_ij.files.text_file import read_text
from deepd3_ij.parameters import Roi3DParameters

_NAMES = {"areaThreshold": "area_threshold", "peakThreshold": "peak_threshold", "seedDelta": "seed_delta",
          "distanceToSeed": "distance_um", "minPx": "min_voxels", "maxPx": "max_voxels", "minPlanes": "min_planes",
          "watershed": "watershed"}
_METHODS = {"floodfill": "floodfill", "connected": "connected components"}


def settings_of(parameters: Roi3DParameters) -> dict[str, Any]:
    """Parameters by DeepD3's names; smoothing, dilation and smallest peak have none."""
    values = parameters.to_dict()
    return {"method": _METHODS[parameters.mode], **{theirs: values[ours] for theirs, ours in _NAMES.items()}}


def parameters_of(settings: Mapping[str, Any], base: Roi3DParameters | None = None) -> Roi3DParameters:
    """Parameters of settings by DeepD3's names; what is missing is taken from `base`, else the defaults.

    Raises
    ------
    ParameterError
        A name is unknown or a value out of range.
    """
    values = (base or Roi3DParameters()).to_dict()
    modes = {name: mode for mode, name in _METHODS.items()}
    for name, value in settings.items():
        if name == "method":
            if str(value).lower() not in modes:
                raise ParameterError(f"method is {value!r}; accepted: {', '.join(modes)}.")
            values["mode"] = modes[str(value).lower()]
        elif name in _NAMES:
            values[_NAMES[name]] = bool(value) if name == "watershed" and value in (0, 1) else value
        else:
            raise ParameterError(f"Unknown setting {name!r}; known: method, {', '.join(_NAMES)}.")
    return Roi3DParameters(**values)


def write_roi_settings(path: str | PathLike[str], parameters: Roi3DParameters) -> None:
    """Write a ``.roi3d_settings`` file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings_of(parameters)), encoding="utf-8")


def read_roi_settings(path: str | PathLike[str]) -> Roi3DParameters:
    """Read a ``.roi3d_settings`` file of this package or of DeepD3.

    Raises
    ------
    FileFormatError
        The file is missing, no JSON object, or holds unfit values.
    """
    source = Path(path)
    try:
        settings = json.loads(read_text(source, "file of settings", FileFormatError))
        if not isinstance(settings, dict):
            raise ValueError("it holds no settings by name")
        return parameters_of(settings)
    except (FileFormatError, ParameterError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"{source} holds no settings of 3-D ROIs ({one_line(error, 120)}); give a "
                              ".roi3d_settings file.") from error
