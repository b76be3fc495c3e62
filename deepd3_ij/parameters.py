"""Every parameter of every operation: name, default, range, unit, help.

The Python API, the command line, the Fiji dialogs and the reference in the docs are all
made from these dataclasses. Values are checked when an instance is made.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from deepd3_ij.errors import ParameterError


def parameter(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    label: str = "",
    option: str = "",
) -> Any:
    """Declare a dataclass field with everything that a user interface needs.

    Parameters
    ----------
    default
        Default value.
    help
        One sentence for the command line, the Fiji tooltip and the docs.
    low, high
        Accepted range, both ends included.
    unit
        "px", "um", "planes", …; empty for pure numbers.
    choices
        Accepted texts.
    label
        Text in a Fiji dialog; made from the field's name if empty.
    option
        Command-line option; ``--field-name`` if empty.
    """
    metadata = {"help": help, "low": low, "high": high, "unit": unit, "choices": choices,
                "label": label, "option": option}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter as user interfaces see it."""

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    low: float | None
    high: float | None
    unit: str
    choices: tuple[str, ...]
    label: str
    option: str


@dataclass(frozen=True)
class Parameters:
    """Base of the parameter classes; checks types, ranges and choices."""

    def __post_init__(self) -> None:
        for info in describe(type(self)):
            object.__setattr__(self, info.name, _checked(info, getattr(self, info.name)))
        self.check()

    def check(self) -> None:
        """Check what concerns several parameters together."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for provenance."""
        return dataclasses.asdict(self)


P = TypeVar("P", bound=Parameters)


def describe(cls: type[Parameters]) -> list[ParameterInfo]:
    """List the parameters of an operation in their order of declaration."""
    hints = get_type_hints(cls)
    infos = []
    for item in dataclasses.fields(cls):
        hint = hints[item.name]
        parts = [part for part in getattr(hint, "__args__", (hint,)) if part is not type(None)]
        meta = dict(item.metadata)
        meta["label"] = meta["label"] or item.name.replace("_", " ").capitalize()
        meta["option"] = meta["option"] or "--" + item.name.replace("_", "-")
        infos.append(ParameterInfo(name=item.name, type=parts[0], optional=len(parts) == 1 and parts[0] is not hint,
                                   default=item.default, **meta))
    return infos


