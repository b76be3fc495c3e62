"""ROIs: building them in 2-D and 3-D, their outlines, and the set that holds them."""

from deepd3_ij.rois.building_2d import build_rois_2d
from deepd3_ij.rois.building_3d import build_rois_3d
from deepd3_ij.rois.contours import Contours, rasterise, trace_contours
from deepd3_ij.rois.editing import grow_outline, keep_corrections, merge_rois, split_roi
from deepd3_ij.rois.roiset import RoiSet

__all__ = ["Contours", "RoiSet", "build_rois_2d", "build_rois_3d", "grow_outline", "keep_corrections", "merge_rois",
           "rasterise", "split_roi", "trace_contours"]
