"""What the results of a batch depend on, beside the stacks and the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepd3_ij.outputs.registry import USUAL

if TYPE_CHECKING:
    from deepd3_ij.pipeline import Typed


@dataclass(frozen=True)
class BatchSettings:
    """How stacks are read and analyzed, and what is written.

    Attributes
    ----------
    typed
        What the user typed for the steps of the analysis.
    xy_um, z_um
        Voxel size, for files that do not tell it.
    channel, frame
        0-based, for files with several.
    z_range
        First plane and the plane after the last one (0-based).
    outputs
        Kinds of output, of :data:`deepd3_ij.outputs.registry.OUTPUTS`.
    """

    typed: Typed
    xy_um: float | None = None
    z_um: float | None = None
    channel: int | None = None
    frame: int | None = None
    z_range: tuple[int, int] | None = None
    outputs: tuple[str, ...] = USUAL

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the record of what is done."""
        plain = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**plain, "typed": {cls.__name__: dict(values) for cls, values in self.typed.items() if values},
                "outputs": list(self.outputs)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> BatchSettings:
        """Settings from what :meth:`to_dict` gave, also after a way through JSON."""
        from deepd3_ij.pipeline import STEPS

        classes = {step.__name__: step for step in STEPS}
        z_range = plain["z_range"]
        return cls(**{**plain, "typed": {classes[name]: dict(values) for name, values in plain["typed"].items()},
                      "outputs": tuple(plain["outputs"]),
                      "z_range": None if z_range is None else (int(z_range[0]), int(z_range[1]))})
