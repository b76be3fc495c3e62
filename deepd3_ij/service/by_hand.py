"""What a person decided about spines in ImageJ, and measuring with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import FijiError
from deepd3_ij.names import KEPT, REDRAWN
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.service.exchange import REINSTALL
from deepd3_ij.service.registry import Choices

if TYPE_CHECKING:
    from deepd3_ij.measurement import Measurements
    from deepd3_ij.measurement.geometry import Placed

_NUMBERS = 6


@dataclass(frozen=True)
class ByHand:
    """Decisions of a person.

    Attributes
    ----------
    placed
        By spine, its base and tip.
    reviewed
        By spine, what was decided when it was looked at again.
    """

    placed: Mapping[int, Placed] = field(default_factory=dict)
    reviewed: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> ByHand:
        """Read the decisions that a script sent."""
        from deepd3_ij.measurement.geometry import Placed

        try:
            numbers = {int(spine): tuple(map(float, ends)) for spine, ends in values["placed"].items()}
            reviewed = {int(spine): str(decision) for spine, decision in values["reviewed"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FijiError(f"What was decided by hand is not understood ({error}); {REINSTALL}.") from error
        for spine, ends in numbers.items():
            if len(ends) != _NUMBERS or not all(map(math.isfinite, ends)):
                raise FijiError(f"Base and tip of spine {spine} are {ends}; accepted: z, y and x of both in µm.")
        for spine, decision in reviewed.items():
            if decision not in (KEPT, REDRAWN):
                raise FijiError(f"Spine {spine} is {decision!r}; accepted: {KEPT} or {REDRAWN}.")
        return cls({spine: Placed((ends[0], ends[1], ends[2]), (ends[3], ends[4], ends[5]))
                    for spine, ends in numbers.items()}, reviewed)


NOTHING_BY_HAND = ByHand()


def measured(rois: RoiSet, prediction: xr.Dataset, stack: xr.DataArray | None, choices: Choices, by_hand: ByHand,
             progress: Progress) -> Measurements:
    """Measure: base and tip are where a person placed them, and a column tells what was reviewed."""
    from deepd3_ij.measurement import measure
    from deepd3_ij.measurement.columns import REVIEW_COLUMNS

    tables = measure(rois, prediction, stack, choices.typed.get(MeasureParameters), progress, placed=by_hand.placed)
    if not by_hand.reviewed:
        return tables
    review = [by_hand.reviewed.get(int(spine), "") for spine in tables.spines["id"]]
    (name,) = REVIEW_COLUMNS
    return replace(tables, spines=tables.spines.assign(**{name: np.array(review, dtype=object)}))
