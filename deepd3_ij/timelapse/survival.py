"""How long spines live: surviving fractions and the estimate of Kaplan & Meier (J. Am. Stat. Assoc. 53 (1958) 457–481).

A spine dies in the middle between the last time point at which it was there and the first at which it was absent. One
that cannot be followed to the end is censored when it was last there. Spines of the first time point are of unknown age
(the cohort "first"); those that were born while somebody looked start when they appeared (the cohort "born").
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from deepd3_ij.timelapse.states import States

FIRST, BORN = "first", "born"
COLUMNS = ("cohort", "days", "at_risk", "died", "censored", "survival", "low", "high", "present_fraction", "judged")


def lifetimes(states: States, times: np.ndarray, cohort: str) -> tuple[np.ndarray, np.ndarray]:
    """How long the spines of a cohort were followed, and which of them died.

    Parameters
    ----------
    states
        Of all tracks.
    times
        Of the time points, rising, float64.
    cohort
        "first" or "born".

    Returns
    -------
    tuple of numpy.ndarray
        Days (float64) and whether it died (bool), both of shape ``(spines,)``.
    """
    days, died = [], []
    for there, decided in zip(states.there, states.decided, strict=True):
        known = np.flatnonzero(decided)
        if len(known) < 2 or not there[known].any():
            continue
        begin = int(there[known].argmax())
        if (cohort == FIRST) != (begin == 0 and known[0] == 0):
            continue
        if cohort == BORN and begin == 0:
            continue  # its birth was not seen
        last = len(known) - 1 - int(there[known][::-1].argmax())
        start = times[known[begin]] if cohort == FIRST else (times[known[begin]] + times[known[begin - 1]]) / 2
        dead = last + 1 < len(known)
        end = (times[known[last]] + times[known[last + 1]]) / 2 if dead else times[known[last]]
        days.append(end - start)
        died.append(dead)
    return np.array(days, dtype=np.float64), np.array(died, dtype=bool)


def kaplan_meier(days: np.ndarray, died: np.ndarray) -> pd.DataFrame:
    """Estimate of the survival with its 95 % interval (Greenwood's variance, on the scale of log(−log S)).

    Parameters
    ----------
    days, died
        As of :func:`lifetimes`.

    Returns
    -------
    pandas.DataFrame
        One row per time at which something happened, after one for day 0: ``days, at_risk, died, censored, survival,
        low, high``. The censored of a time are still at risk at it.
    """
    rows = [(0.0, len(days), 0, 0, 1.0, 1.0, 1.0)]
    survival, greenwood = 1.0, 0.0
    for day in np.unique(days):
        risk = int((days >= day).sum())
        dead = int(((days == day) & died).sum())
        survival *= 1 - dead / risk
        greenwood += dead / (risk * (risk - dead)) if risk > dead else math.inf
        low, high = _limits(survival, greenwood)
        rows.append((float(day), risk, dead, int(((days == day) & ~died).sum()), survival, low, high))
    return pd.DataFrame(rows, columns=["days", "at_risk", "died", "censored", "survival", "low", "high"])


def _limits(survival: float, greenwood: float) -> tuple[float, float]:
    if survival in (0.0, 1.0) or not math.isfinite(greenwood):
        return survival, survival
    spread = 1.96 * math.sqrt(greenwood) / abs(math.log(survival))
    return survival ** math.exp(spread), survival ** math.exp(-spread)


def surviving_fraction(states: States, times: np.ndarray) -> pd.DataFrame:
    """Share of the spines of the first time point that are there at each, of those that can be judged at both."""
    first = states.decided[:, 0] & states.there[:, 0]
    rows = []
    for number, time in enumerate(times):
        judged = first & states.decided[:, number]
        share = float(states.there[judged, number].mean()) if judged.any() else math.nan
        rows.append((float(time - times[0]), int(judged.sum()), share))
    return pd.DataFrame(rows, columns=["days", "judged", "present_fraction"])


def survival_table(states: States, times: np.ndarray) -> pd.DataFrame:
    """Kaplan-Meier's estimate of both cohorts, and the plain fractions of the first one, below each other."""
    parts = [kaplan_meier(*lifetimes(states, times, cohort)).assign(cohort=cohort) for cohort in (FIRST, BORN)]
    parts.append(surviving_fraction(states, times).assign(cohort="fraction"))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))
