"""How well links and changes agree with known ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
    """

    truth: int
    made: int
    right: int
    gap_links: int

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


def score_links(detections: Detections, links: Links, true_track: np.ndarray) -> LinkScores:
    """Compare links with true tracks.

    Parameters
    ----------
    detections, links
        As linked.
    true_track
        True track of each detection, int64; 0 or less for one that belongs to none.
    """
    known = true_track > 0
    session = detections.session
    places = {(int(each), int(own)) for each, own in zip(true_track[known], session[known], strict=True)}
    truth = sum((each, own + 1) in places for each, own in places)
    near = session[links.second] - session[links.first] == 1
    right = near & (true_track[links.first] == true_track[links.second]) & known[links.first]
    return LinkScores(truth, int(near.sum()), int(right.sum()), int((~near).sum()))
