"""The window of Create DeepD3 Training Data...: annotation, box and planes of a stack, seen over it while they change.

Jython 2.7. Needs windows. What is laid over the stack are the masks that are saved.
"""

import os

import deepd3_transport
from deepd3_annotation import DRAWN, FILE, MANAGER, Annotation
from deepd3_background import beside
from deepd3_chosen_files import ask_where_to_save, may_write, with_ending
from deepd3_colours import DENDRITE, FRAME, SPINE
from deepd3_errors import Cancelled, DeepD3Error
from deepd3_events import Acted, ImageKeys, Left, Moved, on_event_thread
from deepd3_images import Images, describe, file_of, is_calibrated, is_open, pixels, shape_of
from deepd3_maps import PlaneOverlay
from deepd3_placement import keep_on_screen, place_beside, place_where_free
from deepd3_questions import answer_to
from deepd3_recorder import nothing_recorded, record
from deepd3_settings import Settings
from deepd3_spines import Spines
from deepd3_texts import name_of, quoted, unicode_of, without_ending
from deepd3_windows import button_row, message_label, new_button, new_window, open_owners, show_message
from ij import IJ
from ij.gui import Line, PolygonRoi, Roi
from ij.plugin.frame import RoiManager
from java.awt import BorderLayout, Color, FlowLayout, Font, GridBagConstraints, GridBagLayout, Insets
from java.awt.event import KeyEvent
from java.io import IOException
from javax.swing import (
    BorderFactory,
    JCheckBox,
    JComboBox,
    JFileChooser,
    JLabel,
    JPanel,
    JSlider,
    JTextField,
    Timer,
)

COMMAND = "Create DeepD3 Training Data..."
_WINDOW = "deepd3.annotator"
_OVERLAY = "deepd3.annotated"
_LOOK_MS = 250
_OPACITY = 0.5
_SPINE_SOURCES = ((MANAGER, u"ROI Manager"), (FILE, u"File"))
_DENDRITE_SOURCES = ((FILE, u"File"), (DRAWN, u"Drawn lines"))
_UNITS = (("auto", u"guessed"), ("um", u"\u00b5m"), ("px", u"pixels"))
_BOX = ("x", "y", "width", "height")


def open_annotator(image):
    """The open window of an image, or None."""
    return ([window for window in open_owners(_WINDOW) if window.image is image] or [None])[0]


def annotate(context, image):
    """Open the window beside a stack, or bring the open one to the front."""
    path = _file_or_none(image)
    found = None
    if open_annotator(image) is None:
        annotation = Annotation(path, image.getWidth(), image.getHeight(), image.getNSlices())
        found = annotation.stored()
        if found is not None:
            answer = answer_to(u"There is an unfinished annotation of %s. Go on with it?" % quoted(image),
                               [u"Go on", u"Begin anew", u"Cancel"])
            if answer == u"Begin anew":
                annotation.forget()
                found = None
            elif answer != u"Go on":
                raise Cancelled()

    def show():
        window = open_annotator(image)
        if window is None:
            window = Annotator(context, image, annotation)
            if found is not None:
                window.go_on(found)
        window.frame.setVisible(True)
        if RoiManager.getInstance() is None:  # ImageJ puts it over the middle, where the images are
            manager = RoiManager.getRoiManager()
            place_where_free(manager, (manager.getWidth(), manager.getHeight()))
        window.frame.toFront()

    on_event_thread(show)


