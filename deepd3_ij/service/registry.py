"""The table of verbs: what Fiji's scripts can ask for.

A verb is a function with keyword arguments of checked types, made known by :func:`verb`; the modules that hold verbs
are listed in :mod:`deepd3_ij.service.calls`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import Parameters, Resolved, resolve
from deepd3_ij.service.exchange import Reply

P = TypeVar("P", bound=Parameters)

VERBS: dict[str, Callable[..., Reply]] = {}
"""All that a script can ask for, by name."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Accepted types and dimensions of an array in a request."""

    dtypes: tuple[str, ...]
    dimensions: int


Pixels = Annotated[npt.NDArray[Any], Kind(("uint8", "uint16", "float32"), 3)]
Map = Annotated[npt.NDArray[np.float32], Kind(("float32",), 3)]
Bytes = Annotated[npt.NDArray[np.uint8], Kind(("uint8",), 1)]
Anything = Annotated[npt.NDArray[Any], Kind(("uint8", "uint16", "int32", "float32", "float64"), 3)]


def verb(name: str) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
    """Make a function known to scripts under a name."""
    def add(function: Callable[..., Reply]) -> Callable[..., Reply]:
        VERBS[name] = function
        return function

    return add


@dataclasses.dataclass(frozen=True)
class Choices:
    """Parameters of one or several steps as a user chose them.

    Attributes
    ----------
    typed
        What the user really gave: values by name, by parameter class.
    kept
        What a live test kept for the image, likewise.
    """

    typed: Mapping[type[Parameters], Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    kept: Mapping[type[Parameters], Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Choices:
        """Read the choices that a script sent: the tables ``typed`` and ``kept`` by the names of parameter classes."""
        unknown = sorted(set(values) - {"typed", "kept"})
        if unknown or not all(isinstance(part, Mapping) for part in values.values()):
            raise ParameterError(f"Parameters are given as {sorted(values)}; accepted: the tables 'typed' and 'kept'.")
        return cls(**{name: _by_class(part) for name, part in values.items()})

    def resolve(self, cls: type[P], recommended: Mapping[str, Any] | None = None,
                voxel_size_um: tuple[float, float, float] | None = None) -> Resolved[P]:
        """Decide the parameters of one step; see :func:`deepd3_ij.parameters.resolve`."""
        return resolve(cls, self.typed.get(cls), kept=self.kept.get(cls), recommended=recommended,
                       voxel_size_um=voxel_size_um)


NOTHING_CHOSEN = Choices()


def parameter_classes() -> dict[str, type[Parameters]]:
    """All parameter classes by name: those of the table, and those that stand beside the verb that they are for."""
    found: dict[str, type[Parameters]] = {}
    waiting = list(Parameters.__subclasses__())
    while waiting:
        cls = waiting.pop(0)
        found[cls.__name__] = cls
        waiting += cls.__subclasses__()
    return found


def _by_class(tables: Mapping[str, Any]) -> dict[type[Parameters], Mapping[str, Any]]:
    classes = parameter_classes()
    for name, values in tables.items():
        if name not in classes or not isinstance(values, Mapping):
            raise ParameterError(f"Parameters are given for {name!r}; accepted: a table of values for one of "
                                 f"{', '.join(classes)}.")
    return {classes[name]: values for name, values in tables.items()}
