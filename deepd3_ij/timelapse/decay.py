"""Exponentials fitted to survival curves: one population of spines, or two that live differently long."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeWarning, curve_fit

from deepd3_ij.timelapse.survival import BORN, FIRST

ONE, TWO = "a*exp(b*t)", "a*exp(b*t)+c*exp(d*t)"
NAMES = ("a", "b", "c", "d")
FIT_COLUMNS = ("cohort", "model", "points", *(f"{name}{end}" for name in NAMES for end in ("", "_se")), "rms", "reason")


def one_exponential(days: np.ndarray, a: float, b: float) -> np.ndarray:
    """``a*exp(b*t)``."""
    return np.asarray(a * np.exp(b * days))


def two_exponentials(days: np.ndarray, a: float, b: float, c: float, d: float) -> np.ndarray:
    """``a*exp(b*t)+c*exp(d*t)``."""
    return np.asarray(a * np.exp(b * days) + c * np.exp(d * days))


def survival_fits(survival: pd.DataFrame) -> pd.DataFrame:
    """Fit one and two exponentials to Kaplan-Meier's estimate of each cohort, by least squares.

    Parameters
    ----------
    survival
        As of :func:`deepd3_ij.timelapse.survival.survival_table`.

    Returns
    -------
    pandas.DataFrame
        One row per cohort and model: ``a, b, c, d`` (b and d per day, at most 0) with standard errors, root mean square
        of the residuals; NaN, and why in ``reason``, where nothing can be fitted. Points of one curve are not
        independent, so the errors are rather too small.
    """
    rows = []
    for cohort in (FIRST, BORN):
        steps = survival[survival["cohort"] == cohort]
        days, values = steps["days"].to_numpy(dtype=np.float64), steps["survival"].to_numpy(dtype=np.float64)
        for model, function in ((ONE, one_exponential), (TWO, two_exponentials)):
            rows.append({"cohort": cohort, "model": model, "points": len(days), **_fit(function, days, values)})
    return pd.DataFrame(rows).reindex(columns=list(FIT_COLUMNS)).fillna({"reason": ""})


def _fit(function: Callable[..., np.ndarray], days: np.ndarray, values: np.ndarray) -> dict[str, object]:
    count = 2 if function is one_exponential else 4
    if len(days) <= count:
        return {"reason": f"{len(days)} points; needed: {count + 1}"}
    if np.ptp(values) == 0:
        return {"reason": "no spine died"}
    length = float(days.max())
    start = [1.0, -1 / length] if count == 2 else [0.5, -3 / length, 0.5, -0.3 / length]
    low, high = [0.0, -100 / length] * (count // 2), [1.5, 0.0] * (count // 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            found, covariance = curve_fit(function, days, values, p0=start, bounds=(low, high), maxfev=5000)
    except (RuntimeError, OptimizeWarning):
        return {"reason": "the fit did not converge"}
    errors = np.sqrt(np.diag(covariance))
    if not np.isfinite(errors).all() or (count == 4 and _is_one(found, errors)):
        return {"reason": "one exponential is enough" if count == 4 else "the fit did not converge"}
    if count == 4 and found[1] > found[3]:  # the faster one first
        found, errors = found[[2, 3, 0, 1]], errors[[2, 3, 0, 1]]
    rms = math.sqrt(float(((function(days, *found) - values) ** 2).mean()))
    return {**dict(zip(NAMES, found.tolist(), strict=False)),
            **{f"{name}_se": error for name, error in zip(NAMES, errors.tolist(), strict=False)}, "rms": rms}


def _is_one(found: np.ndarray, errors: np.ndarray) -> bool:
    """Whether the data do not tell two exponentials apart: one share or the difference of rates is within its error."""
    return bool(found[0] <= errors[0] or found[2] <= errors[2]
                or abs(found[1] - found[3]) <= math.hypot(errors[1], errors[3]))
