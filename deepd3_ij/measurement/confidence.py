"""How sure it is that a ROI is a spine: a probability from what is measured of it anyway.

A logistic model, whose few numbers are in the card of the network (``confidence``) and, through the provenance, in
every prediction that it made. It is fitted by :mod:`deepd3_ij.training.confidence_fit` on annotated stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deepd3_ij.errors import ModelError
from deepd3_ij.parameters import is_number

Values = npt.NDArray[np.float64]


def _peak_log_odds(spines: pd.DataFrame) -> Values:
    peak = np.clip(spines["max_probability"].to_numpy(dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.log(peak / (1 - peak))


def _log_area(spines: pd.DataFrame) -> Values:
    return np.log(spines["largest_area_um2"].to_numpy(dtype=np.float64))


def _log_depth(spines: pd.DataFrame) -> Values:
    return np.log((spines["volume_um3"] / spines["largest_area_um2"]).to_numpy(dtype=np.float64))


def _gap(spines: pd.DataFrame) -> Values:
    return spines["distance_to_dendrite_um"].to_numpy(dtype=np.float64)


FEATURES: Mapping[str, Callable[[pd.DataFrame], Values]] = {
    "peak_log_odds": _peak_log_odds,
    "log_largest_area_um2": _log_area,
    "log_depth_um": _log_depth,
    "distance_to_dendrite_um": _gap,
}
"""What a model may look at: all of it is in every table, with or without an image."""


@dataclass(frozen=True)
class Term:
    """What one feature adds to the logarithm of the odds.

    Attributes
    ----------
    weight
        Per unit of the feature.
    low, high
        Range in which it was seen; values outside of it count as the nearer end.
    """

    weight: float
    low: float
    high: float


@dataclass(frozen=True)
class ConfidenceModel:
    """A logistic model of features of ROIs.

    Attributes
    ----------
    terms
        By names of :data:`FEATURES`.
    intercept
        Logarithm of the odds where all features are 0.
    """

    terms: Mapping[str, Term]
    intercept: float

    def to_dict(self) -> dict[str, Any]:
        """The model as a card holds it."""
        return {"intercept": self.intercept, "terms": {name: vars(term) for name, term in self.terms.items()}}

    @classmethod
    def from_dict(cls, values: Any) -> ConfidenceModel:
        """Take a model from a card.

        Raises
        ------
        ModelError
            It is no such model, or looks at what this version does not know.
        """
        terms = values.get("terms") if isinstance(values, Mapping) else None
        if not isinstance(terms, Mapping) or not is_number(values.get("intercept")):
            raise ModelError(f"The model card's confidence is {values!r}; accepted: a table with 'intercept' and "
                             "'terms'. Calibrate the model again.")
        for name, term in terms.items():
            if name not in FEATURES or not isinstance(term, Mapping) or set(term) != {"weight", "low", "high"} or not (
                    all(map(is_number, term.values())) and term["low"] <= term["high"]):
                raise ModelError(f"The model card's confidence has the term {name!r}: {term!r}; accepted: weight, low "
                                 f"and high for {', '.join(FEATURES)}. Calibrate the model again.")
        return cls({name: Term(**{key: float(value) for key, value in term.items()}) for name, term in terms.items()},
                   float(values["intercept"]))

    def __call__(self, spines: pd.DataFrame) -> Values:
        """Probability that each ROI of a table is a spine, float64, shape ``(n,)``; NaN where a measure is missing."""
        odds = np.full(len(spines), self.intercept)
        for name, term in self.terms.items():
            odds += term.weight * np.clip(FEATURES[name](spines), term.low, term.high)
        return 1 / (1 + np.exp(-odds))


def confidence_model_of(provenance: Mapping[str, Any]) -> ConfidenceModel | None:
    """The model for the ROIs of a prediction, if the network that made it has one.

    Raises
    ------
    ModelError
        The provenance states something else.
    """
    network = provenance.get("model")
    stated = network.get("confidence") if isinstance(network, Mapping) else None
    return ConfidenceModel.from_dict(stated) if stated else None


def confidences(spines: pd.DataFrame, provenance: Mapping[str, Any], *, dimensions: int = 3) -> Values:
    """Probability that each ROI is a spine.

    Parameters
    ----------
    spines
        Table with the columns of every table of spines.
    provenance
        Of the prediction, which holds the calibration of its network.
    dimensions
        Of the ROIs. Calibrations hold for ROIs through planes.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(n,)``; NaN without a calibration, without any dendrite, and for ROIs of single planes.
    """
    model = confidence_model_of(provenance)
    return np.full(len(spines), np.nan) if model is None or dimensions != 3 else model(spines)


def doubtful_first(confidence: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Rows in the order in which a person should look at them: from the least probable spine on.

    A ROI stays unless somebody deletes it, so a look is worth the more, the less probable the ROI is.

    Parameters
    ----------
    confidence
        Probability that each ROI is a spine, shape ``(n,)``; NaN, which is not known, counts as one half.

    Returns
    -------
    numpy.ndarray
        Rows, int64, shape ``(n,)``; those that are alike stay in their order.
    """
    return np.argsort(np.nan_to_num(np.asarray(confidence, dtype=np.float64), nan=0.5), kind="stable")
