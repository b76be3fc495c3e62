"""Spine ROIs between Python and ImageJ: ROI Manager, overlays, ROI zips."""

from __future__ import annotations

import json
from collections.abc import Iterable
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from deepd3_ij.errors import FijiError
from deepd3_ij.fiji.hyperstacks import find_image, geometry
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.placement import place_beside
from deepd3_ij.files.imagej_roi import encode_rois, stated_id
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.names import (
    ANNOTATION,
    ID,
    ROI_DIMENSIONS,
    ROI_ID,
    ROI_IMAGE,
    ROI_SHAPE,
    ROIS_PROVENANCE,
    SOURCE,
    SOURCE_ID,
)
from deepd3_ij.notes import note
from deepd3_ij.rois.regroup import RoiPart, join_parts
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS

if TYPE_CHECKING:
    from deepd3_ij.fiji.host import Host

PLACES = ("auto", "manager", "overlay")


def push_rois(session: Host, rois: RoiSet, image: Any = None, *, where: str = "auto") -> None:
    """Show ROIs in ImageJ, one outline per spine and plane.

    Every outline has its name (``spine0012_z007``, plane 1-based), its position in the stack or hyperstack, so that
    ImageJ shows it in its plane only, its id as the property ``deepd3.id``, the image that it belongs to as
    ``deepd3.image``, and the colour of its spine. What the ROI Manager (or the overlay) held before is replaced.

    Parameters
    ----------
    session
        Where to.
    rois
        ROIs of the image's size.
    image
        The image that they lie on (see :func:`deepd3_ij.fiji.hyperstacks.find_image`).
    where
        ``"manager"`` (needs a display), ``"overlay"`` of the image, or ``"auto"``: the manager if there is a display.

    Raises
    ------
    FijiError
        The image has another size; or the manager is asked for without a display.
    """
    image = find_image(session, image)
    size = (int(image.getNSlices()), int(image.getHeight()), int(image.getWidth()))
    if rois.labels.shape != size:
        raise FijiError(f"The ROIs have the size {rois.labels.shape} and {str(image.getTitle())!r} {size} (z, y, x); "
                        "push them onto the image that they were made of.")
    where = _place(session, where)
    outlines = java_outlines(rois)
    _let_belong(outlines, image)
    image.setProp(ROIS_PROVENANCE, json.dumps(dict(rois.provenance), sort_keys=True, default=str))
    if where == "overlay":
        image.setOverlay(as_overlay(outlines))
        return
    manager_class = java_class("ij.plugin.frame.RoiManager")
    is_new = manager_class.getInstance() is None
    manager = manager_class.getRoiManager()
    if is_new and image.getWindow() is not None:
        place_beside(manager, image.getWindow())
    manager.runCommand(image, "Show None")  # else every added outline shows all before it again
    manager.reset()
    for outline in outlines:  # setOverlay() would number the names
        manager.addRoi(outline)
    manager.runCommand(image, "Show All without labels")


def pull_rois(session: Host, image: Any = None, *, source: Any = "auto") -> RoiSet:
    """Read ROIs as they are now, after a user deleted, moved, redrew, split or added some.

    An outline keeps its spine by the property ``deepd3.id`` or by its name; the others are joined across
    neighbouring planes by overlap and get new ids (:func:`deepd3_ij.rois.regroup.join_parts`). Pixels are
    those that ImageJ measures. Without edits the labels equal those that were pushed.

    Parameters
    ----------
    session
        Where from.
    image
        The image that they lie on; it gives size and coordinates.
    source
        ``"manager"``, ``"overlay"``, the path of a ROI zip, or ``"auto"``: the manager if it is open and holds
        ROIs, else the overlay.

    Returns
    -------
    RoiSet
        Imported annotations and the shapes of spines are no ROIs. ``provenance["skipped"]`` names other selections
        without an area, those outside of the image and those that belong to another image; a note tells how many.

    Raises
    ------
    FijiError
        The manager is asked for without a display.
    VoxelSizeError
        The image has no voxel size.
    """
    image = find_image(session, image)
    like = geometry(image)
    if isinstance(source, str | PathLike) and source not in PLACES:
        return read_roi_zip(source, like)
    manager = None if session.headless else java_class("ij.plugin.frame.RoiManager").getInstance()
    if source == "auto":
        source = "manager" if manager is not None and manager.getCount() > 0 else "overlay"
    if source == "manager":
        _place(session, "manager")
        outlines = () if manager is None else manager.getRoisAsArray()
    else:
        overlay = image.getOverlay()
        outlines = () if overlay is None else overlay.toArray()
    parts: list[RoiPart] = []
    skipped: list[str] = []
    shape = tuple(like.sizes[dim] for dim in DIMS)
    family = _family(image)
    for roi in outlines:
        if roi.getProperty(ANNOTATION) is not None or roi.getProperty(ROI_SHAPE) is not None:
            continue
        part = _part(roi, image, shape) if _belongs(roi, image, family) else "belongs to another image"
        if isinstance(part, str):
            skipped.append(f"{_name(roi)}: {part}")
        else:
            parts.append(part)
    if skipped:
        note(f"{len(skipped)} of {len(skipped) + len(parts)} selections were left out (first: {skipped[0]}).")
    before = json.loads(text_of(image.getProp(ROIS_PROVENANCE)) or "{}")
    provenance = {**before, "from": f"ImageJ {source}", **({"skipped": skipped} if skipped else {})}
    return join_parts(parts, like, provenance=provenance)


