"""What a person does in the images and in the ROI Manager, for the spine panel: both are kept in step.

Jython 2.7. ImageJ tells nobody when its ROI Manager or its active image changes, so both are looked at several times a
second; only if something differs is more done.
"""

from functools import partial

from deepd3_events import Acted, Clicked, later
from deepd3_images import is_open
from deepd3_recorder import nothing_recorded
from deepd3_shapes import plane_of_shape
from ij import ImageListener, ImagePlus, WindowManager
from ij.plugin.frame import RoiManager
from java.awt import Rectangle
from javax.swing import Timer

_INTERVAL_MS = 250
_CLOSE_UP_UM = 7.0
_CLOSE_UP_BOUNDS = 3.0


class Watch(object):
    """Follows the images of a panel's spines and the ROI Manager until it is stopped."""

    def __init__(self, panel):
        self._panel = panel
        self._seen = None
        self._chosen = []
        self._clicks = []
        self._whole = None
        self._planes = _Planes(panel)
        ImagePlus.addImageListener(self._planes)
        self._timer = Timer(_INTERVAL_MS, Acted(self._look))
        self._timer.start()

    def stop(self):
        """End all of it."""
        self.close_up(False)
        self._timer.stop()
        ImagePlus.removeImageListener(self._planes)
        for canvas, listener in self._clicks:
            canvas.removeMouseListener(listener)
        self._clicks = []

    def accept(self):
        """Take the ROI Manager as it is now for seen."""
        self._seen = self._state()

    def mark(self, ids, go):
        """Show selected spines over the images, and in the ROI Manager; go: in their plane."""
        spines = self._panel.spines
        spines.highlight(ids)
        manager = RoiManager.getInstance()
        if manager is not None:
            rows = spines.rows_of(ids)
            self._chosen = rows
            if sorted(manager.getSelectedIndexes()) != rows and rows:
                with nothing_recorded():
                    if len(rows) > 1:
                        manager.setSelectedIndexes(rows)
                    else:
                        manager.selectAndMakeVisible(self._panel.images.current(), rows[0])
        if go and ids:
            where = spines.place_of(ids[0])
            if where is not None:
                plane = plane_of_shape(spines, ids[0]) or where[0]
                # ImageJ shows the first of the rows that were selected now; go after it.
                later(lambda: self._go(plane, where[1]))

    def go_to(self, plane):
        """Show a plane (from 1) of the anchor in all images."""
        self._planes.lead(self._panel.spines.anchor, plane)

    def step(self, planes):
        """Go some planes on."""
        anchor = self._panel.spines.anchor
        self.go_to(max(1, min(anchor.getNSlices(), anchor.getZ() + planes)))

    def close_up(self, near):
        """Show spines from near when going to them, or the images as they were before."""
        if near and self._whole is None:
            self._whole = [(image, Rectangle(image.getCanvas().getSrcRect()))
                           for image in self._panel.spines.members() if image.getCanvas() is not None]
        elif not near:
            for image, seen in self._whole or ():
                if image.getCanvas() is not None:
                    image.getCanvas().setSourceRect(seen)
                    image.draw()
            self._whole = None

    def _go(self, plane, bounds):
        spines = self._panel.spines
        self.go_to(plane)
        for image in spines.members():
            canvas = image.getCanvas()
            if canvas is None:
                continue
            seen = Rectangle(canvas.getSrcRect())
            if self._whole is not None:
                side = max(_CLOSE_UP_UM / spines.voxel_um()[2], _CLOSE_UP_BOUNDS * max(bounds.width, bounds.height))
                scale = side / min(canvas.getWidth(), canvas.getHeight())
                seen.setSize(min(image.getWidth(), int(canvas.getWidth() * scale)),
                             min(image.getHeight(), int(canvas.getHeight() * scale)))
            elif seen.contains(bounds):
                continue
            centre(image, seen, bounds.getCenterX(), bounds.getCenterY())

    def _look(self):
        if self._panel.busy:
            return  # what changes now is the panel's own work
        image = WindowManager.getCurrentImage()
        if image is not None:
            self._panel.images.remember(image)
            self._panel.follow(image)
        if not is_open(self._panel.spines.anchor):
            return
        self._listen_to_clicks()
        self._panel.take_moved()
        state = self._state()
        if self._seen is None or not _equal(state, self._seen):
            self._seen = state
            self._panel.spines.draw()
            self._panel.refresh()
        manager = RoiManager.getInstance()
        if manager is not None:
            chosen = sorted(manager.getSelectedIndexes())
            if chosen != self._chosen:
                self._chosen = chosen
                ids = self._panel.spines.selected_ids()
                if ids and ids != self._panel.selected():
                    self._panel.select(ids, go=len(chosen) > 1)

    def _state(self):
        """ROIs of the manager, and what can change of the selected ones without a new ROI."""
        manager = RoiManager.getInstance()
        if manager is None:
            return None, ()
        rois = manager.getRoisAsArray()
        details = []
        for row in manager.getSelectedIndexes():
            if row < len(rois):
                roi = rois[row]
                details.append((roi.getPosition(), roi.getZPosition(), roi.getTPosition(), roi.getName(),
                                roi.getFloatBounds().toString()))
        return rois, tuple(details)

    def _listen_to_clicks(self):
        known = [canvas for canvas, _ in self._clicks]
        members = self._panel.spines.members()
        wanted = [(image.getCanvas(), image) for image in members if image.getCanvas() is not None]
        for canvas, image in wanted:
            if not [each for each in known if each is canvas]:
                listener = Clicked(partial(self._clicked, image), partial(self._panel.drawn, image))
                canvas.addMouseListener(listener)
                self._clicks.append((canvas, listener))
        for canvas, listener in list(self._clicks):
            if not [each for each, _ in wanted if each is canvas]:
                canvas.removeMouseListener(listener)
                self._clicks.remove((canvas, listener))

    def _clicked(self, image, event):
        """A click on a spine selects it."""
        canvas = image.getCanvas()
        spine = self._panel.spines.spine_at(image, canvas.offScreenX(event.getX()), canvas.offScreenY(event.getY()))
        if spine is None:
            return
        ids = [spine]
        if event.isShiftDown():
            ids = sorted(set(self._panel.selected()) ^ {spine})
        self._panel.select(ids, go=False)
        self._panel.take_keys()


