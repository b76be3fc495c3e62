"""An annotation in progress: what was chosen for the training data of a stack, its earlier steps, its draft on disk.

Jython 2.7.
"""

import copy
import json
import os

from deepd3_errors import DeepD3Error
from deepd3_state import write_whole
from deepd3_texts import unicode_of, without_ending
from ij.io import RoiDecoder, RoiEncoder
from java.util import Base64

MANAGER, FILE, DRAWN = "manager", "file", "drawn"
_STEPS = 50


class Annotation(object):
    """Choices by name, as JSON values; ROIs of the ROI Manager beside them.

    spines: MANAGER or FILE. dendrites: FILE or DRAWN. lines: tables plane (from 0), points, width_px.
    box: x, y, width, height. planes: first and last, from 1. path: the stack's file, None if it has none.
    """

    def __init__(self, path, width, height, planes):
        self.values = {"spines": MANAGER, "spine_file": u"", "dendrites": FILE, "dendrite_file": u"",
                       "units": "auto", "lines": [], "box": [0, 0, width, height], "planes": [1, planes],
                       "crop": True, "empty": False}
        self._size = (width, height, planes)
        self._path = path
        self._earlier = []

    def __getitem__(self, name):
        return self.values[name]

    # Steps

    def change(self, rois, **values):
        """Change choices; True if any of them is another one now. rois: those of the ROI Manager before the change."""
        if not [name for name, value in values.items() if self.values[name] != value]:
            return False
        self.note(rois)
        self.values.update(values)
        return True

    def note(self, rois):
        """Keep the ROIs that were there before the user changed them, as a step."""
        self._earlier = (self._earlier + [(copy.deepcopy(self.values), list(rois))])[-_STEPS:]

    def can_undo(self):
        """True if there is an earlier step."""
        return bool(self._earlier)

    def undo(self):
        """Go back one step; the ROIs of that time."""
        values, rois = self._earlier.pop()
        self.values.update(values)
        return rois

    # Draft

    def draft(self):
        """Path of the draft beside the stack, None for a stack without a file."""
        return None if self._path is None else without_ending(self._path) + ".d3draft"

    def save(self, rois):
        """Write the draft; IOException of Java if that cannot be done."""
        if self.draft() is not None:
            encoder = Base64.getEncoder()
            packed = [RoiEncoder.saveAsByteArray(roi) for roi in rois]
            kept = dict(self.values, rois=[[roi.getName() or u"", encoder.encodeToString(data)]
                                             for roi, data in zip(rois, packed) if data is not None],
                        size=list(self._size))
            write_whole(self.draft(), json.dumps(kept, indent=1, sort_keys=True) + "\n")

    def stored(self):
        """The draft beside the stack, or None; DeepD3Error if it is damaged or of another stack."""
        path = self.draft()
        if path is None or not os.path.isfile(path):
            return None
        try:
            with open(path) as stream:
                found = json.load(stream)
            complete = isinstance(found["rois"], list) and all(
                type(found[name]) in (type(value), unicode) for name, value in self.values.items())
        except (ValueError, KeyError, TypeError, IOError):
            complete = False
        if not complete:
            raise DeepD3Error(u"The draft %s is damaged; it is left as it is. Move it away to keep it from being "
                              u"offered." % unicode_of(path))
        return found if found.get("size") == list(self._size) else None

    def take(self, found):
        """Go on with a draft; its ROIs."""
        self.values.update((name, found[name]) for name in list(self.values))
        rois = []
        for name, data in found["rois"]:
            roi = RoiDecoder.openFromByteArray(Base64.getDecoder().decode(data))
            if roi is not None:
                roi.setName(name or None)
                rois.append(roi)
        return rois

    def forget(self):
        """Remove the draft."""
        path = self.draft()
        if path is not None and os.path.isfile(path):
            os.remove(path)

    # What is saved

    def parameters(self):
        """The box as the service's parameters."""
        result = {"allow_empty": self["empty"]}
        if self["crop"]:
            x, y, width, height = self["box"]
            first, last = self["planes"]
            result.update(x_px=x, y_px=y, width_px=width, height_px=height, z_begin=first - 1, z_end=last - 1)
        return result

    def problem(self):
        """What is wrong with the box or the planes, or None."""
        (x, y, w, h), (first, last), (width, height, planes) = self["box"], self["planes"], self._size
        if not self["crop"]:
            return None
        if first > last:
            return u"z begin is %d and z end %d; z begin must not lie after z end." % (first, last)
        if not (1 <= first and last <= planes):
            return u"The stack has planes 1 to %d; z begin is %d and z end %d." % (planes, first, last)
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
            return u"The box x %d, y %d, %d x %d px reaches out of the stack of %d x %d px." % (
                x, y, w, h, width, height)
        return None
