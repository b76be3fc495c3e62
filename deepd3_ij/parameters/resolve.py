"""Which values run: typed, else kept by a live test, else of the preset, else recommended by the model, else default.

The one place where this order is written. A model's recommendations are the table ``recommended`` of its card; every
prediction carries it in its provenance, so that each later step finds it again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from deepd3_ij.errors import ModelError, ParameterError
from deepd3_ij.parameters.fields import Parameters, describe, from_values
from deepd3_ij.parameters.presets import PRESET, ROI_PRESETS
from deepd3_ij.parameters.table import Roi3DParameters

P = TypeVar("P", bound=Parameters)

TYPED, KEPT, OF_PRESET, RECOMMENDED, DEFAULT = "typed", "kept", "preset", "recommended", "default"
ORIGINS = "origins"
"""Key of a provenance: origins of the values by parameter class and name."""

_LARGEST_VOLUME_UM3 = 1e9
_MOST_VOXELS = 1_000_000_000
_VOLUMES = {"min_volume_um3": "min_voxels", "max_volume_um3": "max_voxels"}


@dataclass(frozen=True)
class Resolved(Generic[P]):
    """Parameters of an operation, and where each value comes from.

    Attributes
    ----------
    parameters
        What runs.
    origins
        ``"typed"``, ``"kept"``, ``"preset"``, ``"recommended"`` or ``"default"`` by name.
    """

    parameters: P
    origins: Mapping[str, str]

    def into(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """A provenance with these values and their origins added."""
        name = type(self.parameters).__name__
        return {**provenance, name: self.parameters.to_dict(),
                ORIGINS: {**provenance.get(ORIGINS, {}), name: dict(self.origins)}}


Choice: TypeAlias = P | Resolved[P] | Mapping[str, Any] | None
"""What a function takes for its parameters: all of them, or what was typed by name, or None for nothing typed."""


def resolve(
    cls: type[P],
    typed: Choice[P] = None,
    *,
    kept: Mapping[str, Any] | None = None,
    recommended: Mapping[str, Any] | None = None,
    voxel_size_um: tuple[float, float, float] | None = None,
) -> Resolved[P]:
    """Decide the parameters of an operation.

    Parameters
    ----------
    cls
        Parameter class.
    typed
        Values by name that a user really gave. An instance of `cls` counts as typed as a whole, but those of its values
        that are the default give way to its preset; what is resolved already stays as it is.
    kept
        Values that a live test kept for this image; names that are not known are passed over.
    recommended
        Recommendations of a model's card: a table of values by name under the class's name, and
        ``min_volume_um3`` and ``max_volume_um3``, which become ``min_voxels`` and ``max_voxels``.
    voxel_size_um
        Voxel size (z, y, x) of the data at hand; without it, volumes in µm³ are passed over.

    Returns
    -------
    Resolved

    Raises
    ------
    ParameterError
        A typed name is unknown, or a value is not accepted.
    """
    names = [info.name for info in describe(cls)]
    if isinstance(typed, Resolved):
        return typed
    if isinstance(typed, cls):
        given = typed.to_dict()
        preset = {name: value for name, value in _of_preset(cls, given, given).items()
                  if given[name] == getattr(cls, name)}
        origins = dict.fromkeys(names, TYPED) | dict.fromkeys(preset, OF_PRESET)
        return Resolved(replace(typed, **preset) if preset else typed, origins)
    if typed is not None and not isinstance(typed, Mapping):
        raise ParameterError(f"The parameters are {typed!r}; accepted: {cls.__name__}, a table of values by name, or "
                             "None.")
    advised = _recommended_for(cls, recommended or {}, voxel_size_um)
    tested = {name: value for name, value in (kept or {}).items() if name in names}
    chosen = {**advised, **tested, **(typed or {})}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(names, DEFAULT)
    for origin, layer in ((RECOMMENDED, advised), (OF_PRESET, _of_preset(cls, chosen, advised)), (KEPT, tested),
                          (TYPED, typed or {})):
        values |= layer
        origins |= dict.fromkeys(layer, origin)
    return Resolved(from_values(cls, values), origins)


def _of_preset(cls: type[Parameters], chosen: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """What the chosen preset sets, over recommendations and defaults."""
    if cls is not Roi3DParameters:
        return {}
    preset = ROI_PRESETS.get(chosen.get(PRESET, Roi3DParameters.preset))  # an unknown one is refused with the values
    return {} if preset is None else preset.over({**Roi3DParameters().to_dict(), **below})


def recommended_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Recommendations of the model that made a prediction, as far as its provenance states them.

    Raises
    ------
    ModelError
        The provenance states something else than recommendations.
    """
    model = provenance.get("model")
    stated = model.get("recommended") if isinstance(model, dict) else None
    return checked_recommendations({} if stated is None else stated)


def checked_recommendations(recommended: Any) -> dict[str, Any]:
    """The recommendations of a model's card, if they are such.

    Raises
    ------
    ModelError
        They are no table of tables and volumes.
    """
    if not isinstance(recommended, dict):
        raise ModelError(f"The model card's recommended is {recommended!r}; accepted: a table.")
    for name, value in recommended.items():
        if not (isinstance(value, dict) or (name in _VOLUMES and (
                value is None or (is_number(value) and 0 <= value <= _LARGEST_VOLUME_UM3)))):
            raise ModelError(f"The model card recommends {value!r} for {name}; accepted: a table of parameters for "
                             f"a parameter class, a number from 0 to {_LARGEST_VOLUME_UM3:g} for "
                             f"{' and '.join(_VOLUMES)}.")
    return recommended


def volumes_um3(recommended: Mapping[str, Any], preset: str = Roi3DParameters.preset) -> dict[str, float]:
    """Volumes that a model recommends, by the names of the parameters that they become with a voxel size.

    A preset takes its shares of them.
    """
    shares = ROI_PRESETS[preset].shares
    return {name: recommended[volume] * shares.get(name, 1.0)
            for volume, name in _VOLUMES.items() if recommended.get(volume) is not None}


def is_number(value: Any) -> bool:
    """Whether a value of a JSON table is a finite number of double precision."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of several hundred digits
        return False


def _recommended_for(cls: type[Parameters], recommended: Mapping[str, Any],
                     voxel_size_um: tuple[float, float, float] | None) -> dict[str, Any]:
    known = {info.name for info in describe(cls)}
    chosen = {name: value for name, value in recommended.get(cls.__name__, {}).items() if name in known}
    if cls is Roi3DParameters and voxel_size_um is not None:
        voxel_um3 = math.prod(voxel_size_um)
        for name, volume_um3 in volumes_um3(recommended).items():
            # The largest number of voxels that is accepted: at 0.1 nm, even a spine has more.
            chosen[name] = max(1, min(round(volume_um3 / voxel_um3), _MOST_VOXELS))
    return chosen