def centre(image, seen, x, y):
    """Show a part of an image, of the size of `seen`, around a pixel."""
    seen.x = max(0, min(image.getWidth() - seen.width, int(x) - seen.width // 2))
    seen.y = max(0, min(image.getHeight() - seen.height, int(y) - seen.height // 2))
    image.getCanvas().setSourceRect(seen)
    image.draw()


def _equal(one, other):
    if one[0] is None or other[0] is None:
        return one[0] is None and other[0] is None
    return len(one[0]) == len(other[0]) and one[1] == other[1] \
        and all(a is b for a, b in zip(one[0], other[0]))


class _Planes(ImageListener):
    """Keeps the images of a stack in the same plane."""

    def __init__(self, panel):
        self._panel = panel
        self._plane = None
        self._leading = False

    def lead(self, image, plane):
        """Show a plane (from 1) of an image in all of them."""
        spines = self._panel.spines
        if spines is None:
            return
        self._leading = True
        try:
            whole = spines.plane_in_anchor(image, plane)
            self._plane = whole
            for member in spines.members():
                own = spines.plane_of(member, whole)
                if 1 <= own <= member.getNSlices() and member.getZ() != own:
                    member.setPosition(member.getC(), own, member.getT())
        finally:
            self._leading = False

    def imageOpened(self, image):  # noqa: N802 - Java's name
        pass

    def imageClosed(self, image):  # noqa: N802 - Java's name
        pass

    def imageUpdated(self, image):  # noqa: N802 - Java's name
        spines = self._panel.spines
        if self._leading or spines is None or image is not WindowManager.getCurrentImage():
            return
        if [each for each in spines.members() if each is image] \
                and spines.plane_in_anchor(image, image.getZ()) != self._plane:
            self.lead(image, image.getZ())
