"""The spines of a stack: the ROIs that belong to it, in the ROI Manager and over its images.

Jython 2.7. The rows of the ROI Manager are what counts. Each image of the stack (the stack itself, its prediction, ...)
shows them as an overlay, in their planes. Without a display, or once the ROI Manager is closed, the overlay of the
image that they were built on counts.
"""

from deepd3_colours import DISTINCT, SELECTED
from deepd3_errors import DeepD3Error
from deepd3_events import on_event_thread
from deepd3_images import check_open, planes_before
from deepd3_names import (
    ANNOTATION,
    FRAME,
    ID,
    LABELS,
    MERGED,
    PREDICTION,
    ROI_IMAGE,
    ROIS_PROVENANCE,
    ROLE,
    SOURCE,
    STACK,
    VOXEL_SIZE,
)
from deepd3_placement import place_where_free
from deepd3_recorder import nothing_recorded
from deepd3_rois import decoded, encoded, place, spine_of
from deepd3_shapes import forget_shapes, is_part
from deepd3_texts import name_of, quoted
from ij import Prefs, WindowManager
from ij.gui import Overlay
from java.awt import Color, GraphicsEnvironment
from java.util import IdentityHashMap
from java.util.zip import CRC32

_HIDDEN = "deepd3.rois_hidden"
_CHOSEN = "deepd3.rois_chosen"
_COPIES = "deepd3.rois_copies"
_DRAWN = "deepd3.rois_drawn"
_SHOWN = "deepd3.rois_shown"
_MANAGER = "deepd3.manager"
_EARLIER = "deepd3.rois_earlier"
_BY_HAND = "deepd3.by_hand"
_STEPS = 50
_SELECTED_WIDTH = 3.0


