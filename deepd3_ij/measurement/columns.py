"""The columns of the tables of spines and dendrites: what they hold, in which unit, and when they are there.

Tables, the pages of the documentation and the tables in Fiji take them from here. A value that light or the data cannot
give is NaN, and ``quality`` of its row says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from deepd3_ij.names import KEPT, REDRAWN
from deepd3_ij.parameters import MeasureParameters

SIDES = ("left", "right", "above", "below")
"""Where a spine lies, seen along its dendrite's centre line; empty if it is not known."""
SPLITS = ("minimum", "half rise", "none")
"""How head and neck were told apart: by a minimum of the light between base and head, by its rise to the head once the
shaft's light is taken off, or not at all (stubby or unresolved)."""
SOURCES = ("measured", "user")
"""Who placed base and tip."""
QUALITIES = ("saturated", "touches border", "overlaps neighbour", "above or below shaft", "inside dendrite",
             "no dendrite", "no image", "low signal", "below resolution", "no split", "thin shaft", "one plane",
             "no calibration")
"""Reasons in ``quality``, separated by semicolons; each says what is missing or doubtful."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    kind
        NumPy's name of its type; "object" for texts, which are empty where nothing is known.
    meaning
        One line for the documentation.
    also
        What other programs call it.
    """

    kind: str
    meaning: str
    also: str = ""


def _um(meaning: str, also: str = "") -> Column:
    return Column("float64", meaning, also)


def _number(meaning: str, also: str = "") -> Column:
    return Column("float64", meaning, also)


def _count(meaning: str) -> Column:
    return Column("int64", meaning)


SPINE_COLUMNS: Mapping[str, Column] = {
    "id": _count("number of the ROI"),
    "z_um": _um("centroid of the voxels"), "y_um": _um("centroid of the voxels"),
    "x_um": _um("centroid of the voxels"),
    "z_px": _number("the same in planes from 0"), "y_px": _number("the same in pixels"),
    "x_px": _number("the same in pixels"),
    "planes": _count("number of planes with voxels"), "voxels": _count("number of voxels of the ROI"),
    "volume_um3": _number("volume of the ROI's voxels; depends on thresholds and blur"),
    "max_probability": _number("largest spine probability"), "mean_probability": _number("mean spine probability"),
    "dendrite_id": _count("nearest dendrite; 0 if there is none"),
    "distance_to_dendrite_um": _um("gap between the surfaces of ROI and dendrite; 0 if they touch"),
    "position_along_dendrite_um": _um("along the centre line, from one end of the longest path", "position"),
    "first_plane": _count("first plane with voxels, from 0"), "last_plane": _count("last plane with voxels, from 0"),
    "min_y_px": _count("bounding box"), "max_y_px": _count("bounding box"),
    "min_x_px": _count("bounding box"), "max_x_px": _count("bounding box"),
    "largest_area_um2": _number("area in the plane with most voxels"),
    "equivalent_diameter_um": _um("diameter of the ball with the ROI's volume"),
}
"""Of every table of spines."""

INTENSITY_COLUMNS: Mapping[str, Column] = {
    "mean_intensity": _number("mean grey level of the ROI"),
    "background_intensity": _number("median grey level around it, without ROIs and dendrites"),
    "integrated_intensity": _number("sum over the ROI less its background"),
}
"""With an image."""

SHAPE_COLUMNS: Mapping[str, Column] = {
    "base_z_um": _um("where the spine leaves the shaft, at half of the shaft's light"), "base_y_um": _um("the same"),
    "base_x_um": _um("the same"),
    "tip_z_um": _um("the farthest end"), "tip_y_um": _um("the same"), "tip_x_um": _um("the same"),
    "head_z_um": _um("middle of the head"), "head_y_um": _um("the same"), "head_x_um": _um("the same"),
    "length_um": _um("straight from base to tip", "spine_length_euclidean, straight length"),
    "length_xy_um": _um("the same in the plane"),
    "path_length_um": _um("along the spine from base to tip", "spine_length, backbone length"),
    "angle_deg": _number("between spine and dendrite, 0 to 90"),
    "azimuth_deg": _number("around the dendrite, −180 to 180: 0 = to later planes, 90 = left, −90 = right"),
    "side": Column("object", f"one of {', '.join(SIDES)} (above: later planes), seen along the centre line"),
    "head_fwhm_um": _um("apparent width of the head (full width at half maximum), blur included"),
    "head_diameter_um": _um("diameter of the head without the microscope's blur", "head diameter"),
    "head_diameter_se_um": _um("standard error of it"),
    "volume_relative": _um("light of the head, in µm of shaft that hold as much light"),
    "volume_relative_se": _um("standard error of it"),
    "volume_intensity_um3": _number("the same times the shaft's cross section", "head volume"),
    "neck_length_um": _um("from base to the split between neck and head", "neck length"),
    "neck_length_se_um": _um("standard error of it"),
    "neck_contrast": _number("light of the neck at its dimmest over that of the head; not a width"),
    "neck_gap_um": _um("length of the way to the shaft on which nothing is seen"),
    "head_neck_split": Column("object", f"one of {', '.join(SPLITS)}"),
    "saturated_fraction": _number("share of saturated voxels of the head or of the shaft beside it, the larger one"),
    "previous_gap_um": _um("to the neighbour before it on the same branch, along the centre line"),
    "next_gap_um": _um("to the neighbour after it"),
    "nearest_spine_um": _um("to the nearest spine along the tree of centre lines"),
    "geometry_source": Column("object", f"who placed base and tip: one of {', '.join(SOURCES)}"),
    "quality": Column("object", "reasons for missing or doubtful values, separated by semicolons"),
}
"""If shapes are measured."""

