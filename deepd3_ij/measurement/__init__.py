"""Tables of spines and dendrites, and how well detections agree with annotations."""

from deepd3_ij.measurement.measurements import Measurements, measure

__all__ = ["Measurements", "measure"]