class Spines(object):
    """The ROIs of a stack and of all images that were made of it.

    anchor: the image in whose pixels and planes they are measured: the prediction, or else the image itself.
    """

    def __init__(self, images, image):
        self._images = images
        self._seen = None
        self.anchor = self._anchor(image)

    def _anchor(self, image):
        prediction = self._images.prediction_or_none(image)
        if prediction is not None:
            return prediction
        members = [each for each in self._images.family(image) if each.getProp(ROIS_PROVENANCE) is not None]
        return members[0] if members else image

    def members(self):
        """Images over which the ROIs are shown."""
        width, height = self.anchor.getWidth(), self.anchor.getHeight()
        return [each for each in self._images.family(self.anchor)
                if each.getProp(ROLE) in (None, STACK, PREDICTION, MERGED, LABELS)
                and (each.getWidth(), each.getHeight()) == (width, height)]

    def provenance(self):
        """What made the ROIs (JSON text), None if none were built."""
        found = [each.getProp(ROIS_PROVENANCE) for each in [self.anchor] + self.members()]
        return ([each for each in found if each] or [None])[0]

    # What there is

    def rows(self):
        """(ROIs, their planes in the anchor, reasons why others are left out) as they are now.

        A plane is counted from 1; 0 stands for all planes.
        """
        found, left_out = self._rows()
        return [roi for roi, _, _ in found], [plane for _, plane, _ in found], left_out

    def _rows(self):
        """([(ROI, its plane in the anchor, its row where they come from)], reasons why others are left out)."""
        found, left_out = [], {}
        members = dict((each.getProp(ID), each) for each in self._images.family(self.anchor))
        offsets = dict((each, self._offset(each)) for each in members.values())
        slices = dict((each, each.getNSlices()) for each in members.values())
        frame = self.anchor.getProp(FRAME)
        for row, roi in enumerate(self._source()):
            if roi.getProperty(ANNOTATION) is not None or is_part(roi):
                continue
            stated = members.get(roi.getProperty(ROI_IMAGE))
            if stated is not None and _as_shown(roi) and slices[stated] > 1:  # nearly all: quick where there are many
                plane = roi.getZPosition()
                found.append((roi, plane + offsets[stated] if plane else 0, row))
                continue
            image, reason = self._image_of(roi, members)
            if reason is None:
                reason = _frame_problem(roi, image, frame)
            if reason is not None:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            found.append((roi, self._plane(roi, image), row))
        return found, left_out

    def look(self):
        """What `rows` gives; what a user's clicks ask is answered from it until the next look.

        Each look goes through all ROIs; there may be tens of thousands.
        """
        found, left_out = self._rows()
        self._seen = _Seen(found)
        return [roi for roi, _, _ in found], [plane for _, plane, _ in found], left_out

    def _looked(self):
        return self._seen or _Seen(self._rows()[0])

    def _source(self):
        manager = roi_manager()
        if manager is not None and not self._lacks(manager):
            return list(manager.getRoisAsArray())
        for image in [self.anchor] + self.members():
            overlay = image.getOverlay()
            found = [roi for roi in overlay.toArray() if _is_roi(roi)] if overlay is not None else []
            if image.getProperty(_HIDDEN) is not None:
                found = [copy for copies in (image.getProperty(_COPIES) or {}).values() for copy in copies]
            if found:
                return found
        return []

    def _has_any(self, manager):
        members = dict((each.getProp(ID), each) for each in self._images.family(self.anchor))
        return any(self._image_of(roi, members)[1] is None for roi in manager.getRoisAsArray())

    def _image_of(self, roi, members):
        """The image in whose planes a ROI is, or why it does not belong here."""
        stated = roi.getProperty(ROI_IMAGE)
        if stated in members and _as_shown(roi):  # as it was put into the ROI Manager
            return members[stated], None
        drawn_on = WindowManager.getImage(roi.getImageID()) if roi.getImageID() != 0 else None
        if drawn_on is not None:
            own = [each for each in members.values() if each is drawn_on]
            if own:
                return own[0], None
            return None, u"of %s" % quoted(drawn_on)
        if stated in members:
            return members[stated], None
        source = roi.getProperty(SOURCE)
        if stated is None or source is None or _same_source(source, self.anchor.getProp(SOURCE)):
            return self.anchor, None
        return None, u"of '%s'" % name_of(source.replace("\\", "/"))

    def _plane(self, roi, image):
        """Plane in the anchor, from 1, of a ROI that lies in a plane of an image; 0 for all planes."""
        if roi.hasHyperStackPosition():
            plane = roi.getZPosition()
        else:
            plane = max(0, roi.getPosition())
            if plane and not image.isHyperStack() and image.getNChannels() * image.getNFrames() > 1:
                plane = image.convertIndexToPosition(plane)[1]
        if image.getNSlices() == 1:
            plane = 1
        elif plane == 0:
            return 0
        return plane + self._offset(image)

    def plane_in_anchor(self, image, plane):
        """Plane of the anchor for a plane of an image, both from 1."""
        return plane + self._offset(image)

    def plane_of(self, image, plane):
        """Plane of an image for a plane of the anchor, both from 1."""
        return plane - self._offset(image)

    def _offset(self, image):
        """Planes of the anchor before the first plane of an image."""
        return planes_before(self.anchor, image)

    def voxel_um(self):
        """Size of a voxel of the anchor (z, y, x) in um."""
        exact, calibration = self.anchor.getProp(VOXEL_SIZE), self.anchor.getCalibration()
        if exact is not None:
            return tuple(float(size) for size in exact.split())
        return calibration.pixelDepth, calibration.pixelHeight, calibration.pixelWidth

    def pixel_of(self, place_um):
        """Place (z, y, x) in the anchor, counted from the middle of its first pixel, of a place in um."""
        return tuple(place / size + origin for place, size, origin in
                     zip(place_um, self.voxel_um(), self._origin_px()))

    def um_of(self, place_px):
        """Place (z, y, x) in um of a place in the anchor."""
        return tuple((place - origin) * size for place, size, origin in
                     zip(place_px, self.voxel_um(), self._origin_px()))

    def _origin_px(self):
        calibration = self.anchor.getCalibration()
        return calibration.zOrigin, calibration.yOrigin, calibration.xOrigin

    def values(self, chosen=None):
        """(values, array, notes) of the ROIs for the service, in the planes of the anchor.

        chosen: only ROIs that it says yes to. Raises DeepD3Error if there are none and none were built.
        """
        rois, planes, left_out = self.rows()
        notes = [u"%d ROI%s %s left out" % (count, u"" if count == 1 else u"s", reason)
                 for reason, count in sorted(left_out.items())]
        provenance = self.provenance()
        if not rois and provenance is None:
            raise DeepD3Error(u"%s has no ROIs%s; use Build 3D ROIs... first, or open ROIs in the ROI Manager."
                              % (quoted(self.anchor), u" (%s)" % u", ".join(notes) if notes else u""))
        moved = []
        for roi, plane in zip(rois, planes):
            if chosen is None or chosen(roi):
                moved.append(self._as_stored(roi, plane))
        values, array = encoded(moved, provenance)
        return values, array, notes

    def _as_stored(self, roi, plane):
        copy = roi.clone()
        copy.setPosition(0, plane, 0)
        return copy

    # What is shown

    def show(self, rois, provenance, detected=None):
        """Put a new detection (in the planes of the anchor) into the ROI Manager and over all images.

        detected: what was found, if corrections were merged into `rois`.
        """
        for image in self.members():
            image.setProperty(_HIDDEN, None)
        self._put(rois, provenance)
        self.anchor.setProperty(_BY_HAND, None)
        forget_shapes(self)
        found = rois if detected is None else detected
        self._own(found)
        self.anchor.setProperty(_SHOWN, encoded([self._as_stored(roi, roi.getZPosition()) for roi in found],
                                                provenance))

    def _put(self, rois, provenance):
        check_open(self.anchor)
        manager = roi_manager(wanted=True)
        others = [] if manager is None else _without(manager.getRoisAsArray(), self.rows()[0])
        self.anchor.setProp(ROIS_PROVENANCE, provenance)
        self._own(rois)
        if manager is not None:
            fill_manager(manager, others + rois)
            self.anchor.setProperty(_MANAGER, manager)
        self.draw(rois, [roi.getZPosition() for roi in rois])

    def _own(self, rois):
        """Let ROIs say that they belong to the anchor."""
        source = self.anchor.getProp(SOURCE) or self.anchor.getTitle()
        for roi in rois:
            roi.setProperty(ROI_IMAGE, self.anchor.getProp(ID))
            roi.setProperty(SOURCE, source)

    def draw(self, rois=None, planes=None):
        """Show the ROIs over all images, each in its plane; annotations and other overlays stay."""
        if rois is None:
            rois, planes, _ = self.rows()
        for image in self.members():
            overlay, copies, known, drawn = Overlay(), {}, image.getProperty(_DRAWN) or IdentityHashMap(), \
                IdentityHashMap()
            others, parts = _others(image)
            for other in others:
                overlay.add(other)
            shown, copy_of = image.getProperty(_HIDDEN) is None, self._copying(image)
            for roi, plane in zip(rois, planes):
                entry = known.get(roi)
                if entry is None or entry[1:] != (plane, _look_of(roi)):
                    entry = copy_of(roi, plane)
                if entry is not None:
                    drawn.put(roi, entry)
                    copies.setdefault(spine_of(roi), []).append(entry[0])
                    if shown:
                        overlay.add(entry[0])
            for part in parts:
                overlay.add(part)
            if not others:
                overlay.selectable(False)  # a click is meant for the spine, not for one of its outlines
            image.setProperty(_COPIES, copies)
            image.setProperty(_DRAWN, drawn)
            image.setOverlay(overlay)
            image.setHideOverlay(False)
        self._mark(self.anchor.getProperty(_CHOSEN) or (), True)

    def _copying(self, image):
        """What makes (copy, plane, look) of a ROI in a plane of the anchor; None where an image has no such plane."""
        placing, belongs = self.placing(image), self.anchor.getProp(ID)

        def copy_of(roi, plane):
            copy = roi.clone()
            if not placing(copy, plane):
                return None
            copy.setProperty(ROI_IMAGE, belongs)
            return copy, plane, _look_of(roi)

        return copy_of

    def placing(self, image):
        """What lets a ROI show in a plane of the anchor (0: all) over an image; False where that has no such plane."""
        offset, last = self._offset(image), image.getNSlices()
        frame = int(self.anchor.getProp(FRAME) or 0) if image.getNFrames() > 1 else 0

        def placed(roi, plane):
            if plane and not 1 <= plane - offset <= last:
                return False
            place(roi, image, plane - offset if plane else 0, frame)
            return True

        return placed

    def _draw_change(self, gone, new):
        """Take ROIs from all images and draw new ones, (ROI, plane): quick where there are many others."""
        if [image for image in self.members() if image.getProperty(_DRAWN) is None or image.getOverlay() is None]:
            self.draw()
            return
        for image in self.members():
            overlay, copies, drawn = [image.getOverlay()] + [image.getProperty(each) for each in (_COPIES, _DRAWN)]
            removed = IdentityHashMap()
            for roi in gone:
                entry = drawn.remove(roi)
                if entry is not None:
                    removed.put(entry[0], True)
            for number in reversed(range(overlay.size() if gone else 0)):
                if removed.containsKey(overlay.get(number)):
                    overlay.remove(number)
            for spine in set(spine_of(roi) for roi in gone):
                copies[spine] = [each for each in copies.get(spine, ()) if not removed.containsKey(each)]
            copy_of = self._copying(image)
            for roi, plane in new:
                entry = copy_of(roi, plane)
                if entry is not None:
                    drawn.put(roi, entry)
                    copies.setdefault(spine_of(roi), []).append(entry[0])
                    if image.getProperty(_HIDDEN) is None:
                        overlay.add(entry[0])
            image.draw()
        self._mark(self.anchor.getProperty(_CHOSEN) or (), True)

    def highlight(self, ids):
        """Show selected spines in the colour of a selection, in all their planes."""
        before = self.anchor.getProperty(_CHOSEN) or ()
        if set(ids) != set(before):
            self.anchor.setProperty(_CHOSEN, list(ids))
            self._mark(set(before) - set(ids), False)
            self._mark(ids, True)
            for image in self.members():
                image.draw()

    def _mark(self, ids, chosen):
        colours = {} if chosen else self.colours(ids)
        for image in self.members():
            copies = image.getProperty(_COPIES) or {}
            for spine in ids:
                for copy in copies.get(spine, ()):
                    copy.setStrokeColor(Color(*SELECTED) if chosen else colours[spine])
                    copy.setUnscalableStrokeWidth(_SELECTED_WIDTH if chosen else 0.0)

    def colours(self, ids):
        """Colours of spines' outlines while they are not selected, by spine."""
        looked = self._looked()
        own = dict((spine, looked.of(spine)[0][0].getStrokeColor()) for spine in ids if looked.of(spine))
        return dict((spine, own.get(spine) or Color(*DISTINCT[spine % len(DISTINCT)])) for spine in ids)

    def hidden(self):
        """True if the ROIs are not shown."""
        return self.anchor.getProperty(_HIDDEN) is not None

    def hide(self, hidden):
        """Hide the ROIs, or show them."""
        rois, planes, _ = self.rows()
        for image in self.members():
            image.setProperty(_HIDDEN, True if hidden else None)
        self.draw(rois, planes)

    def spine_at(self, image, x, y):
        """Number of the spine at a pixel of the shown plane of an image, or None."""
        plane = self.plane_in_anchor(image, image.getZ())
        for roi, own, _ in self._looked().found:
            if own in (0, plane) and roi.getBounds().contains(x, y) and roi.contains(x, y):
                return spine_of(roi)
        return None

    def place_of(self, spine):
        """(plane of the anchor, bounds) of a spine in the middle one of its planes, or None."""
        found = sorted((plane, row, roi) for roi, plane, row in self._looked().of(spine))
        if not found:
            return None
        plane, _, roi = found[len(found) // 2]
        return plane, roi.getBounds()

    def rows_of(self, ids):
        """Rows of spines in the ROI Manager, from 0."""
        if roi_manager() is None:
            return []
        return sorted(row for spine in ids for _, _, row in self._looked().of(spine))

    def ids(self):
        """Numbers of the spines, ascending."""
        return sorted(set(self._looked().by_spine) - {None})

    def selected_ids(self):
        """Numbers of the spines that are selected in the ROI Manager."""
        manager = roi_manager()
        if manager is None:
            return []
        chosen = set(manager.getSelectedIndexes())
        return sorted(set(spine_of(roi) for roi, _, row in self._looked().found if row in chosen) - {None})

    # Corrections

    def corrected(self):
        """True if a person changed the ROIs since they were detected or loaded."""
        shown = self.anchor.getProperty(_SHOWN)
        if shown is None:
            return bool(self.rows()[0])
        return _fingerprint(*shown) != _fingerprint(*self.values()[:2])

    def before_and_now(self):
        """(values, arrays) of the detected and of the corrected ROIs, to keep the corrections."""
        shown = self.anchor.getProperty(_SHOWN) or encoded([], self.provenance())
        now = self.values()
        return ({"shown_rois": shown[0], "now_rois": now[0]},
                dict((name, array) for name, array in (("shown_outlines", shown[1]), ("now_outlines", now[1]))
                     if array is not None))

    def remember(self):
        """Keep the ROIs as they are, for undo."""
        self._remember(*self.rows()[:2])

    def _remember(self, rois, planes):
        steps = self.anchor.getProperty(_EARLIER) or []
        kept = rois, planes, self.provenance(), self.anchor.getProperty(_SHOWN), self.by_hand()
        self.anchor.setProperty(_EARLIER, (steps + [kept])[-_STEPS:])

    def can_undo(self):
        """True if there is something to take back."""
        return bool(self.anchor.getProperty(_EARLIER))

    def undo(self):
        """Take the last change back."""
        steps = self.anchor.getProperty(_EARLIER) or []
        if not steps:
            raise DeepD3Error(u"There is no correction of the spines of %s to take back." % quoted(self.anchor))
        rois, planes, provenance, shown, by_hand = steps[-1]
        self.anchor.setProperty(_EARLIER, steps[:-1])
        self._turn_to(self._rows()[0], list(zip(rois, planes)), provenance)
        self.anchor.setProperty(_SHOWN, shown)
        self.anchor.setProperty(_BY_HAND, by_hand)

    def replace(self, ids, reply, arrays):
        """Put the service's ROIs in the place of those of some spines."""
        found = self._rows()[0]
        self._remember([roi for roi, _, _ in found], [plane for _, plane, _ in found])
        new = decoded(reply["lengths"], arrays["outlines"]) if reply is not None and reply["lengths"] else []
        self._own(new)
        wanted = [(roi, plane) for roi, plane, _ in found if spine_of(roi) not in ids] \
            + [(roi, roi.getZPosition()) for roi in new]
        self._turn_to(found, wanted, self.provenance() or "{}")
        self.anchor.setProperty(_BY_HAND, dict(
            (kind, dict(item for item in of_kind.items() if item[0] not in ids))
            for kind, of_kind in self.by_hand().items()))

    def _turn_to(self, found, wanted, provenance):
        """Show other ROIs; those that are there already stay as they are in the ROI Manager and over the images.

        found: what `_rows` gives. wanted: (ROI, its plane in the anchor).
        """
        check_open(self.anchor)
        manager = roi_manager()
        if manager is None or self._lacks(manager):
            self._put([self._as_stored(roi, plane) for roi, plane in wanted], provenance)
            forget_shapes(self)
            return
        self.anchor.setProp(ROIS_PROVENANCE, provenance)
        there, stay = IdentityHashMap(), IdentityHashMap()
        for roi, _ in wanted:
            stay.put(roi, True)
        gone = []
        with nothing_recorded():
            for roi, _, row in found[::-1]:
                there.put(roi, True)
                if not stay.containsKey(roi):
                    manager.delete(row)
                    gone.append(roi)
            new = [(roi, plane) for roi, plane in wanted if not there.containsKey(roi)]
            for roi, _ in new:
                manager.addRoi(roi)
        self._seen = None
        self._draw_change(gone, new)
        forget_shapes(self, set(spine_of(roi) for roi in gone + [roi for roi, _ in new]))

    # What a person decided

    def by_hand(self):
        """Decisions of a person: 'placed' and 'reviewed', tables by spine, as the service takes them."""
        return self.anchor.getProperty(_BY_HAND) or {"placed": {}, "reviewed": {}}

    def place(self, spine, base_um, tip_um):
        """Let base and tip (z, y, x) of a spine be where a person says."""
        self._decide("placed", dict([(spine, list(base_um) + list(tip_um))]))

    def review(self, ids, decision, undoable=True):
        """Note what a person decided about spines."""
        self._decide("reviewed", dict((spine, decision) for spine in ids), undoable)

    def _decide(self, kind, new, undoable=True):
        if undoable:
            self.remember()
        decided = dict((each, dict(of_kind)) for each, of_kind in self.by_hand().items())
        decided[kind].update(new)
        self.anchor.setProperty(_BY_HAND, decided)

    def _lacks(self, manager):
        return not (self.anchor.getProperty(_MANAGER) is manager or self._has_any(manager))


class _Seen(object):
    """ROIs with their planes in the anchor and their rows, by the spine that they belong to."""

    def __init__(self, found):
        self.found = found
        self.by_spine = {}
        for each in found:
            self.by_spine.setdefault(spine_of(each[0]), []).append(each)

    def of(self, spine):
        return self.by_spine.get(spine, [])


def show_rois(images, image, reply, arrays, detected=None):
    """Show newly built or loaded ROIs; returns the spines.

    detected: what was found, if corrections were merged into what is shown.
    """
    spines = Spines(images, image)
    if spines.rows()[0]:
        spines.remember()
    spines.show(decoded(reply["lengths"], arrays["outlines"]) if reply["lengths"] else [], reply["rois_provenance"],
                detected)
    return spines


def toggle_rois(images, image):
    """Show the ROIs over an image and all that belong to it, or hide them."""
    spines = Spines(images, image)
    spines.hide(not spines.hidden())


def roi_manager(wanted=False):
    """The ROI Manager, None without a display or if it is not open and not wanted."""
    if GraphicsEnvironment.isHeadless():
        return None
    from ij.plugin.frame import RoiManager  # without windows, its class cannot be loaded
    manager = RoiManager.getInstance()
    if manager is None and wanted:
        manager = RoiManager.getRoiManager()
        if Prefs.getLocation(RoiManager.LOC_KEY) is None:  # ImageJ puts it over the middle, where the images are
            on_event_thread(lambda: place_where_free(manager, (manager.getWidth(), manager.getHeight())))
    return manager


def _as_shown(roi):
    """As a ROI of DeepD3 was put into the ROI Manager: in a plane of all channels and frames."""
    return roi.hasHyperStackPosition() and roi.getCPosition() == 0 and roi.getTPosition() == 0


def _frame_problem(roi, image, frame):
    if frame is not None and image.getNFrames() > 1 and roi.getTPosition() not in (0, int(frame)):
        return u"of time point %d" % roi.getTPosition()
    return None


def fill_manager(manager, rois):
    """Let the ROI Manager hold these ROIs and no others."""
    with nothing_recorded():
        manager.reset()
        for roi in rois:  # setOverlay() would number the names
            manager.addRoi(roi)


def _without(rois, own):
    known = IdentityHashMap()
    for roi in own:
        known.put(roi, True)
    return [roi for roi in rois if not known.containsKey(roi)]


def _look_of(roi):
    """What a person can change of a ROI that stays the same object."""
    bounds = roi.getFloatBounds()
    return roi.getName(), bounds.x, bounds.y, bounds.width, bounds.height


def _is_roi(roi):
    return not is_part(roi) and (roi.getProperty(ROI_IMAGE) is not None or spine_of(roi) is not None)


def _others(image):
    """(what lies over an image and has nothing to do with spines, the shapes of spines)."""
    overlay = image.getOverlay()
    found = [roi for roi in overlay.toArray() if not _is_roi(roi)] if overlay is not None else []
    return [roi for roi in found if not is_part(roi)], [roi for roi in found if is_part(roi)]


def _same_source(one, other):
    return other is not None and name_of(one.replace("\\", "/")) == name_of(other.replace("\\", "/"))


def _fingerprint(values, array):
    """What tells one set of ROIs from another, whatever their order."""
    sums, start = [], 0
    for length in values["lengths"]:
        crc = CRC32()
        crc.update(array.planes[0], start, length)
        sums.append(crc.getValue())
        start += length
    return sorted(sums)
