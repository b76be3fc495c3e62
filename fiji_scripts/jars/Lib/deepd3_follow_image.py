"""The registered hyperstack of followed spines: their outlines over it and in the ROI Manager, clicks and keys on it.

Jython 2.7. Nothing of it is left once it is stopped. Listening needs windows.
"""

import jarray
from deepd3_events import Clicked, ImageKeys, later
from deepd3_images import is_open
from deepd3_names import ROI_CHANGE, ROI_IMAGE, ROI_TRACK, SOURCE
from deepd3_spines import fill_manager, roi_manager
from deepd3_watch import centre
from ij import IJ, ImageListener, ImagePlus
from ij.gui import Overlay, PolygonRoi, Roi
from java.awt import Color, Rectangle

TRACK, CHANGE = "track", "change"
_CHOSEN_WIDTH = 3.0
_MARGIN_PX = 5


class FollowedImage(object):
    """The image with its outlines.

    series: followed spines.
    """

    def __init__(self, series):
        self.series = series
        self.image = IJ.openImage(series.reply["hyperstack"])
        self._rois = {}
        self._chosen = []
        self._colour, self._all_planes = TRACK, False
        self._ears = None

    # Outlines

    def show(self):
        """Open its window, at the time point of the reference and the plane in which most spines are."""
        self.image.show()
        at = [number for number, point in enumerate(self.series.reply["time_points"]) if point.get("reference")]
        marks = [mark for mark in self.series.marks.values() if not at or mark["time_point"] == at[0]]
        planes = [mark["z_plane"] for mark in marks]
        if marks:
            self.image.setPosition(1, max(sorted(planes), key=planes.count) + 1, marks[0]["time_point"] + 1)
        self.draw()

    def take(self, series):
        """Show spines that were followed again, at the place that is looked at."""
        self.series = series
        old, new = self.image, IJ.openImage(series.reply["hyperstack"])
        at = old.getZ(), old.getT()
        old.setStack(new.getStack(), 1, new.getNSlices(), new.getNFrames())
        old.setPosition(1, min(at[0], old.getNSlices()), min(at[1], old.getNFrames()))
        old.changes = False
        self._chosen = [each for each in self._chosen if each in series.marks]
        self.draw()
        if self._ears is not None:
            self._ears.listen_to_canvas()

    def colour_by(self, what):
        """Colour outlines by TRACK or by CHANGE."""
        self._colour = what
        self.draw()

    def in_all_planes(self, everywhere):
        """Show outlines in all planes of their time point, or in their own."""
        self._all_planes = everywhere
        self.draw()

    def choose(self, places):
        """Show which spines are chosen."""
        self._chosen = list(places)
        for place, roi in self._rois.items():
            roi.setUnscalableStrokeWidth(_CHOSEN_WIDTH if place in self._chosen else 0.0)
        self.image.updateAndDraw()

    def draw(self):
        """Draw all outlines anew."""
        self._rois = dict((place, self._roi(place, mark)) for place, mark in self.series.marks.items())
        overlay = Overlay()
        for place in sorted(self._rois):
            overlay.add(self._rois[place])
        overlay.selectable(False)  # a click is meant for the spine
        self.image.setOverlay(overlay)
        self.image.setHideOverlay(False)
        self.choose(self._chosen)
        self._fill([self._rois[place].clone() for place in sorted(self._rois)])

    def _fill(self, new):
        manager = roi_manager(wanted=bool(new) and self.image.getWindow() is not None)
        if manager is not None:
            fill_manager(manager, [roi for roi in manager.getRoisAsArray() if not self._is_ours(roi)] + new)

    def _is_ours(self, roi):
        return roi.getProperty(ROI_IMAGE) == self.image.getTitle() \
            and roi.getProperty(SOURCE) == self.series.reply["hyperstack"]

    def _roi(self, place, mark):
        corners = mark["outline"]
        xs, ys = [jarray.array([float(value) for value in values], "f") for values in zip(*corners)]
        roi = PolygonRoi(xs, ys, Roi.POLYGON)
        roi.setName(mark["name"])
        roi.setPosition(1, 0 if self._all_planes else mark["z_plane"] + 1, mark["time_point"] + 1)
        told = self.series.tracks[place[0]]["colour"] if self._colour == TRACK \
            else self.series.reply["change_colours"][mark["change"]]
        roi.setStrokeColor(Color.decode(told))
        for name, value in ((ROI_IMAGE, self.image.getTitle()), (SOURCE, self.series.reply["hyperstack"]),
                            (ROI_TRACK, str(place[0])), (ROI_CHANGE, mark["change"])):
            roi.setProperty(name, value)
        return roi

    # Places

    def time_point(self):
        """The one that is shown, from 0."""
        return self.image.getT() - 1

    def go_to(self, mark, time_point=None):
        """Show the place of a mark, perhaps at another time point."""
        at = mark["time_point"] if time_point is None else time_point
        self.image.setPosition(1, mark["z_plane"] + 1, at + 1)
        canvas = self.image.getCanvas()
        if canvas is None:
            return
        seen, margin = Rectangle(canvas.getSrcRect()), _MARGIN_PX
        seen.grow(-margin, -margin)
        if not seen.contains(mark["x_px"], mark["y_px"]):
            centre(self.image, Rectangle(canvas.getSrcRect()), mark["x_px"], mark["y_px"])

    # Clicks and keys

    def listen(self, clicked, keys, closed):
        """Call functions: clicked(track, time point) of a spine; keys: by (key code, with Ctrl); closed()."""
        self._ears = _Ears(self, clicked, keys, closed)

    def stop(self):
        """Take away outlines and listeners; the image stays."""
        if self._ears is not None:
            self._ears.stop()
            self._ears = None
        self._fill([])
        self._rois = {}
        if is_open(self.image):
            self.image.setOverlay(None)


class _Ears(ImageListener):
    """Listens to an image until it is stopped."""

    def __init__(self, shown, clicked, keys, closed):
        self._shown = shown
        self._clicked = clicked
        self._keys = ImageKeys(shown.image, keys)
        self._closed = closed
        self._canvas = None
        self._clicks = Clicked(self._click)
        self.listen_to_canvas()
        ImagePlus.addImageListener(self)

    def listen_to_canvas(self):
        """Listen to the canvas that the image has now."""
        self._leave_canvas()
        self._canvas = self._shown.image.getCanvas()
        if self._canvas is not None:
            self._canvas.addMouseListener(self._clicks)

    def _leave_canvas(self):
        if self._canvas is not None:
            self._canvas.removeMouseListener(self._clicks)

    def stop(self):
        self._leave_canvas()
        ImagePlus.removeImageListener(self)
        self._keys.stop()

    def _click(self, event):
        x, y = self._canvas.offScreenXD(event.getX()), self._canvas.offScreenYD(event.getY())
        time_point = self._shown.time_point()
        track = self._shown.series.at(time_point, x, y, self._shown.image.getZ() - 1)
        if track is not None:
            self._clicked((track, time_point))

    def imageOpened(self, image):  # noqa: N802 - Java's name
        pass

    def imageUpdated(self, image):  # noqa: N802 - Java's name
        pass

    def imageClosed(self, image):  # noqa: N802 - Java's name
        if image is self._shown.image:
            later(self._closed)
