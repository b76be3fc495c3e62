"""How well links and changes agree with known ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from deepd3_ij.timelapse.linking import Detections, Links


@dataclass(frozen=True)
class LinkScores:
    """Links between neighbouring time points, compared with the truth.

    Attributes
    ----------
    truth, made, right
        Number of true links, of links that were made, and of those that are true.
    gap_links
        Links that were made over a missing time point; they count in none of the others.
    idf1
        Share of detections whose track is the one of the truth, over all time points (IDF1).
    """

    truth: int
    made: int
    right: int
    gap_links: int
    idf1: float

    @property
    def precision(self) -> float:
        """Share of the links made that are true; NaN without any."""
        return self.right / self.made if self.made else math.nan

    @property
    def recall(self) -> float:
        """Share of the true links that were made; NaN without any."""
        return self.right / self.truth if self.truth else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN without links."""
        whole = self.truth + self.made
        return 2 * self.right / whole if whole else math.nan


def score_links(detections: Detections, links: Links, track: np.ndarray, true_track: np.ndarray) -> LinkScores:
    """Compare links with true tracks.

    Parameters
    ----------
    detections, links
        As linked.
    track
        Track of each detection that the links make, int64.
    true_track
        True track of each detection, int64; 0 or less for one that belongs to none.
    """
    known = true_track > 0
    session = detections.session
    places = {(int(each), int(own)) for each, own in zip(true_track[known], session[known], strict=True)}
    truth = sum((each, own + 1) in places for each, own in places)
    near = session[links.second] - session[links.first] == 1
    right = near & (true_track[links.first] == true_track[links.second]) & known[links.first]
    return LinkScores(truth, int(near.sum()), int(right.sum()), int((~near).sum()), _idf1(track, true_track))


def _idf1(track: np.ndarray, true_track: np.ndarray) -> float:
    known = true_track > 0
    if not known.any():
        return math.nan
    own, true = np.unique(track[known], return_inverse=True)[1], np.unique(true_track[known], return_inverse=True)[1]
    together = np.zeros((own.max() + 1, true.max() + 1))
    np.add.at(together, (own, true), 1)
    same = together[linear_sum_assignment(together, maximize=True)].sum()
    return float(2 * same / (len(track) + known.sum()))
