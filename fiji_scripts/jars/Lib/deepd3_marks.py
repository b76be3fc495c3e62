"""Followed spines over a registered hyperstack: outlines in their colours, and the spine at a place.

Jython 2.7.
"""

from deepd3_names import ROI_CHANGE, ROI_TRACK
from deepd3_rois import place
from ij.gui import Overlay, PolygonRoi, Roi
from jarray import array
from java.awt import Color

_NEIGHBOURS = (-1, 0, 1)  # a spine is seen in the planes above and below, too
_NEAR_PX = 8
_NEAR_PLANES = 2
_CHOSEN_WIDTH = 3


class Marks(object):
    """The spines of a reply of the verb follow_spines."""

    def __init__(self, reply):
        self.reply = reply
        self.spines = reply["spines"]
        self._colours = dict((track["track_id"], Color.decode(track["colour"])) for track in reply["tracks"])
        self._changes = dict((name, Color.decode(colour)) for name, colour in reply["change_colours"].items())
        self._of = dict(((spine["track_id"], spine["time_point"]), spine) for spine in self.spines)

    def of(self, track, time_point):
        """The mark of a track at a time point (from 0), or None."""
        return self._of.get((track, time_point))

    def detected(self, track, time_points):
        """The first mark with a ROI of a track among time points, or None."""
        for number in time_points:
            spine = self._of.get((track, number))
            if spine is not None and spine["id"] is not None:
                return spine
        return None

    def colour(self, spine, by_change):
        """Its colour: of its track, or of what happened."""
        return self._changes[spine["change"]] if by_change else self._colours[spine["track_id"]]

    def roi(self, spine, image, by_change, plane):
        """Its outline for a plane (from 0) of the image."""
        xs = array([float(x) for x, _ in spine["outline"]], "f")
        ys = array([float(y) for _, y in spine["outline"]], "f")
        roi = PolygonRoi(xs, ys, Roi.POLYGON)
        roi.setStrokeColor(self.colour(spine, by_change))
        roi.setName(spine["name"])
        roi.setProperty(ROI_TRACK, str(spine["track_id"]))
        roi.setProperty(ROI_CHANGE, spine["change"])
        if image.getNSlices() == 1 and not image.isHyperStack():
            roi.setPosition(spine["time_point"] + 1)
        else:
            place(roi, image, plane + 1, spine["time_point"] + 1)
        return roi

    def draw(self, image, by_change, chosen=(), only=None):
        """Draw all of them over the image; chosen: marks with a broad outline; only: the tracks that are drawn."""
        overlay = Overlay()
        for spine in self.spines:
            if only is not None and spine["track_id"] not in only:
                continue
            for step in _NEIGHBOURS:
                plane = spine["z_plane"] + step
                if not 0 <= plane < image.getNSlices():
                    continue
                roi = self.roi(spine, image, by_change, plane)
                if [each for each in chosen if each is spine]:
                    roi.setStrokeWidth(_CHOSEN_WIDTH)
                overlay.add(roi)
        image.setOverlay(overlay)

    def at(self, x, y, plane, time_point):
        """The nearest mark at a place of the image, in its plane or near it; None if there is none."""
        found = None
        for spine in self.spines:
            planes = abs(spine["z_plane"] - plane)
            if spine["time_point"] != time_point or planes > _NEAR_PLANES:
                continue
            distance = ((spine["x_px"] - x) ** 2 + (spine["y_px"] - y) ** 2) ** 0.5
            reach = max([_NEAR_PX] + [((spine["x_px"] - cx) ** 2 + (spine["y_px"] - cy) ** 2) ** 0.5
                                      for cx, cy in spine["outline"]])
            if distance <= reach and (found is None or distance + planes < found[0]):
                found = (distance + planes, spine)
        return None if found is None else found[1]