class Annotator(object):
    """The window; it follows its image and the ROI Manager until it is closed."""

    def __init__(self, context, image, annotation):
        self.context = context
        self.image = image
        self.annotation = annotation
        self.images = Images(context)
        self.images.remember(image)
        self._masks = {"spine": None, "dendrite": None}
        self._told = {"spine": u"", "dendrite": u""}
        self._asked = {"spine": 0, "dendrite": 0}
        self._waiting = 0
        self._rois = self._manager_rois()
        self._seen = self._looks()
        self._filling = False
        self._message_text = u""
        self._box_seen = None
        self._build()
        self._overlay = PlaneOverlay(image, _OVERLAY, _OPACITY, self._layers)
        self._keys = ImageKeys(image, {(KeyEvent.VK_B, False): self.begin_here, (KeyEvent.VK_E, False): self.end_here})
        self._timer = Timer(_LOOK_MS, Acted(self._look))
        self._timer.start()
        self._fill()
        self._read("spine")

    # The window

    def _build(self):
        self.frame = frame = new_window(_WINDOW, u"Training Data of %s" % self.image.getTitle(), self, self._close)
        content = JPanel(BorderLayout(0, 8))
        content.setBorder(BorderFactory.createEmptyBorder(10, 12, 10, 12))
        self._form = JPanel(GridBagLayout())
        self._line = 0
        self._parts = {}
        self._spine_rows()
        self._dendrite_rows()
        self._box_rows()
        content.add(self._form, BorderLayout.CENTER)
        foot = JPanel(BorderLayout(0, 4))
        self._message = message_label("message", 3)
        foot.add(self._message, BorderLayout.NORTH)
        foot.add(button_row((
            ("undo", u"Undo", u"Take the last step back", self.undo),
            ("close", u"Close", u"Close the window; the annotation can be gone on with", frame.dispose),
            ("save", u"Save\u2026", u"Check everything and write the training data", self.save)),
            FlowLayout.RIGHT, self._parts), BorderLayout.SOUTH)
        content.add(foot, BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        frame.pack()
        if self.image.getWindow() is not None:
            place_beside(frame, self.image.getWindow())
        keep_on_screen(frame)

    def _spine_rows(self):
        self._heading(u"Spines (green)")
        self._add(u"From", self._choice("spines", _SPINE_SOURCES))
        self._add(u"File", self._path_row("spine_file"))
        self._add(u"", self._label("spine_told"))

    def _dendrite_rows(self):
        self._heading(u"Dendrites (magenta)")
        self._add(u"From", self._choice("dendrites", _DENDRITE_SOURCES))
        self._add(u"File", self._path_row("dendrite_file"))
        self._add(u"Unit of positions", self._choice("units", _UNITS))
        line = JPanel(FlowLayout(FlowLayout.LEFT, 0, 0))
        line.add(self._field("line_width", 4, None))
        self._parts["line_width"].setText(u"6")
        line.add(JLabel(u" px wide  "))
        line.add(self._button("add_line", u"Add Line", u"Add the line that is drawn on the image, in its plane",
                              self.add_line))
        self._add(u"Drawn lines", line)
        self._add(u"", self._label("dendrite_told"))

    def _box_rows(self):
        self._heading(u"Box (the rectangle on the image)")
        self._add(u"", self._check("crop", u"Cut out the box"))
        for names in (("x", "y"), ("width", "height")):
            part = JPanel(FlowLayout(FlowLayout.LEFT, 0, 0))
            for name in names:
                label = JLabel(u"%s " % name)
                label.setFont(label.getFont().deriveFont(Font.PLAIN))
                part.add(label)
                part.add(self._field(name, 5, self._typed_box))
                part.add(JLabel(u"  "))
            self._add(u"", part)
        for name, text, key in (("begin", u"z begin", u"B"), ("end", u"z end", u"E")):
            part = JPanel(FlowLayout(FlowLayout.LEFT, 0, 0))
            slider = JSlider(1, max(2, self.image.getNSlices()), 1)
            slider.setName(name + "_slider")
            slider.addChangeListener(Moved(lambda name=name, slider=slider: self._slid(name, slider)))
            slider.setToolTipText(u"Or press %s on the image in the wanted plane" % key)
            self._parts[name + "_slider"] = slider
            part.add(slider)
            part.add(self._field(name, 5, self._typed_planes))
            self._add(u"%s (%s)" % (text, key), part)
        self._add(u"Voxel size", self._label("size"))
        self._add(u"", self._check("empty", u"Accept masks without anything in the box"))

    def _heading(self, text):
        label = JLabel(text)
        self._form.add(label, _at(0, self._line, 2, Insets(8 if self._line else 0, 0, 2, 0)))
        self._line += 1

    def _add(self, text, part):
        label = JLabel(text)
        label.setFont(label.getFont().deriveFont(Font.PLAIN))
        self._form.add(label, _at(0, self._line, 1, Insets(1, 10, 1, 8)))
        self._form.add(part, _at(1, self._line, 1, Insets(1, 0, 1, 0), 1.0))
        self._line += 1

    def _choice(self, name, items):
        box = JComboBox([text for _, text in items])
        box.setName(name)
        box.addActionListener(Acted(lambda: self._chose(name, items[box.getSelectedIndex()][0])))
        self._parts[name] = box
        return box

    def _check(self, name, text):
        box = JCheckBox(text)
        box.setName(name)
        box.addActionListener(Acted(lambda: self._chose(name, bool(box.isSelected()))))
        self._parts[name] = box
        return box

    def _field(self, name, columns, work):
        field = JTextField(columns)
        field.setName(name)
        if work is not None:
            field.addActionListener(Acted(work))
            field.addFocusListener(Left(work))
        self._parts[name] = field
        return field

    def _path_row(self, name):
        part = JPanel(BorderLayout(4, 0))
        part.add(self._field(name, 22, lambda: self._typed_path(name)), BorderLayout.CENTER)
        part.add(self._button("browse_" + name, u"Browse\u2026", u"Choose the file", lambda: self._browse(name)),
                 BorderLayout.EAST)
        return part

    def _label(self, name):
        label = JLabel(u" ")
        label.setName(name)
        label.setFont(label.getFont().deriveFont(Font.PLAIN))
        self._parts[name] = label
        return label

    def _button(self, name, text, tip, action):
        self._parts[name] = new_button(name, text, tip, action)
        return self._parts[name]

    def _close(self):
        self._timer.stop()
        self._keys.stop()
        if is_open(self.image):
            self._overlay.stop()

    # What is shown

    def _fill(self):
        """Show the choices as they are."""
        self._filling = True
        values = self.annotation
        for name, items in (("spines", _SPINE_SOURCES), ("dendrites", _DENDRITE_SOURCES), ("units", _UNITS)):
            self._parts[name].setSelectedIndex([key for key, _ in items].index(values[name]))
        for name in ("spine_file", "dendrite_file"):
            self._parts[name].setText(values[name])
        for name in ("crop", "empty"):
            self._parts[name].setSelected(values[name])
        for name, number in zip(_BOX, values["box"]):
            self._parts[name].setText(str(number))
        for name, number in zip(("begin", "end"), values["planes"]):
            self._parts[name].setText(str(number))
            self._parts[name + "_slider"].setValue(number)
        for name in _BOX + ("begin", "end", "begin_slider", "end_slider"):
            self._parts[name].setEnabled(values["crop"])
        for name, wanted in (("spine_file", values["spines"] == FILE), ("dendrite_file", values["dendrites"] == FILE),
                             ("units", values["dendrites"] == FILE), ("line_width", values["dendrites"] == DRAWN),
                             ("add_line", values["dendrites"] == DRAWN)):
            self._parts[name].setEnabled(wanted)
            if "browse_" + name in self._parts:
                self._parts["browse_" + name].setEnabled(wanted)
        self._filling = False
        self._tell()
        self._overlay.draw()

    def _tell(self):
        for kind in ("spine", "dendrite"):
            self._parts[kind + "_told"].setText(self._told[kind] or u" ")
            self._parts[kind + "_told"].setToolTipText(self._told[kind] or None)
        calibration = self.image.getCalibration()
        self._parts["size"].setText(
            u"%g \u00d7 %g \u00d7 %g %s (x, y, z)" % (calibration.pixelWidth, calibration.pixelHeight,
                                                    calibration.pixelDepth, calibration.getUnit())
            if is_calibrated(self.image) else u"not known; use Set DeepD3 Voxel Size...")
        problem = self.annotation.problem()
        show_message(self._message, problem or self._message_text, problem is not None)
        self._parts["undo"].setEnabled(self.annotation.can_undo())

    def say(self, text):
        """Show a message that stays."""
        self._message_text = text
        self._tell()

    def _layers(self, plane):
        """What is seen over a plane (from 1): the masks that there are, and the box."""
        rois, (first, last) = [], self.annotation["planes"]
        if self.annotation["crop"] and first <= plane <= last and self.annotation.problem() is None:
            box = Roi(*self.annotation["box"])
            box.setStrokeColor(Color(*FRAME))
            rois.append(box)
        return [(mask.planes[plane - 1], colour) for mask, colour in (
            (self._masks["dendrite"], DENDRITE), (self._masks["spine"], SPINE)) if mask is not None], rois

    # What the user chooses

    def _change(self, **values):
        if self._filling:
            return
        if self.annotation.change(self._rois, **values):
            self._message_text = u""
            self._keep()
        self._fill()

    def _chose(self, name, value):
        before = self.annotation[name]
        self._change(**{name: value})
        if not self._filling and before != value:
            self._read_for(name)

    def _read_for(self, name):
        if name in ("spines", "spine_file"):
            self._read("spine")
        elif name in ("dendrites", "dendrite_file", "units", "lines"):
            self._read("dendrite")

    def _typed_path(self, name):
        self._chose(name, unicode_of(self._parts[name].getText()).strip())

    def _browse(self, name):
        settings = Settings(self.context)
        chooser = JFileChooser(self.annotation[name] or _folder_of(self.image) or settings.read("folder"))
        if chooser.showOpenDialog(self.frame) == JFileChooser.APPROVE_OPTION:
            settings.write("folder", chooser.getSelectedFile().getParent())
            self._chose(name, unicode_of(chooser.getSelectedFile().getAbsolutePath()))

    def _typed_box(self):
        numbers = [_whole(self._parts[name].getText()) for name in _BOX]
        if None in numbers:
            self.say(u"x, y, width and height of the box are whole numbers of pixels.")
            return
        self._set_box(numbers)

    def _set_box(self, numbers):
        self._change(box=numbers)
        roi = self.image.getRoi()
        if self.annotation.problem() is None and (roi is None or roi.getType() == Roi.RECTANGLE):
            self.image.setRoi(*numbers)
            self._box_seen = tuple(numbers)

    def _typed_planes(self):
        numbers = [_whole(self._parts[name].getText()) for name in ("begin", "end")]
        if None in numbers:
            self.say(u"z begin and z end are whole numbers, counted from 1.")
            return
        self._change(planes=numbers)

    def _slid(self, name, slider):
        if self._filling:
            return
        self._parts[name].setText(str(slider.getValue()))
        if not slider.getValueIsAdjusting():
            self._typed_planes()

    def begin_here(self):
        """The plane that is shown is the first one."""
        self._change(planes=[self.image.getZ(), self.annotation["planes"][1]])

    def end_here(self):
        """The plane that is shown is the last one."""
        self._change(planes=[self.annotation["planes"][0], self.image.getZ()])

    def add_line(self):
        """Add the line that is drawn on the image, in its plane."""
        roi, width = self.image.getRoi(), _whole(self._parts["line_width"].getText())
        if roi is None or not roi.isLine():
            self.say(u"Draw a segmented line along a dendrite first (right click on ImageJ's line tool).")
            return
        if width is None or width < 1:
            self.say(u"The width of a line is a whole number of pixels, at least 1.")
            return
        if isinstance(roi, Line):
            points = [[roi.x1d, roi.y1d], [roi.x2d, roi.y2d]]
        else:
            polygon = roi.getFloatPolygon() if isinstance(roi, PolygonRoi) else roi.getInterpolatedPolygon()
            points = [[float(x), float(y)] for x, y in zip(polygon.xpoints, polygon.ypoints)][:polygon.npoints]
        line = {"plane": self.image.getZ() - 1, "points": points, "width_px": width}
        self._change(lines=self.annotation["lines"] + [line])
        self.image.deleteRoi()
        self._read("dendrite")

    def undo(self):
        """Take the last step back."""
        if not self.annotation.can_undo():
            return
        before = dict(self.annotation.values)
        rois = self.annotation.undo()
        if not _same(rois, self._rois):
            self._put(rois)
        self._message_text = u"took the last step back"
        if before["box"] != self.annotation["box"]:
            roi = self.image.getRoi()
            if roi is not None and roi.getType() == Roi.RECTANGLE:
                self.image.setRoi(*self.annotation["box"])
                self._box_seen = tuple(self.annotation["box"])
        self._keep()
        self._fill()
        for name in ("spines", "spine_file", "dendrites", "dendrite_file", "units", "lines"):
            if before[name] != self.annotation[name]:
                self._read_for(name)
        self._read("spine")

    def go_on(self, found):
        """Go on with a draft."""
        rois = self.annotation.take(found)
        if rois and not self._rois:
            self._put(rois)
        self._message_text = u"went on with the annotation that was not finished"
        self._fill()
        self._read("spine")
        self._read("dendrite")

    def _put(self, rois):
        manager = RoiManager.getRoiManager()
        with nothing_recorded():
            manager.reset()
            for roi in rois:
                manager.addRoi(roi)
        self._rois, self._seen = self._manager_rois(), self._looks()

    # What the user does elsewhere

    def _look(self):
        if not is_open(self.image):
            self._timer.stop()
            self._keys.stop()
            draft = self.annotation.draft()
            self._message.setText(u"<html>The image was closed. %s</html>" % (
                u"The annotation is kept in %s; open the stack and start this command again to go on." % name_of(draft)
                if draft is not None else u"Open it again to go on."))
            for part in self._parts.values():
                part.setEnabled(part.getName() == "close")
            return
        roi = self.image.getRoi()
        if roi is not None and roi.getType() == Roi.RECTANGLE and roi.getState() == Roi.NORMAL \
                and roi.getName() is None and roi.getCornerDiameter() == 0:
            bounds = roi.getBounds()
            box = (bounds.x, bounds.y, bounds.width, bounds.height)
            if box != self._box_seen:
                self._box_seen = box
                self._change(box=list(box))
        looks = self._looks()
        if looks != self._seen:
            self.annotation.note(self._rois)
            self._rois, self._seen = self._manager_rois(), looks
            self._keep()
            self._read("spine")

    def _manager_rois(self):
        manager = RoiManager.getInstance()
        return [roi.clone() for roi in manager.getRoisAsArray()] if manager is not None else []

    def _looks(self):
        manager = RoiManager.getInstance()
        return [(roi.getName(), roi.getType(), roi.getFloatBounds().toString(), roi.getPosition(), roi.getZPosition())
                for roi in manager.getRoisAsArray()] if manager is not None else []

    def _keep(self):
        try:
            self.annotation.save(self._rois)
        except IOException as error:
            self._message_text = u"The annotation is not kept beside the stack (%s); save it before you close Fiji." \
                % error.getMessage()

    # The masks

    def _read(self, kind):
        """Ask for a mask, beside the event thread; the newest question counts."""
        self._asked[kind] += 1
        number = self._asked[kind]
        try:
            verb, values, arrays = (self._spine_question if kind == "spine" else self._dendrite_question)()
        except DeepD3Error as error:
            self._take(kind, number, None, error.message)
            return
        if verb is None:
            self._take(kind, number, None, u"")
            return
        self._told[kind] = u"reading\u2026"
        self._waiting += 1
        self._tell()

        def finish(found, problem):
            self._waiting -= 1
            self._take(kind, number, found, problem)

        beside(lambda: deepd3_transport.call(self.context, verb, values, arrays), finish)

    def _take(self, kind, number, found, problem):
        if number != self._asked[kind] or not self.frame.isDisplayable() or not is_open(self.image):
            return
        self._masks[kind] = None if found is None else found[1]["mask"]
        self._told[kind] = problem or u""
        if found is not None:
            told = [found[0]["told"]] if found[0]["told"] else []
            self._told[kind] = u", ".join([u"%d voxels" % found[0]["voxels"]] + told + found[0].get("notes", []))
        self._tell()
        self._overlay.draw()

    def _question(self):
        return {"image": describe(self.image), "shape": shape_of(self.image)}

    def _spine_question(self):
        values = self._question()
        if self.annotation["spines"] == FILE:
            if not self.annotation["spine_file"]:
                return None, None, None
            return "read_spine_annotation", dict(values, path=self.annotation["spine_file"]), {}
        return "read_spine_annotation", dict(values, rois=self._spines()[0]), {"outlines": self._spines()[1]}

    def _spines(self):
        spines = Spines(self.images, self.image)
        if not spines.rows()[0]:
            return {"lengths": [], "names": []}, None
        return spines.values()[:2]

    def _dendrite_question(self):
        values, path = self._question(), self.annotation["dendrite_file"]
        if self.annotation["dendrites"] == DRAWN:
            if not self.annotation["lines"]:
                return None, None, None
            return "draw_dendrite_annotation", dict(values, drawn={"lines": self.annotation["lines"]}), {}
        if not path:
            return None, None, None
        stored = os.path.splitext(path)[0] + u"_reconstruction.tif"
        usable = path.lower().endswith((u".swc", u".eswc", u".traces")) and os.path.isfile(stored) \
            and os.path.isfile(path) and os.path.getmtime(stored) >= os.path.getmtime(path)
        if usable and answer_to(u"The volume of %s was stored in %s. Use it?" % (name_of(path), name_of(stored)), [
                u"Use it", u"Draw anew"]) == u"Use it":
            values["reconstruction"] = stored
        return "read_dendrite_annotation", dict(values, path=path, units=self.annotation["units"]), {}

    # Saving

    def save(self):
        """Check everything, ask for the file, write it."""
        problem = self._save_problem()
        if problem is not None:
            self.say(problem)
            return
        stack = _file_or_none(self.image)
        path = ask_where_to_save(self.frame, None if stack is None else without_ending(stack) + u".d3data",
                                 u"Training data")
        if path is not None:
            self.write(path)

    def _save_problem(self):
        if not is_calibrated(self.image):
            return u"%s has no voxel size; set it with Set DeepD3 Voxel Size..." % quoted(self.image)
        if self.annotation.problem() is not None:
            return self.annotation.problem()
        if self._waiting:
            return u"The annotation is still being read; try again in a moment."
        for kind, name in (("spine", u"Spines"), ("dendrite", u"Dendrites")):
            if self._masks[kind] is None:
                return u"%s: %s" % (name, self._told[kind] or u"choose where they come from.")
        return None

    def write(self, path):
        """Write the training data; what is wrong is told in the window."""
        path = with_ending(path, u".d3data")
        if not may_write(path):
            return
        values = {"image": describe(self.image), "out": path, "overwrite": True,
                  "choices": {"typed": {"TrainingDataParameters": self.annotation.parameters()}}}
        arrays = {"stack": pixels(self.image), "dendrite": self._masks["dendrite"], "spine": self._masks["spine"]}
        drawn = None
        if self.annotation["dendrites"] == DRAWN:
            drawn = os.path.splitext(path)[0] + u"_dendrites.swc"
        lines = dict(self._question(), drawn={"lines": self.annotation["lines"]}, swc=drawn)
        self._parts["save"].setEnabled(False)
        self.say(u"saving\u2026")

        def work():
            if drawn is not None:
                deepd3_transport.call(self.context, "draw_dendrite_annotation", lines)
            return deepd3_transport.call(self.context, "save_training_data", values, arrays)[0]

        def finish(reply, problem):
            self._parts["save"].setEnabled(True)
            if reply is None:
                self.say(problem)
                return
            text = u"wrote %s: %d planes of %d x %d pixels" % tuple([reply["file"]] + reply["shape"])
            self.say(text)
            IJ.log(u"DeepD3: " + text)
            self.annotation.forget()
            self._record(reply["file"], drawn)

        beside(work, finish)

    def _record(self, path, drawn):
        fields = [("dendrites", drawn or self.annotation["dendrite_file"])]
        if self.annotation["spines"] == FILE:
            fields.append(("spines", self.annotation["spine_file"]))
        if self.annotation["crop"]:
            fields += zip(("x_px", "y_px", "width_px", "height_px"), self.annotation["box"])
            fields += zip(("first_plane", "last_plane"), self.annotation["planes"])
        units = [] if drawn else [("swc_units", self.annotation["units"])]
        record(COMMAND, fields + units + [("allow_empty", self.annotation["empty"]), ("out", path)])


def _same(one, other):
    return [(roi.getName(), roi.getFloatBounds(), roi.getPosition(), roi.getZPosition()) for roi in one] \
        == [(roi.getName(), roi.getFloatBounds(), roi.getPosition(), roi.getZPosition()) for roi in other]


def _whole(text):
    try:
        return int(unicode_of(text).strip())
    except ValueError:
        return None


def _file_or_none(image):
    try:
        return unicode_of(file_of(image))
    except DeepD3Error:
        return None


def _folder_of(image):
    path = _file_or_none(image)
    return None if path is None else os.path.dirname(path)


def _at(column, line, width, insets, weight=0.0):
    return GridBagConstraints(column, line, width, 1, weight, 0.0, GridBagConstraints.WEST,
                              GridBagConstraints.HORIZONTAL if weight else GridBagConstraints.NONE, insets, 0, 0)
