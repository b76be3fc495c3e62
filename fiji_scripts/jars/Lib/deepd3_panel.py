"""The spine panel: a table of the spines beside their image, to find, check and correct them.

Jython 2.7. There is one panel in a Fiji; it shows the spines of the stack that is looked at. Needs windows.
"""


import deepd3_transport
from deepd3_background import beside
from deepd3_editing import (
    add,
    delete,
    drawn_corners,
    drawn_line,
    ends_of,
    keep,
    merge,
    place_ends,
    split,
    text_of_corners,
)
from deepd3_errors import Cancelled, DeepD3Error
from deepd3_events import Acted, Moved, Selected, in_background, later, on_event_thread
from deepd3_images import Images, describe, maps, prediction_values, segmented_pixels, shape_of, stem_of
from deepd3_maps import opacity_of, show_maps
from deepd3_names import MERGED, PREDICTION, ROIS_PROVENANCE, ROLE
from deepd3_placement import PANEL, keep_on_screen, place_beside, place_clear_of
from deepd3_recorder import record
from deepd3_results import MEASURED_WITH
from deepd3_review import Review
from deepd3_rois import spine_of
from deepd3_shapes import hide_shapes, select_line, shapes_of, shapes_shown, show_shapes, take_moved
from deepd3_spines import Spines
from deepd3_tables import are_open, column_of, measured_summary, refresh_tables
from deepd3_watch import Watch
from deepd3_windows import new_window, open_owners
from ij import IJ, Menus, Prefs
from ij.gui import Roi
from ij.plugin.frame import RoiManager
from java.awt import BorderLayout, Dimension, FlowLayout, Font
from java.awt.event import KeyEvent
from java.lang import Double, Integer, Short, String
from java.util import Vector
from javax.swing import (
    AbstractAction,
    BorderFactory,
    BoxLayout,
    JButton,
    JComponent,
    JLabel,
    JPanel,
    JScrollPane,
    JSlider,
    JTable,
    KeyStroke,
    ListSelectionModel,
    Timer,
)
from javax.swing.table import DefaultTableCellRenderer, DefaultTableModel

_PLACE = "deepd3.panel"
_SIZE = (740, 460)
_SORT_ARROW_PX = 24
_DELAY_MS = 400
# Heading, name of the measure, digits after the point; None for a whole number.
_MEASURES = ((u"Volume \u00b5m\u00b3", "volume_um3", 3), ("Probability", "max_probability", 2),
             ("Confidence", "confidence", 2), (u"Distance \u00b5m", "distance_to_dendrite_um", 2),
             ("Dendrite", "dendrite_id", None), (u"Length \u00b5m", "length_um", 2))
_TEXTS = ("quality",)
_MEASURE_COMMAND = "Measure Dendrites and Spines..."
_EXPORT_COMMAND = "Export All DeepD3 Results..."


def open_panel():
    """The panel, or None if it is not open."""
    return (open_owners(PANEL) or [None])[0]


def show_panel(context, image):
    """Open the panel, or let the open one show the spines of an image."""
    def show():
        panel = open_panel() or SpinePanel(context)
        panel.show(image)

    on_event_thread(show)


def tell_measures(spines, reply, arrays):
    """Let the panel, if it shows these spines, tell what was measured of them."""
    panel = open_panel()
    if panel is not None and panel.spines.anchor is spines.anchor:
        on_event_thread(lambda: panel.show_measures(reply, arrays))


def show_review(context, image, ids):
    """Go through spines of an image in its panel."""
    show_panel(context, image)
    on_event_thread(lambda: open_panel().begin_review(ids))


