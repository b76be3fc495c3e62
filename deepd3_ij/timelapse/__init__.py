"""The same spines at several time points: registration, links, states, tables."""

from deepd3_ij.timelapse.following import Timelapse, link_timepoints
from deepd3_ij.timelapse.timepoint import TimePoint

__all__ = ["TimePoint", "Timelapse", "link_timepoints"]
