"""What a user sees of an analysis: segmentation, ROIs, labels, projection, annotations; and corrections of ROIs."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepd3_ij import colours
from deepd3_ij.errors import FijiError
from deepd3_ij.fiji.hyperstacks import find_image, geometry
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.roi_manager import roi_id_of
from deepd3_ij.files.point_tables import read_positions
from deepd3_ij.names import ANNOTATION, MERGED, PREDICTION, ROLE
from deepd3_ij.notes import note

if TYPE_CHECKING:
    from deepd3_ij.fiji.host import Host

_NEAR_PLANES = 2


def show_segmentation(session: Host, image: Any, visible: bool) -> None:
    """Show or hide the probability maps of a merged view; for a prediction, its window.

    Raises
    ------
    FijiError
        The image shows no prediction.
    """
    image = find_image(session, image)
    role = text_of(image.getProp(ROLE))
    if role == MERGED:
        image.setActiveChannels("111" if visible else "100")
        image.updateAndDraw()
    elif role == PREDICTION and image.getWindow() is not None:
        image.getWindow().setVisible(visible)
    else:
        raise FijiError(f"{str(image.getTitle())!r} shows no segmentation; use a merged view or a prediction.")


def show_rois(session: Host, image: Any, visible: bool) -> None:
    """Show or hide the ROIs on an image, those of the ROI Manager and those of its overlay."""
    image = find_image(session, image)
    image.setHideOverlay(not visible)
    manager = None if session.headless else java_class("ij.plugin.frame.RoiManager").getInstance()
    if manager is not None:
        manager.runCommand(image, "Show All without labels" if visible else "Show None")


def import_annotations(session: Host, image: Any, path: str | PathLike[str]) -> int:
    """Draw annotated positions as blue points, in their plane and the planes next to it.

    Parameters
    ----------
    session
        Where the image is.
    image
        The image to draw on.
    path
        CSV table with the columns X, Y (pixels) and Z or Pos (plane), 0-based.

    Returns
    -------
    int
        Number of positions inside of the image.

    Raises
    ------
    AnnotationError
        A column is missing, or a value is no number.
    """
    image = find_image(session, image)
    positions = read_positions(path)
    planes, height, width = geometry(image).shape
    inside = ((positions >= 0) & (positions < (planes, height, width))).all(axis=1)
    outside = len(positions) - int(np.count_nonzero(inside))
    if outside:
        note(f"{Path(path).name}: {outside} of {len(positions)} positions lie outside of the image and are not shown; "
             "accepted: pixels and planes, counted from 0.")
    positions = positions[inside]
    overlay = image.getOverlay()
    if overlay is None:
        overlay = java_class("ij.gui.Overlay")()
    colour = java_class("java.awt.Color")(*colours.ANNOTATION)
    for plane in range(planes):
        near = positions[np.abs(positions[:, 0] - plane) < _NEAR_PLANES]
        if len(near) == 0:
            continue
        points = java_class("ij.gui.PointRoi")()
        for _, y, x in near:
            points.addPoint(float(x) + 0.5, float(y) + 0.5)
        points.setPosition(0, plane + 1, 0)
        points.setStrokeColor(colour)
        points.setPointType(3)  # dots
        points.setSize(2)
        points.setShowLabels(False)
        points.setProperty(ANNOTATION, Path(path).name)
        overlay.add(points)
    image.setOverlay(overlay)
    image.setHideOverlay(False)
    return len(positions)


def selected_ids(session: Host) -> list[int]:
    """Ids of the spines whose outlines are selected in the ROI Manager."""
    manager = None if session.headless else java_class("ij.plugin.frame.RoiManager").getInstance()
    if manager is None:
        return []
    ids = [roi_id_of(manager.getRoi(index)) for index in manager.getSelectedIndexes()]
    return sorted({roi_id for roi_id in ids if roi_id is not None})


def select_spine(session: Host, image: Any, roi_id: int, plane: int) -> bool:
    """Select a spine's outline in a plane (0-based) in the ROI Manager; False if the manager has none."""
    manager = None if session.headless else java_class("ij.plugin.frame.RoiManager").getInstance()
    if manager is None:
        return False
    for row, roi in enumerate(manager.getRoisAsArray()):
        if roi_id_of(roi) == roi_id and int(roi.getZPosition()) == plane + 1:
            manager.selectAndMakeVisible(find_image(session, image), row)
            return True
    return False


def delete_spines(session: Host, ids: Iterable[int]) -> int:
    """Delete all outlines of spines, in all planes, from the ROI Manager.

    Returns
    -------
    int
        Number of deleted outlines.
    """
    manager = None if session.headless else java_class("ij.plugin.frame.RoiManager").getInstance()
    if manager is None:
        return 0
    wanted = set(ids)
    rows = [row for row, roi in enumerate(manager.getRoisAsArray()) if roi_id_of(roi) in wanted]
    if rows:
        manager.setSelectedIndexes(rows)
        manager.runCommand("Delete")
    return len(rows)