def java_outlines(rois: RoiSet) -> list[Any]:
    """ImageJ ROIs (``ij.gui.Roi``) of all spines, plane by plane.

    ImageJ's own decoder makes them of the bytes of a ROI file, one call each: several hundred
    times faster than setting points, name, position and colours through single calls.
    """
    import jpype

    decode = java_class("ij.io.RoiDecoder").openFromByteArray
    java_bytes = jpype.JArray(jpype.JByte)
    return [decode(java_bytes(data)) for _, data in encode_rois(rois)]


def as_overlay(outlines: Iterable[Any]) -> Any:
    """``ij.gui.Overlay`` of outlines."""
    overlay = java_class("ij.gui.Overlay")()
    for outline in outlines:
        overlay.add(outline)
    return overlay


def roi_id_of(roi: Any) -> int | None:
    """Id of the spine that an ImageJ ROI says to belong to."""
    number = text_of(roi.getProperty(ROI_ID))
    return stated_id(int(number) if number and number.isdigit() else None, _name(roi))


def _part(roi: Any, image: Any, shape: tuple[int, ...]) -> RoiPart | str:
    if not roi.isArea():
        return f"{str(roi.getTypeAsString()).lower()} without an area"
    bounds = roi.getBounds()
    y, x, height, width = int(bounds.y), int(bounds.x), int(bounds.height), int(bounds.width)
    mask = np.ones((height, width), dtype=bool)
    if (shape_mask := roi.getMask()) is not None:
        mask = np.asarray(shape_mask.getPixels()).reshape(height, width) != 0
    top, left = max(0, y), max(0, x)
    mask = mask[top - y:max(0, shape[1] - y), left - x:max(0, shape[2] - x)]
    plane = _plane(roi, image)
    if not mask.any() or (plane is not None and plane >= shape[0]):
        return "no pixel inside of the image"
    dimensions = 2 if text_of(roi.getProperty(ROI_DIMENSIONS)) == "2" else None
    return RoiPart(_name(roi), plane, top, left, mask, roi_id_of(roi), dimensions)


def _plane(roi: Any, image: Any) -> int | None:
    """0-based plane, None for all."""
    if roi.hasHyperStackPosition():
        position = int(roi.getZPosition())
    else:
        position = int(roi.getPosition())
        # On a hyperstack, too, ImageJ shows a plain position as a plane; else all its planes are in one row.
        if position and not image.isHyperStack() and image.getNChannels() * image.getNFrames() > 1:
            position = int(image.convertIndexToPosition(position)[1])
    if position == 0 and image.getNSlices() == 1:
        return 0
    return position - 1 if position else None


def _let_belong(outlines: Iterable[Any], image: Any) -> None:
    """Let outlines say which image they belong to, in whose planes they are."""
    own, source = image.getProp(ID), image.getProp(SOURCE) or image.getTitle()
    is_plain = image.getStackSize() > 1 and not image.isHyperStack()
    for outline in outlines:
        outline.setProperty(ROI_IMAGE, own)
        outline.setProperty(SOURCE, source)
        if is_plain:
            outline.setPosition(outline.getZPosition())  # with that of a hyperstack, it shows in every plane there


def _family(image: Any) -> set[str]:
    """Ids of an image and of all open ones that were made of the same stack."""
    manager = java_class("ij.WindowManager")
    opened = [found for number in manager.getIDList() or () if (found := manager.getImage(number)) is not None]
    root = text_of(image.getProp(SOURCE_ID)) or text_of(image.getProp(ID))
    ids = {text_of(other.getProp(ID)) for other in [image, *opened]
           if root in (text_of(other.getProp(ID)), text_of(other.getProp(SOURCE_ID)))}
    return {known for known in [*ids, root] if known is not None}


def _belongs(roi: Any, image: Any, family: set[str]) -> bool:
    """False if a ROI says that it belongs to another image, by id and by file name."""
    stated, source = text_of(roi.getProperty(ROI_IMAGE)), text_of(roi.getProperty(SOURCE))
    if stated is None or stated in family:
        return True
    own = text_of(image.getProp(SOURCE)) or text_of(image.getTitle())
    return source is not None and own is not None and PurePath(source).name == PurePath(own).name


def _name(roi: Any) -> str:
    return text_of(roi.getName()) or "unnamed"


def _place(session: Host, where: str) -> str:
    if where not in PLACES:
        raise FijiError(f"where is {where!r}; accepted: {', '.join(PLACES)}.")
    if where == "auto":
        return "overlay" if session.headless else "manager"
    if where == "manager" and session.headless:
        raise FijiError("ImageJ's ROI Manager needs a display and this session is headless; use the overlay or a "
                        "ROI zip, or connect(mode='interactive').")
    return where
