"""Verbs that build ROIs or read those of ImageJ."""

from __future__ import annotations

import numpy as np

from deepd3_ij.errors import FijiError
from deepd3_ij.parameters import Roi2DParameters, Roi3DParameters, recommended_of
from deepd3_ij.progress import Progress
from deepd3_ij.service.exchange import (
    REINSTALL,
    Image,
    Outlines,
    Reply,
    built_reply,
    describe_image,
    grid,
    rois_reply,
    with_corrections,
)
from deepd3_ij.service.registry import NOTHING_CHOSEN, Bytes, Choices, Map, Pixels, verb
from deepd3_ij.stack import label_prediction, provenance_of, voxel_size_um


@verb("build_rois_2d")
def build_rois_2d(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
                  choices: Choices = NOTHING_CHOSEN, shown_rois: Outlines | None = None,
                  shown_outlines: Bytes | None = None, now_rois: Outlines | None = None,
                  now_outlines: Bytes | None = None) -> Reply:
    """Build 2-D ROIs plane by plane; with ROIs that were shown and those there are now, corrections are kept."""
    from deepd3_ij.rois import build_rois_2d as build

    prediction = image.prediction(dendrite, spine, provenance)
    built = build(prediction, choices.typed.get(Roi2DParameters), progress)
    return built_reply(built, with_corrections(built, prediction, (shown_rois, shown_outlines),
                                               (now_rois, now_outlines)))


@verb("build_rois_3d")
def build_rois_3d(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
                  choices: Choices = NOTHING_CHOSEN, shown_rois: Outlines | None = None,
                  shown_outlines: Bytes | None = None, now_rois: Outlines | None = None,
                  now_outlines: Bytes | None = None) -> Reply:
    """Build 3-D ROIs; with ROIs that were shown and those there are now, corrections are kept."""
    from deepd3_ij.rois import build_rois_3d as build

    prediction = image.prediction(dendrite, spine, provenance)
    resolved = choices.resolve(Roi3DParameters, recommended_of(provenance_of(prediction)), voxel_size_um(prediction))
    built = build(prediction, resolved, progress)
    return built_reply(built, with_corrections(built, prediction, (shown_rois, shown_outlines),
                                               (now_rois, now_outlines)))


@verb("test_rois")
def try_rois(progress: Progress, *, image: Image, spine: Map | None = None, grey: Pixels | None = None,
             display_range: list[float] | None = None, choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Build 3-D ROIs on a crop of a spine map, or of grey levels of which a range counts as 0 to 1.

    Outlines are relative to the crop.
    """
    from deepd3_ij.rois import build_rois_3d as build

    if grey is not None and display_range is not None and len(display_range) == 2:
        low, high = display_range
        spine = np.clip((grey.astype(np.float32) - low) / max(high - low, 1e-9), 0, 1, dtype=np.float32)
    if spine is None:
        raise FijiError(f"There is neither a spine map nor grey levels with their display range; {REINSTALL}.")
    like = image.stack(spine)
    prediction = label_prediction(np.zeros_like(spine), spine, like, {})
    return rois_reply(build(prediction, choices.typed.get(Roi3DParameters)))


@verb("labels")
def label_volume(progress: Progress, *, image: Image, shape: list[int], rois: Outlines,
                 outlines: Bytes | None = None) -> Reply:
    """Labels of the ROIs as they are in ImageJ now."""
    found = rois.rois(outlines, grid(image, shape))
    pixels = found.labels.values
    narrow = found.ids.max(initial=0) < 2**16
    return Reply({"image": describe_image(found.labels), "count": len(found)},
                 {"labels": pixels.astype(np.uint16 if narrow else np.float32)})