class SpinePanel(object):
    """The window; what a person does elsewhere comes from a Watch."""

    def __init__(self, context):
        self.context = context
        self.images = Images(context)
        self.spines = None
        self._measured = {}
        self._ids = []
        self._row_of = {}
        self._summary = u""
        self._selecting = False
        self._generation = 0
        self._measuring = False
        self._wants_shapes = False
        self.review = None
        self.busy = False
        self._build()
        self._watch = Watch(self)

    # The window

    def _build(self):
        self.frame = frame = new_window(PANEL, u"Spines", self, self._close)
        content = JPanel(BorderLayout(0, 6))
        content.setBorder(BorderFactory.createEmptyBorder(8, 8, 8, 8))
        self._total = JLabel(u" ")
        self._total.setName("totals")
        content.add(self._total, BorderLayout.NORTH)
        self._model = _Model(Vector(), Vector())
        self._table = JTable(self._model)
        self._table.setName("spines")
        self._table.setAutoCreateRowSorter(True)
        self._table.setSelectionMode(ListSelectionModel.MULTIPLE_INTERVAL_SELECTION)
        self._table.getSelectionModel().addListSelectionListener(Selected(self._row_selected))
        self._table.setFillsViewportHeight(True)
        content.add(JScrollPane(self._table), BorderLayout.CENTER)
        self._foot = self._make_foot()
        content.add(self._foot, BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        self._bind_keys()
        self._timer = Timer(_DELAY_MS, Acted(self._measure))
        self._timer.setRepeats(False)
        frame.setPreferredSize(Dimension(*_SIZE))
        frame.pack()

    def _make_foot(self):
        foot = JPanel()
        foot.setLayout(BoxLayout(foot, BoxLayout.Y_AXIS))
        self._buttons = {}
        for line in ((("Delete", "Delete the selected spines, in all planes (Delete key)", self.delete),
                      ("Merge", "Make one spine of those selected (M)", self.merge),
                      ("Split", "Make two spines of the selected one: along a straight line that is drawn on the "
                                "image, else at its waist (S)", self.split),
                      ("Add", "Make a spine of the outline that is drawn on the image, grown through the planes (A)",
                       self.add),
                      ("Base/Tip", "Select the line of the selected spine, to move its ends; a straight line that is "
                                   "drawn on the image from base to tip takes its place (B)", self.ends),
                      ("Undo", "Take the last change back (Ctrl+Z)", self.undo)),
                     ((u"Measure\u2026", "Show the tables of spines and dendrites", self.measure),
                      (u"Export\u2026", "Write all files of the result", self.export),
                      ("Shapes", "Show or hide base, head and tip of the spines over the image (L)", self.shapes),
                      ("Hide", "Show or hide the outlines over the image (H)", self.hide))):
            row = JPanel(FlowLayout(FlowLayout.LEFT, 4, 2))
            for text, tip, action in line:
                button = JButton(text)
                button.setName(text.rstrip(u"\u2026").lower())
                button.setToolTipText(tip)
                button.addActionListener(Acted(action))
                self._buttons[button.getName()] = button
                row.add(button)
            if text == "Hide":
                row.add(self._opacity_slider())
            row.setAlignmentX(0.0)
            foot.add(row)
        self._message = JLabel(u" ")
        self._message.setName("message")
        self._message.setFont(self._message.getFont().deriveFont(Font.PLAIN))
        self._message.setAlignmentX(0.0)
        self._message.setBorder(BorderFactory.createEmptyBorder(4, 4, 0, 4))
        self._message.setVerticalAlignment(JLabel.TOP)
        lines = Dimension(0, 2 * self._message.getFontMetrics(self._message.getFont()).getHeight() + 6)
        self._message.setPreferredSize(lines)  # whatever it says, the buttons stay where they are
        self._message.setMaximumSize(Dimension(Short.MAX_VALUE, lines.height))
        foot.add(self._message)
        return foot

    def _opacity_slider(self):
        """How strongly the maps lie over the stack."""
        part = JPanel(FlowLayout(FlowLayout.LEFT, 2, 0))
        part.add(JLabel("Maps"))
        self._opacity = JSlider(0, 100, 0)
        self._opacity.setName("opacity")
        self._opacity.setToolTipText("How strongly the dendrite and spine maps lie over the stack")
        self._opacity.setPreferredSize(Dimension(110, self._opacity.getPreferredSize().height))
        self._opacity.addChangeListener(Moved(self._opacity_changed))
        part.add(self._opacity)
        return part

    def _opacity_changed(self):
        stack = self._stack()
        if stack is not None and not self._selecting:
            show_maps(stack, self.spines.anchor, self._opacity.getValue() / 100.0)

    def _stack(self):
        """The stack of the spines' prediction, if both are there."""
        if self.spines.anchor.getProp(ROLE) != PREDICTION:
            return None
        return self.images.stack_of(self.spines.anchor)

    def _bind_keys(self):
        # With 'pressed', as Jython takes a text of one letter for a character that is typed.
        keys = (("pressed DELETE", self.delete), ("pressed BACK_SPACE", self.delete), ("pressed M", self.merge),
                ("pressed S", self.split), ("pressed A", self.add), ("pressed H", self.hide),
                ("pressed B", self.ends), ("pressed L", self.shapes),
                ("pressed K", self._in_review("keep")), ("pressed R", self._in_review("redraw")),
                ("pressed N", self._in_review("next")), ("pressed RIGHT", self._in_review("next")),
                ("pressed P", self._in_review("previous")), ("pressed LEFT", self._in_review("previous")),
                ("pressed ESCAPE", self._in_review("end")),
                ("control Z", self.undo), ("meta Z", self.undo),
                ("typed <", lambda: self._watch.step(-1)), ("typed ,", lambda: self._watch.step(-1)),
                ("typed >", lambda: self._watch.step(1)), ("typed .", lambda: self._watch.step(1)))
        for key, action in keys:
            self._table.getInputMap(JComponent.WHEN_ANCESTOR_OF_FOCUSED_COMPONENT).put(
                KeyStroke.getKeyStroke(key), key)
            self._table.getActionMap().put(key, _Action(action))
        self.frame.getRootPane().registerKeyboardAction(
            Acted(self.frame.dispose), KeyStroke.getKeyStroke(KeyEvent.VK_W, KeyEvent.CTRL_DOWN_MASK),
            JComponent.WHEN_IN_FOCUSED_WINDOW)

    def _in_review(self, name):
        """What a key does while spines are reviewed."""
        return lambda: getattr(self.review, name)() if self.review is not None else None

    def _close(self):
        self._watch.stop()
        self._timer.stop()
        Prefs.saveLocation(_PLACE, self.frame.getLocation())

    # What is shown

    def show(self, image):
        """Show the spines of an image."""
        self.take(image)
        if not self.frame.isVisible():
            self._place()
            self.frame.setVisible(True)
        self.take_keys()
        self._show_some()

    def take_keys(self):
        """Let the keys that are pressed next count for the selected spines."""
        self.frame.toFront()
        self._table.requestFocus()

    def _show_some(self):
        """Go to the plane with most spines if the one that is shown has none."""
        counts = {}
        for planes in self._planes.values():
            for plane in planes:
                counts[plane] = counts.get(plane, 0) + 1
        if counts and not {0, self.spines.anchor.getZ()} & set(counts):
            self._watch.go_to(max(sorted(counts), key=counts.get))

    def _place(self):
        remembered = Prefs.getLocation(_PLACE)
        windows = [each.getWindow() for each in self.spines.members() if each.getWindow() is not None]
        if remembered is not None:
            self.frame.setLocation(remembered)
        elif windows:
            place_beside(self.frame, *windows)
        keep_on_screen(self.frame)
        manager = RoiManager.getInstance()
        if manager is not None:
            place_clear_of(manager, self.frame)

    def take(self, image):
        """Turn to the spines of an image."""
        spines = Spines(self.images, image)
        if self.spines is None or spines.anchor is not self.spines.anchor:
            if self.review is not None:
                self.review.end()
            self._measured = {}
            self._summary = u""
            self._wants_shapes = False
        self.spines = spines
        self.frame.setTitle(u"Spines of %s" % stem_of(spines.anchor))
        stack = self._stack()
        self._selecting = True
        self._opacity.setEnabled(stack is not None)
        self._opacity.setValue(0 if stack is None else int(round(100 * opacity_of(stack))))
        self._selecting = False
        self.refresh()

    def refresh(self):
        """Show the spines as they are now, and measure them anew."""
        rois, planes, left_out = self.spines.look()
        found = {}
        for roi, plane in zip(rois, planes):
            spine = spine_of(roi)
            if spine is not None:
                found.setdefault(spine, []).append(plane)
        self._unnamed = len([roi for roi in rois if spine_of(roi) is None])
        self._left_out = sum(left_out.values())
        self._planes = found
        if sorted(found) != self._ids:
            self._summary = u""
        self._ids = sorted(found)
        self._row_of = dict((spine, row) for row, spine in enumerate(self._ids))
        self._fill()
        self.measure_anew()

    def measure_anew(self):
        """Measure once nothing more changes for a moment."""
        self._generation += 1
        self._timer.restart()

    def measured(self, spine, name):
        """What was measured of a spine, None if that is not known."""
        value = self._measured.get(spine, {}).get(name)
        return None if value is None or value != value else value

    def _fill(self):
        known = [each for each in _MEASURES
                 if any(self.measured(spine, each[1]) is not None for spine in self._measured)]
        headings = Vector([u"Spine", u"Plane", u"Planes"] + [each[0] for each in known])
        rows = Vector()
        for spine in self._ids:
            planes = sorted(self._planes[spine])
            row = Vector([Integer(spine), Integer(planes[len(planes) // 2]), Integer(len(planes))])
            for _, name, _ in known:
                value = self.measured(spine, name)
                row.add(None if value is None else Double(value))
            rows.add(row)
        selected = self.selected()
        order = self._table.getRowSorter().getSortKeys() if self._model.getColumnCount() == len(headings) else None
        self._selecting = True
        self._model.setDataVector(rows, headings)
        columns, metrics = self._table.getColumnModel(), self._table.getFontMetrics(self._table.getFont())
        for number, heading in enumerate(headings):
            columns.getColumn(number).setPreferredWidth(metrics.stringWidth(heading) + _SORT_ARROW_PX)
        for number, (_, _, digits) in enumerate(known):
            columns.getColumn(3 + number).setCellRenderer(_Number(digits))
        if order is not None:
            self._table.getRowSorter().setSortKeys(order)
        self._selecting = False
        left = [spine for spine in selected if spine in self._planes]
        if left == selected:
            self._select_rows(left)  # in the ROI Manager there may be another choice by now
        else:
            self.select(left, go=False)
        self._tell_totals()

    def _tell_totals(self):
        text = self._summary or u"%d spine%s" % (len(self._ids), u"" if len(self._ids) == 1 else u"s")
        if self._unnamed:
            text += u", %d drawn ROI%s" % (self._unnamed, u"" if self._unnamed == 1 else u"s")
        if self._left_out:
            text += u"; %d ROI%s of other images" % (self._left_out, u"" if self._left_out == 1 else u"s")
        self._total.setText(_with_units(text))
        self._buttons["undo"].setEnabled(self.spines.can_undo())
        self._buttons["shapes"].setText("Hide shapes" if shapes_shown(self.spines) else "Shapes")
        if self.review is not None:
            self.review.tell()

    def say(self, text):
        """Show a message that stays."""
        text = _with_units(text)

        def show():
            self._message.setText(u"<html>%s</html>" % text.replace(u"&", u"&amp;").replace(u"<", u"&lt;"))
            self._message.setToolTipText(text)

        on_event_thread(show)

    # Measures, always those of the spines as they are

    def _measure(self):
        if self._measuring:
            self._timer.restart()  # one at a time: there may be very many outlines
            return
        generation, spines = self._generation, self.spines
        self._measuring = True

        def work():
            found = None
            try:
                verb, values, arrays = self._what_to_measure(spines)
                found = deepd3_transport.call(self.context, verb, values, arrays)
            except (DeepD3Error, Cancelled):
                pass
            finally:
                later(lambda: self._take_measures(generation, found))

        in_background(work)

    def _what_to_measure(self, spines):
        anchor = spines.anchor
        rois, outlines, _ = spines.values()
        if anchor.getProp(ROLE) not in (PREDICTION, MERGED):
            return "roi_table", {"image": describe(anchor), "shape": shape_of(anchor), "rois": rois}, \
                {"outlines": outlines}
        arrays = dict(maps(anchor), outlines=outlines)
        values = dict(prediction_values(anchor), rois=rois)
        stack = self.images.stack_of(anchor)
        if stack is not None:
            values["stack_image"] = describe(stack)
            arrays["stack"] = segmented_pixels(stack, anchor)
        values["by_hand"] = spines.by_hand()
        values["choices"] = self._choices()
        return "measure", values, arrays

    def _choices(self):
        """Parameters of the measuring: those of the last tables, with shapes where they are shown."""
        choices = dict(self.spines.anchor.getProperty(MEASURED_WITH) or {})
        shapes = self._shows_shapes()
        if shapes or not (self.review is not None or self._with_tables()):
            typed = dict(choices.get("typed", {}))
            typed["MeasureParameters"] = dict(typed.get("MeasureParameters", {}), shapes=shapes)
            choices["typed"] = typed
        return choices

    def _shows_shapes(self):
        return self._wants_shapes or shapes_shown(self.spines)

    def _with_tables(self):
        return [image for image in self.spines.members() if are_open(image)]

    def _take_measures(self, generation, found):
        self._measuring = False
        if generation != self._generation or not self.frame.isDisplayable():
            return  # the spines were changed meanwhile
        if found is None:
            self._measured, self._summary = {}, u""
            self._tell_totals()
            return
        if "dendrites" in found[0] and self._shows_shapes():
            show_shapes(self.spines, shapes_of(*found))
        self.show_measures(*found)

    def show_measures(self, reply, arrays):
        """Tell what the service measured, here and in the tables that are open."""
        table, values = reply["spines"], arrays["spine_values"]
        columns = [(name, column_of(table, values, name)) for name in [each[1] for each in _MEASURES] + list(_TEXTS)]
        self._measured = dict((int(spine), dict((name, column[row]) for name, column in columns if column is not None))
                              for row, spine in enumerate(column_of(table, values, "id")))
        self._summary = u""
        if "dendrites" in reply:
            self._summary = measured_summary(reply, arrays)
            self._wants_shapes = False
            for image in self._with_tables():
                refresh_tables(reply, arrays, image)
        self._fill()

    # Selection

    def ids(self):
        """Numbers of all spines."""
        return self._ids

    def selected(self):
        """Numbers of the selected spines."""
        return sorted(int(self._table.getValueAt(row, 0)) for row in self._table.getSelectedRows())

    def select(self, ids, go=True):
        """Select rows; go: also show the spine in the image."""
        self._select_rows(ids)
        self._watch.mark(sorted(set(ids)), go)
        self._tell_review()

    def _tell_review(self):
        if self.review is not None:
            self.review.follow(self.selected())

    def _select_rows(self, ids):
        rows = [self._table.convertRowIndexToView(self._row_of[spine]) for spine in ids if spine in self._row_of]
        self._selecting = True
        self._table.clearSelection()
        for row in rows:
            self._table.addRowSelectionInterval(row, row)
        if rows:
            self._table.scrollRectToVisible(self._table.getCellRect(rows[-1], 0, True))
        self._selecting = False

    def _row_selected(self):
        if not self._selecting:
            self._watch.mark(self.selected(), True)
            self._tell_review()

    # What the buttons and keys do

    def delete(self):
        """Delete the selected spines; the next row is selected then, to be looked at."""
        ids = self.selected()
        following = self._following() if self.review is None else self.review.following()

        def work(call):
            text = delete(self.spines, ids)
            self._after = following
            return text

        self._edit(work, "Delete Spines...", lambda: [("spines", _listed(ids))])

    def _following(self):
        """The spine in the row that comes after the selected ones, else the one before them."""
        chosen = list(self._table.getSelectedRows())
        rows = list(range(max(chosen) + 1, self._table.getRowCount())) + list(range(min(chosen)))[::-1] \
            if chosen else []
        return [int(self._table.getValueAt(row, 0)) for row in rows[:1]]

    def merge(self):
        """Merge the selected spines."""
        ids = self.selected()

        def work(call):
            text = merge(self.spines, call, ids)
            self._after = [min(ids)]
            return text

        self._edit(work, "Merge Spines...", lambda: [("spines", _listed(ids))])

    def split(self):
        """Split the selected spine."""
        ids = self.selected()
        line = drawn_line(self.looked_at())

        def work(call):
            if len(ids) != 1:
                raise DeepD3Error(u"%d spines are selected; select one to split." % len(ids))
            return split(self.spines, call, ids[0], line)

        self._edit(work, "Split Spine...", lambda: [("spines", _listed(ids))] + (
            [("line", text_of_corners([line[:2], line[2:]]))] if line else []))

    def add(self):
        """Add a spine at the outline that is drawn on the image."""
        image = self.looked_at()
        plane, corners = image.getZ(), []

        def work(call):
            corners.extend(drawn_corners(image))
            spine, text = add(self.spines, call, image, corners, plane, True)
            image.deleteRoi()
            self._after = [spine]
            return text

        self._edit(work, "Add Spine...", lambda: [("outline", text_of_corners(corners)), ("plane", plane)])

    def redraw(self, spine, image, following):
        """Let the outline that is drawn on an image take the place of a spine; `following` is selected then."""
        corners, plane = drawn_corners(image), image.getZ()

        def work(call):
            text = add(self.spines, call, image, corners, plane, True, spine)[1]
            image.deleteRoi()
            self._after = following
            return text

        self._edit(work, "Add Spine...", lambda: [("outline", text_of_corners(corners)), ("plane", plane),
                                                  ("instead_of", spine)])

    def keep(self, spine):
        """Note that a spine is right; of what is measured, only the tables tell it."""
        if not self.busy:
            text = keep(self.spines, [spine])
            self._done(text, "Keep Spines...", [("spines", spine)])
            if self._with_tables():
                self.measure_anew()

    def ends(self):
        """Let base and tip of the selected spine be where a line is drawn, else select its line, to be moved."""
        ids, image = self.selected(), self.looked_at()
        line = drawn_line(image)
        if self.busy or self._needs_one(ids):
            return
        if line is not None:
            self._placed(place_ends(self.spines, image, ids[0], line, [image.getZ(), image.getZ()]), image, ids[0])
            image.deleteRoi()
            return
        plane = select_line(self.spines, ids[0])
        if plane is not None:
            self._watch.go_to(plane)
            self.say(u"Drag an end of the line of spine %d: base and tip follow." % ids[0])
        elif not shapes_shown(self.spines):
            self.shapes()
            self.say(u"Base and tip are being measured; press B again when they show.")
        else:
            self.say(u"Base and tip of spine %d are not known; draw a straight line from its base to its tip and press "
                     u"B again." % ids[0])

    def _needs_one(self, ids):
        if len(ids) == 1:
            return False
        self.say(u"%d spines are selected; select one." % len(ids))
        return True

    def take_moved(self):
        """Take what a person did to the line of a spine that is selected on an image."""
        if self.busy or self.spines is None:
            return
        for spine in take_moved(self.spines, selected_only=True):
            select_line(self.spines, spine)
            self._placed(u"placed base and tip of spine %d" % spine, self.looked_at(), spine)

    def _placed(self, text, image, spine):
        line, planes = ends_of(self.spines, image, spine)
        self._wants_shapes = True
        self._done(text, "Place Spine Base and Tip...", [
            ("spines", spine), ("ends", text_of_corners([line[:2], line[2:]])),
            ("base_plane", round(planes[0], 3)), ("tip_plane", round(planes[1], 3))])
        self.measure_anew()

    def _done(self, text, command, fields):
        """Tell what was decided without any work."""
        record(command, fields)
        IJ.log(u"DeepD3: " + text)
        self.say(text)
        self._tell_totals()

    def shapes(self):
        """Show or hide the shapes of the spines."""
        self._wants_shapes = not shapes_shown(self.spines)
        hide_shapes(self.spines, not self._wants_shapes)
        if self._wants_shapes:
            self.measure_anew()
        self._tell_totals()

    def drawn(self, image):
        """After a drag on an image: let the keys count for the review again, if an outline was drawn for it."""
        roi = image.getRoi()
        if self.review is not None and roi is not None and roi.isArea() and roi.getState() != Roi.CONSTRUCTING:
            later(self.take_keys)

    # Review

    def begin_review(self, ids):
        """Go through spines, one after the other."""
        if self.review is not None:
            self.review.end()
        self.review = Review(self, ids)
        self._foot.add(self.review.bar, 0)
        self._watch.close_up(True)
        self.frame.setSize(self.frame.getWidth(), self.frame.getHeight() + self.review.bar.getPreferredSize().height)
        self.frame.validate()
        self.measure_anew()
        self.review.begin()
        self.take_keys()

    def end_review(self):
        """Show the panel and the images as they were before."""
        height = self.review.bar.getPreferredSize().height
        self._foot.remove(self.review.bar)
        self.review = None
        self._watch.close_up(False)
        self.frame.setSize(self.frame.getWidth(), self.frame.getHeight() - height)
        self.frame.validate()

    def undo(self):
        """Take the last change back."""
        def work(call):
            self.spines.undo()
            return u"took the last change back"

        self._edit(work, "Undo Spine Correction", lambda: [])

    def _edit(self, work, command, fields):
        """Correct off the event thread; show what was done, or why not. One correction at a time."""
        if self.busy:
            return
        self._after = []
        self.busy = True
        for button in self._buttons.values():
            button.setEnabled(False)

        def call(verb, values, arrays):
            return deepd3_transport.call(self.context, verb, values, arrays)

        def run():
            text = work(call)
            record(command, fields())
            IJ.log(u"DeepD3: " + text)
            return text

        def finish(text, problem):
            self.busy = False
            for button in self._buttons.values():
                button.setEnabled(True)
            self._watch.accept()
            self.refresh()
            if self._after:
                self.select(self._after)
            self.say(problem or text)
            self._table.requestFocusInWindow()

        beside(run, finish)

    def measure(self):
        """Show the tables."""
        self._start(_MEASURE_COMMAND)

    def export(self):
        """Write all files of the result."""
        self._start(_EXPORT_COMMAND)

    def hide(self):
        """Show or hide the outlines."""
        hidden = not self.spines.hidden()
        self.spines.hide(hidden)
        self._buttons["hide"].setText("Show" if hidden else "Hide")

    def _start(self, command):
        IJ.selectWindow(self.spines.anchor.getID())
        if Menus.getCommands().get(command) is not None:
            IJ.doCommand(command)
        else:
            from deepd3_menu import script_of, start  # only where the menu is ours
            start(self.context, script_of(command))

    def looked_at(self):
        """The image of these spines that a person looks at."""
        current = self.images.current()
        members = [each for each in self.spines.members() if each is current]
        return members[0] if members else self.spines.anchor

    # What the watch tells

    def follow(self, image):
        """Turn to the image that is looked at, if it has spines of its own."""
        if [each for each in self.images.family(self.spines.anchor) if each is image]:
            return
        if any(each.getProp(ROIS_PROVENANCE) for each in self.images.family(image)):
            self.take(image)


def _with_units(text):
    return text.replace(u" um", u" \u00b5m")


def _listed(ids):
    return u",".join(str(each) for each in ids)


class _Model(DefaultTableModel):
    """Numbers, which are sorted as numbers and changed by corrections only."""

    def isCellEditable(self, row, column):  # noqa: N802 - Java's name
        return False

    def getColumnClass(self, column):  # noqa: N802 - Java's name
        return Integer if column < 3 else Double


class _Number(DefaultTableCellRenderer):
    def __init__(self, digits):
        self._format = "%.0f" if digits is None else "%%.%df" % digits
        self.setHorizontalAlignment(JLabel.RIGHT)

    def setValue(self, value):  # noqa: N802 - Java's name
        self.setText(u"" if value is None else String(self._format % value))


class _Action(AbstractAction):
    def __init__(self, work):
        self.work = work

    def actionPerformed(self, event):  # noqa: N802 - Java's name
        self.work()
