"""Presets: values for several parameters at once, by one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRESET = "preset"
"""Name of the parameter that chooses one."""


@dataclass(frozen=True)
class Preset:
    """What a preset sets.

    Attributes
    ----------
    values
        Values by name of a parameter.
    shares
        Parts of what would run without the preset, by name: the smallest ROI of a model suits its voxels and spines,
        so a share of it means the same for each model.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def over(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What this preset sets, given what would run without it."""
        return {**self.values, **{name: max(1, round(share * values[name])) for name, share in self.shares.items()}}


BALANCED, SENSITIVE = "balanced", "sensitive"
ROI_PRESETS: dict[str, Preset] = {
    BALANCED: Preset(), SENSITIVE: Preset({"split_prominence": 4.0}, {"min_voxels": 0.8})}
"""Presets of Roi3DParameters."""
