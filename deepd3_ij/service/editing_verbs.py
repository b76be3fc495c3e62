"""Verbs that correct ROIs: each gets the outlines that it is about, and answers those that take their place."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from deepd3_ij.errors import FijiError
from deepd3_ij.parameters import DialogParameters, Roi3DParameters, parameter, recommended_of
from deepd3_ij.progress import Progress
from deepd3_ij.rois.editing import grow_outline, merge_rois, split_roi
from deepd3_ij.rois.labels import renumber
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.service.dialogs import Section, add_dialog
from deepd3_ij.service.exchange import REINSTALL, Image, Outlines, Reply, grid, rois_reply, table_values
from deepd3_ij.service.registry import NOTHING_CHOSEN, Bytes, Choices, Map, verb
from deepd3_ij.stack import label_like, voxel_size_um


@dataclass(frozen=True)
class SpinesParameters(DialogParameters):
    """Which spines a correction is about."""

    spines: str = parameter("", "Numbers of the spines, for example 3, 7; empty: those selected in the spine panel or "
                            "the ROI Manager.")


@dataclass(frozen=True)
class CutParameters(DialogParameters):
    """Where a spine is cut."""

    line: str | None = parameter(None, "Ends of a straight cut in pixels, x,y;x,y; empty: the straight line that is "
                                 "drawn on the image, else at the waist.", label="Cut along")


@dataclass(frozen=True)
class OutlineParameters(DialogParameters):
    """The outline of a new spine."""

    outline: str | None = parameter(None, "Corners of the outline in pixels, x,y;x,y;…; empty: the selection on the "
                                    "image.")
    plane: int | None = parameter(None, "Plane of the outline, from 1; empty: the one that is shown.", low=1,
                                  high=1_000_000)
    grow: bool = parameter(True, "Follow it through the planes above and below, as far as the spine map reaches.",
                           label="Grow through planes")
    instead_of: int | None = parameter(None, "Number of a spine whose place it takes; empty: it is a new one.", low=1,
                                       high=2**31 - 1, label="Redraws spine")


@dataclass(frozen=True)
class EndsParameters(DialogParameters):
    """Where base and tip of a spine are."""

    ends: str | None = parameter(None, "Base and tip in pixels, x,y;x,y; empty: the straight line that is drawn on the "
                                 "image, from base to tip.", label="Base and tip")
    base_plane: float | None = parameter(None, "Plane of the base, from 1; empty: the one that is shown.", low=1,
                                         high=1_000_000)
    tip_plane: float | None = parameter(None, "Plane of the tip, from 1; empty: the one that is shown.", low=1,
                                        high=1_000_000)


@dataclass(frozen=True)
class ReviewParameters(DialogParameters):
    """Which spines are looked at again."""

    most: int = parameter(20, "Largest number of spines to go through, the most doubtful first.", low=1, high=1_000_000,
                          label="Number of spines")
    again: bool = parameter(False, "Also those that were kept or redrawn before.", label="Also those reviewed before")


add_dialog("Delete Spines...", Section(SpinesParameters))
add_dialog("Merge Spines...", Section(SpinesParameters))
add_dialog("Split Spine...", Section(SpinesParameters), Section(CutParameters))
add_dialog("Add Spine...", Section(OutlineParameters))
add_dialog("Keep Spines...", Section(SpinesParameters))
add_dialog("Place Spine Base and Tip...", Section(SpinesParameters), Section(EndsParameters))
add_dialog("Review Doubtful Spines...", Section(ReviewParameters))
add_dialog("Spine Profile...", Section(SpinesParameters))
add_dialog("Show or Hide Spine Shapes")
add_dialog("Undo Spine Correction")
add_dialog("Spine Panel")


@verb("merge_rois")
def merge(progress: Progress, *, image: Image, shape: list[int], rois: Outlines,
          outlines: Bytes | None = None) -> Reply:
    """Make one spine of all that have an outline."""
    found, corner = rois.crop(outlines, grid(image, shape))
    return rois_reply(merge_rois(found, found.ids.tolist()), corner)


@verb("split_roi")
def split(progress: Progress, *, image: Image, shape: list[int], rois: Outlines, outlines: Bytes | None = None,
          new_id: int, line: list[float] | None = None) -> Reply:
    """Make two spines of the one that the outlines belong to; `line`: y, x of two points in corner coordinates."""
    found, corner = rois.crop(outlines, grid(image, shape))
    if len(found) != 1:
        raise FijiError(f"{len(found)} spines are to be split; choose one.")
    roi_id = int(found.ids[0])
    ends = None
    if line is not None:
        if len(line) != 4:
            raise FijiError(f"The cut has {len(line)} numbers; accepted: x and y of two points.")
        ends = ((line[0] - corner[1], line[1] - corner[2]), (line[2] - corner[1], line[3] - corner[2]))
    parts = split_roi(found, roi_id, ends)
    labels = renumber(parts.labels.values, parts.ids, np.where(parts.ids == roi_id, roi_id, new_id))
    return rois_reply(RoiSet(parts.labels.copy(data=labels), found.dimensions, found.provenance), corner)


@verb("grow_roi")
def grow(progress: Progress, *, image: Image, shape: list[int], rois: Outlines, outlines: Bytes, new_id: int,
         others: Outlines, other_outlines: Bytes | None = None, spine: Map | None = None,
         corner: list[int] | None = None, provenance: str = "{}", choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Make a spine of an outline in one plane, and follow it through the planes of a spine map, if there is one.

    The map is a crop that holds the outline and all planes; `corner` is its first voxel (z, y, x). `others` are the
    outlines of the other spines near it.
    """
    like = grid(image, shape)
    if spine is None:
        drawn, place = rois.crop(outlines, like)
        labels = np.where(drawn.labels.values > 0, new_id, 0).astype(np.int32)
        return rois_reply(RoiSet(drawn.labels.copy(data=labels), 3), place)
    if corner is None or len(corner) != 3:
        raise FijiError(f"The crop of the spine map comes without its corner; {REINSTALL}.")
    whole = rois.rois(outlines, like).labels.values
    z, y, x = (slice(first, first + size) for first, size in zip(corner, spine.shape, strict=True))
    crop = like.isel(z=z, y=y, x=x)
    drawn_here = whole[z, y, x] > 0
    planes = np.flatnonzero(drawn_here.any(axis=(1, 2)))
    if len(planes) != 1:
        raise FijiError(f"The outline lies in {len(planes)} planes of the image; draw it in one plane, inside of the "
                        "image.")
    free = others.rois(other_outlines, like).labels.values[z, y, x] == 0
    recommended = recommended_of(json.loads(provenance))
    threshold = choices.resolve(Roi3DParameters, recommended, voxel_size_um(crop)).parameters.area_threshold
    plane = int(planes[0])
    grown = grow_outline(drawn_here[plane], plane, spine, free, threshold)
    volume = label_like(np.where(grown, new_id, 0).astype(np.int32), crop)
    return rois_reply(RoiSet(volume, 3), (corner[0], corner[1], corner[2]))


@verb("roi_table")
def table(progress: Progress, *, image: Image, shape: list[int], rois: Outlines,
          outlines: Bytes | None = None) -> Reply:
    """What can be measured of ROIs without a prediction."""
    found = rois.rois(outlines, grid(image, shape))
    headings, values = table_values(found.table)
    return Reply({"spines": headings}, {"spine_values": values})