def from_values(cls: type[P], values: Mapping[str, Any]) -> P:
    """Make parameters from a mapping; an unknown name is an error that lists the known ones."""
    known = [info.name for info in describe(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ParameterError(f"Unknown parameter {unknown[0]!r} for {cls.__name__}; known: {', '.join(known)}.")
    return cls(**values)


def _checked(info: ParameterInfo, value: Any) -> Any:
    if value is None and info.optional:
        return None
    accepted = _accepted(info)
    problem = f"{info.name} is {value!r}; accepted: {accepted}."
    if info.type is bool:
        if not isinstance(value, bool):
            raise ParameterError(problem)
        return value
    if info.type is str:
        if not isinstance(value, str) or (info.choices and value not in info.choices):
            raise ParameterError(problem)
        return value
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise ParameterError(problem)
    number = float(value)
    if not math.isfinite(number) or (info.type is int and not number.is_integer()):
        raise ParameterError(problem)
    if (info.low is not None and number < info.low) or (info.high is not None and number > info.high):
        raise ParameterError(problem)
    return info.type(number)


def _accepted(info: ParameterInfo) -> str:
    if info.choices:
        return ", ".join(info.choices)
    kind = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[info.type]
    if info.low is not None and info.high is not None:
        kind += f" from {info.low:g} to {info.high:g}"
    elif info.low is not None:
        kind += f" of at least {info.low:g}"
    return kind + (f" ({info.unit})" if info.unit else "")


TILINGS = ("seamless", "plane", "inset", "fourfold")


@dataclass(frozen=True)
class PredictionParameters(Parameters):
    """How a stack is cut up for the network."""

    tiling: str = parameter(
        "seamless", "How planes are cut for the network: 'seamless' equals the whole plane at bounded memory; "
        "'plane' predicts whole planes; 'inset' and 'fourfold' are the original's tilings.", choices=TILINGS)
    tile_px: int = parameter(128, "Side of a tile ('inset' and 'fourfold'; a multiple of 16).",
                             low=16, high=4096, unit="px", option="--tile")
    inset_px: int = parameter(96, "Side of the centre of a tile that is kept ('inset' and 'fourfold').",
                              low=2, high=4096, unit="px", option="--inset")
    padding: str = parameter("mean", "Value around the stack ('inset' and 'fourfold'): its mean or its minimum.",
                             choices=("mean", "min"))
    resample: bool = parameter(True, "Resample planes to the model's training resolution, if its card names one, "
                               "and the maps back.")

    def check(self) -> None:
        if self.tiling in ("inset", "fourfold"):
            if self.tile_px % 16:
                raise ParameterError(f"tile_px is {self.tile_px}; accepted: a multiple of 16.")
            if self.inset_px > self.tile_px or (self.tile_px - self.inset_px) % 2:
                raise ParameterError(f"inset_px is {self.inset_px}; accepted: at most tile_px ({self.tile_px}) and "
                                     "smaller by an even number.")


@dataclass(frozen=True)
class CleaningParameters(Parameters):
    """How probability maps are cleaned before ROIs are built."""

    closing: bool = parameter(True, "Connect nearby pieces of dendrite (grey closing).", label="Connect dendrite")
    closing_iterations: int = parameter(3, "Reach of the closing: dilations, then as many erosions.",
                                        low=1, high=100, unit="px")
    clean_dendrite: bool = parameter(True, "Remove small dendrite pieces.")
    dendrite_dimensions: int = parameter(3, "Find dendrite pieces in 3-D, or plane by plane (2).", low=2, high=3)
    dendrite_threshold: float = parameter(0.7, "Dendrite probability above which a pixel is dendrite.",
                                          low=0, high=1)
    min_dendrite_px: int = parameter(100, "Smallest dendrite piece that is kept.", low=1, high=1_000_000_000, unit="px")
    clean_spines: bool = parameter(True, "Remove spine probability far from any dendrite.")
    spine_distance_um: float = parameter(2.0, "Largest distance of spine probability from the dendrite.",
                                         low=0, high=1000, unit="um")


ROI_MODES = ("floodfill", "connected")


@dataclass(frozen=True)
class Roi3DParameters(Parameters):
    """How 3-D ROIs are built from the spine map."""

    mode: str = parameter("floodfill", "'floodfill' grows ROIs from probability peaks; 'connected' takes connected "
                          "components above the area threshold.", choices=ROI_MODES, label="Method")
    area_threshold: float = parameter(0.25, "Spine probability above which a voxel can belong to a ROI.", low=0, high=1)
    peak_threshold: float = parameter(0.8, "Spine probability from which a voxel can seed a ROI (floodfill).",
                                      low=0, high=1)
    seed_delta: float = parameter(0.2, "Allowed relative difference to the seed's probability (floodfill).",
                                  low=0, high=1)
    distance_um: float = parameter(2.0, "A ROI stays nearer to its seed than this (floodfill).",
                                   low=0, high=1000, unit="um")
    min_px: int = parameter(20, "Smallest ROI that is kept.", low=1, high=1_000_000_000, unit="voxels")
    max_px: int = parameter(1000, "Largest ROI that is kept.", low=1, high=1_000_000_000, unit="voxels")
    min_planes: int = parameter(1, "A kept ROI spans at least this many planes.", low=1, high=100_000, unit="planes")
    min_peak: float = parameter(0.0, "A kept ROI reaches at least this spine probability.", low=0, high=1)
    sigma_px: float = parameter(0.0, "Gaussian smoothing of the spine map in the plane before ROIs are built.",
                                low=0, high=10, unit="px")
    dilation: int = parameter(0, "Dilations before components are found (connected).", low=0, high=100, unit="px")
    watershed: bool = parameter(False, "Split touching ROIs by shape.")

    def check(self) -> None:
        if self.min_px > self.max_px:
            raise ParameterError(f"min_px is {self.min_px}; accepted: at most max_px ({self.max_px}).")


@dataclass(frozen=True)
class Roi2DParameters(Parameters):
    """How 2-D ROIs are built plane by plane."""

    threshold: float = parameter(0.25, "Spine probability above which a pixel belongs to a ROI.", low=0, high=1)
    watershed: bool = parameter(False, "Split touching ROIs by shape.")
    mask_size: int = parameter(3, "Mask of the distance transform for the watershed: 3, 5, or 0 for exact.",
                               low=0, high=5, unit="px")
    min_distance_px: int = parameter(3, "Smallest distance between ROI centres for the watershed.",
                                     low=1, high=100, unit="px")
    clean: bool = parameter(True, "Remove small ROIs and ROIs far from any dendrite.", label="Clean ROIs")
    max_dendrite_distance_px: int = parameter(30, "A kept ROI has dendrite within this distance of its centre.",
                                              low=0, high=10_000, unit="px")
    min_px: int = parameter(10, "Smallest ROI that is kept.", low=0, high=1_000_000_000, unit="px")
    dendrite_threshold: float = parameter(0.7, "Dendrite probability above which a pixel is dendrite.", low=0, high=1)


@dataclass(frozen=True)
class MeasureParameters(Parameters):
    """How spines and dendrites are measured."""

    dendrite_threshold: float = parameter(0.5, "Dendrite probability above which a voxel is dendrite.", low=0, high=1)
    min_dendrite_um: float = parameter(2.0, "Shortest dendrite that is listed.", low=0, high=1000, unit="um")
    background_um: float = parameter(1.0, "Width of the ring around a spine whose median is the background.",
                                     low=0, high=100, unit="um")


@dataclass(frozen=True)
class EvaluationParameters(Parameters):
    """How detections are matched with annotated spines."""

    xy_um: float = parameter(1.2, "Largest distance in the plane of a match.", low=0, high=1000, unit="um")
    z_planes: float = parameter(2.0, "Largest distance in planes of a match.", low=0, high=1000, unit="planes")
    within_um: float = parameter(2.5, "With a traced dendrite: unmatched detections farther away do not count.",
                                 low=0, high=1000, unit="um")
    trace_z_planes: float = parameter(3.0, "With a traced dendrite: the same along z.", low=0, high=1000, unit="planes")