CONFIDENCE_COLUMNS: Mapping[str, Column] = {
    "confidence": _number("probability that the ROI is a spine, calibrated on annotated stacks"),
}
"""Of every table of spines; NaN if the prediction's model has no calibration, and without any dendrite."""

CLASS_COLUMNS: Mapping[str, Column] = {
    "spine_class": Column("object", "most probable class, or undecided"),
    "class_probability": _number("its probability"),
}
"""If classes are asked for."""

REVIEW_COLUMNS: Mapping[str, Column] = {
    "review": Column("object", f"what a person decided when reviewing spines in Fiji: {KEPT} or {REDRAWN}; empty for "
                     "those that nobody looked at"),
}
"""If spines were reviewed in Fiji."""

DENDRITE_COLUMNS: Mapping[str, Column] = {
    "id": _count("number of the dendrite"),
    "length_um": _um("of all branches of the centre line"),
    "longest_path_um": _um("from end to end along the longest way"),
    "branches": _count("number of branches"), "spines": _count("number of spines"),
    "density_per_um": _number("spines per µm of its length; a lower bound"),
    "voxels": _count("number of voxels"), "volume_um3": _number("volume of its voxels"),
    "mean_radius_um": _um("mean distance from the centre line to the nearest surface"),
    "mean_probability": _number("mean dendrite probability"),
    "z_um": _um("centroid of the voxels"), "y_um": _um("centroid of the voxels"),
    "x_um": _um("centroid of the voxels"),
    "first_plane": _count("first plane with voxels, from 0"), "last_plane": _count("last plane with voxels, from 0"),
    "min_y_px": _count("bounding box"), "max_y_px": _count("bounding box"),
    "min_x_px": _count("bounding box"), "max_x_px": _count("bounding box"),
    "density_low_per_um": _number("lower limit of the density, 95 % interval of the count"),
    "density_high_per_um": _number("upper limit of it"),
    "branch_orders": _count("highest order of a branch, one more behind every place where the dendrite branches"),
    "order_from": Column("object", "where orders begin: the thicker end of the longest path"),
    "mean_diameter_um": _um("mean diameter from light, without the microscope's blur if that is given"),
    "taper_um_per_um": _number("change of the diameter per µm along the longest path, median over pairs of places"),
    "surface_um2": _number("surface of a chain of frusta with these diameters"),
    "tube_volume_um3": _number("volume of it"),
    "gap_cv": _number("standard deviation of the gaps between neighbouring spines over their mean; 1 by chance"),
    "nearest_gap_ratio": _number("mean distance to the nearest spine over that of chance, below 1 for clusters",
                                 "Clark–Evans ratio"),
    "k_ratio": _number("number of other spines within 2 µm along the tree over that of 199 redraws"),
    "spacing_p": _number("share of redraws that differ as much from the mean as the spines do"),
}
"""Of every table of dendrites."""


def spine_columns(parameters: MeasureParameters, *, with_image: bool) -> dict[str, Column]:
    """The columns of a table of spines, in their order."""
    groups = [SPINE_COLUMNS]
    if with_image:
        groups.append(INTENSITY_COLUMNS)
    if parameters.shapes:
        groups.append(SHAPE_COLUMNS)
    groups.append(CONFIDENCE_COLUMNS)
    if parameters.shapes and parameters.spine_classes:
        groups.append(CLASS_COLUMNS)
    return {name: column for group in groups for name, column in group.items()}


def as_table(columns: Mapping[str, object], wanted: Mapping[str, Column]) -> pd.DataFrame:
    """A table of these columns, in their order and of their types."""
    return pd.DataFrame(columns, columns=list(wanted)).astype(kinds(wanted))


def kinds(columns: Mapping[str, Column]) -> dict[str, str]:
    """Name of the type of each column."""
    return {name: column.kind for name, column in columns.items()}


def described(columns: Mapping[str, Column]) -> Iterable[tuple[str, str, str]]:
    """Name, meaning and other programs' name of each column, for the documentation."""
    return ((name, column.meaning, column.also) for name, column in columns.items())
