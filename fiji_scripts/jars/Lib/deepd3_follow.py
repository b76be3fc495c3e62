"""The window of followed spines: their table beside the registered hyperstack, and what a person decides about links.

Jython 2.7. Needs windows. What is decided is a row of the table of links at once; Link Again makes the links anew.
"""

import sys
import traceback

import deepd3_transport
from deepd3_errors import Cancelled, DeepD3Error
from deepd3_events import Acted, Closed, Selected, in_background, later
from deepd3_images import is_open, opened
from deepd3_links import ABSENT, BAD, CUT, LINK, PRESENT, Links
from deepd3_marks import Marks
from deepd3_placement import keep_on_screen, place_beside
from deepd3_recorder import nothing_recorded
from deepd3_strip import strip
from deepd3_texts import unicode_of
from ij import IJ, ImageListener, ImagePlus
from ij.plugin.frame import RoiManager
from java.awt import BorderLayout, Color, Dimension, EventQueue, FlowLayout, Font, Frame
from java.awt.event import KeyAdapter, KeyEvent, MouseAdapter, MouseEvent
from java.lang import Double, Integer, String, Throwable
from java.util import Vector
from java.util.regex import Pattern
from javax.swing import (
    BorderFactory,
    BoxLayout,
    JButton,
    JComboBox,
    JFrame,
    JLabel,
    JPanel,
    JScrollPane,
    JTable,
    ListSelectionModel,
    RowFilter,
    WindowConstants,
)
from javax.swing.table import DefaultTableCellRenderer, DefaultTableModel, TableRowSorter

FOLLOWED = "deepd3.followed"
VERB = "follow_spines"
_SIZE = (620, 520)
_HEADINGS = ("Track", "Dendrite", u"Place \u00b5m", "Class")
_ALL = "all classes"
_STATES = {"present": u"+", "recovered": u"(+)", "absent": u"\u2013", "unobservable": u"?", "undecided": u"\u00b7"}
_STILL_PX = 2


def open_window():
    """The window, or None if it is not open."""
    for frame in Frame.getFrames():
        if frame.getName() == FOLLOWED and frame.isDisplayable():
            return frame.getRootPane().getClientProperty(FOLLOWED)
    return None


def show_followed(context, reply, values):
    """Show a reply of the verb; values: those with which it is called again. On the event thread."""
    window = open_window()
    if window is not None:
        window.frame.dispose()
    FollowWindow(context, reply, values)


class FollowWindow(object):
    """Table, buttons and keys for one series."""

    def __init__(self, context, reply, values):
        self.context = context
        self.values = values
        self.busy = False
        self._by_change = False
        self.chosen = []
        self._take(reply)
        self.image = opened(reply["hyperstack"])
        self.image.show()
        self._build()
        self._listen()
        self._draw()
        self._tell()

    def _take(self, reply):
        self.reply = reply
        self.marks = Marks(reply)
        self.points = reply["time_points"]

    # The window

    def _build(self):
        frame = JFrame(u"Spines at %d time points" % len(self.points))
        self.frame = frame
        frame.setName(FOLLOWED)
        frame.getRootPane().putClientProperty(FOLLOWED, self)
        frame.setDefaultCloseOperation(WindowConstants.DISPOSE_ON_CLOSE)
        content = JPanel(BorderLayout(0, 6))
        content.setBorder(BorderFactory.createEmptyBorder(8, 8, 8, 8))
        top = JPanel(BorderLayout())
        self._total = JLabel(u" ")
        top.add(self._total, BorderLayout.CENTER)
        self._filter = JComboBox()
        self._filter.setName("filter")
        self._filter.setToolTipText("Which tracks are listed and drawn")
        top.add(self._filter, BorderLayout.EAST)
        content.add(top, BorderLayout.NORTH)
        self.table = JTable()
        self.table.setName("tracks")
        self.table.setSelectionMode(ListSelectionModel.SINGLE_SELECTION)
        content.add(JScrollPane(self.table), BorderLayout.CENTER)
        content.add(self._foot(), BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        self._fill()
        self.table.getSelectionModel().addListSelectionListener(Selected(self._row_selected))
        self.table.addMouseListener(_TableClicks(self))
        self._filter.addActionListener(Acted(self._filtered))
        frame.setPreferredSize(Dimension(*_SIZE))
        frame.pack()
        place_beside(frame, self.image.getWindow())
        keep_on_screen(frame)
        frame.setVisible(True)

    def _foot(self):
        foot = JPanel()
        foot.setLayout(BoxLayout(foot, BoxLayout.Y_AXIS))
        self._buttons = {}
        for line in ((("Link", "The two spines that are chosen, at two time points, are the same (P)", self.link),
                      ("Appeared", "The spine was not there before: its link to the time point before is cut (A)",
                       self.appeared),
                      ("Gone", "The spine is not there afterwards: its link to the next time point is cut; where none "
                               "was detected: it is absent (S)", self.gone),
                      ("Bad", "It is no spine (B)", self.bad),
                      ("Present", "It is there, though it was not detected", self.present),
                      ("Undo", "Take the last decision back (Ctrl+Z)", self.undo)),
                     (("Link Again", "Follow the spines again, with all decisions", self.link_again),
                      ("By change", "Colours of the outlines: of what happened, or of the tracks", self.switch_colours),
                      ("Montage", "All spines at all time points", self.montage),
                      ("Dendrites", "The dendrites straightened", self.strips),
                      ("ROI Manager", "Put the outlines into the ROI Manager", self.to_manager))):
            row = JPanel(FlowLayout(FlowLayout.LEFT, 4, 2))
            for text, tip, action in line:
                button = JButton(text)
                button.setName(text)
                button.setToolTipText(tip)
                button.setFocusable(False)
                button.addActionListener(Acted(action))
                self._buttons[text] = button
                row.add(button)
            row.setAlignmentX(0.0)
            foot.add(row)
        self._message = JLabel(u" ")
        self._message.setName("message")
        self._message.setFont(self._message.getFont().deriveFont(Font.PLAIN))
        self._message.setAlignmentX(0.0)
        self._message.setVerticalAlignment(JLabel.TOP)
        self._message.setBorder(BorderFactory.createEmptyBorder(4, 4, 0, 4))
        height = 3 * self._message.getFontMetrics(self._message.getFont()).getHeight() + 6
        self._message.setPreferredSize(Dimension(0, height))
        foot.add(self._message)
        return foot

    def _fill(self):
        headings = Vector(list(_HEADINGS) + [u"%g" % point["time"] for point in self.points])
        model = _Model(headings, 0)
        for track in self.reply["tracks"]:
            place = track["position_um"]
            model.addRow(Vector([Integer(track["track_id"]), Integer(track["dendrite_id"]),
                                 None if place is None else Double(place), track["class"]] + track["states"]))
        self.table.setModel(model)
        self._sorter = TableRowSorter(model)
        self.table.setRowSorter(self._sorter)
        colours = dict((name, Color.decode(colour)) for name, colour in self.reply["state_colours"].items())
        columns = self.table.getColumnModel()
        columns.getColumn(2).setCellRenderer(_Place())
        for number in range(len(self.points)):
            columns.getColumn(len(_HEADINGS) + number).setCellRenderer(_State(colours))
        columns.getColumn(3).setPreferredWidth(110)
        self._filter.removeAllItems()
        for name in [_ALL] + sorted(set(track["class"] for track in self.reply["tracks"])):
            self._filter.addItem(name)
        pairs = [each for each in self.reply["summary"] if each["turnover"] is not None]
        mean = u", mean turnover %.2f" % (sum(each["turnover"] for each in pairs) / len(pairs)) if pairs else u""
        self._total.setText(u"%d spines followed%s" % (len(self.reply["tracks"]), mean))

    def _filtered(self):
        chosen = self._filter.getSelectedItem()
        if chosen in (None, _ALL):
            self._sorter.setRowFilter(None)
        else:
            self._sorter.setRowFilter(RowFilter.regexFilter(u"^%s$" % Pattern.quote(chosen), [3]))
        self._draw()

    # Listening to image, keys and mouse

    def _listen(self):
        self._canvas, window = self.image.getCanvas(), self.image.getWindow()
        self._keys, self._clicks, self._closing = _Keys(self), _Clicks(self), _ImageClosed(self)
        self._keyed = [self._canvas, window]
        for part in self._keyed:
            part.removeKeyListener(IJ.getInstance())
            part.addKeyListener(self._keys)
        self.table.addKeyListener(self._keys)
        self._canvas.addMouseListener(self._clicks)
        ImagePlus.addImageListener(self._closing)
        self.frame.addWindowListener(Closed(self._stop))

    def _stop(self):
        """Give keys and mouse back to ImageJ."""
        ImagePlus.removeImageListener(self._closing)
        self._canvas.removeMouseListener(self._clicks)
        for part in self._keyed:
            part.removeKeyListener(self._keys)
            if is_open(self.image):
                part.addKeyListener(IJ.getInstance())
        if is_open(self.image) and self.chosen:
            self.chosen = []
            self._draw()

    def key(self, letter):
        """Do what a key means; False if it means nothing here."""
        action = {u"p": self._persists, u"a": self.appeared, u"s": self.gone, u"b": self.bad}.get(letter)
        if action is None:
            return False
        action()
        return True

    # What is chosen

    def time_point(self):
        """The time point that is shown, from 0."""
        if self.image.getNFrames() == 1:
            return 0
        return self.image.getT() - 1

    def choose(self, spine):
        """Choose a mark; the one that was chosen at another time point stays chosen with it."""
        others = [each for each in self.chosen if each["time_point"] != spine["time_point"]]
        self.chosen = others[-1:] + [spine]
        self._draw()
        self._tell()

    def clicked(self, x, y):
        """Choose what lies at a place of the image."""
        spine = self.marks.at(x, y, self.image.getZ() - 1, self.time_point())
        if spine is not None:
            self.choose(spine)

    def go(self, track, time_point):
        """Show a track at a time point (from 0)."""
        spine = self.marks.of(track, time_point) or self.marks.detected(track, range(len(self.points)))
        if spine is None:
            return
        self.image.setPosition(1, spine["z_plane"] + 1, time_point + 1)
        canvas = self.image.getCanvas()
        seen = canvas.getSrcRect()
        if not seen.contains(int(spine["x_px"]), int(spine["y_px"])):
            seen.x = max(0, min(self.image.getWidth() - seen.width, int(spine["x_px"]) - seen.width // 2))
            seen.y = max(0, min(self.image.getHeight() - seen.height, int(spine["y_px"]) - seen.height // 2))
            canvas.setSourceRect(seen)
        if spine["time_point"] == time_point:
            self.choose(spine)
        self.image.updateAndDraw()

    def _track_of_row(self, row):
        return self.table.getModel().getValueAt(self.table.convertRowIndexToModel(row), 0)

    def _row_selected(self):
        row = self.table.getSelectedRow()
        by_mouse = isinstance(EventQueue.getCurrentEvent(), MouseEvent)  # the cell that is clicked tells more
        if row >= 0 and not self.busy and not by_mouse:
            self.go(self._track_of_row(row), self.time_point())

    def cell_clicked(self, row, column, twice):
        """Go to the time point of a cell; a double click shows the spine at all time points beside each other."""
        track = self._track_of_row(row)
        number = column - len(_HEADINGS)
        self.go(track, number if number >= 0 else self.time_point())
        if twice:
            strip(self.image, self.marks, track, self.points, self.reply["state_colours"],
                  self.reply["tracks"][track - 1]["states"]).show()

    # Decisions

    def link(self):
        """The two spines that are chosen are the same."""
        if len(self.chosen) != 2 or None in [spine["id"] for spine in self.chosen]:
            self.say(u"Choose a detected spine at one time point, then one at another, by clicks on their outlines.")
            return
        one, other = sorted(self.chosen, key=lambda spine: spine["time_point"])
        self._decide(LINK, one, other)

    def _persists(self):
        """Key p: two chosen spines are the same; one that was not detected is there."""
        if len(self.chosen) == 1 and self.chosen[0]["id"] is None:
            self.present()
        else:
            self.link()

    def appeared(self):
        """The link of the chosen spine to the time point before is cut."""
        self._cut(-1)

    def gone(self):
        """The link of the chosen spine to the next time point is cut; a place without a detection is empty."""
        if self.chosen and self.chosen[-1]["id"] is None:
            self._judge(ABSENT)
        else:
            self._cut(1)

    def present(self):
        """The spine is there, though it was not detected."""
        self._judge(PRESENT)

    def bad(self):
        """It is no spine."""
        spine = self._one()
        if spine is not None and spine["id"] is None:
            self.say(u"Nothing was detected there; choose a spine with an outline of its own.")
        elif spine is not None:
            self._decide(BAD, spine)

    def _cut(self, step):
        spine = self._one()
        if spine is None:
            return
        last = len(self.points) if step > 0 else -1
        other = self.marks.detected(spine["track_id"], range(spine["time_point"] + step, last, step))
        if spine["id"] is None or other is None:
            self.say(u"Track %d has no link %s that time point." % (spine["track_id"],
                                                                   u"after" if step > 0 else u"before"))
            return
        self._decide(CUT, *((spine, other) if step > 0 else (other, spine)))

    def _judge(self, action):
        spine = self._one()
        if spine is None:
            return
        if spine["id"] is not None:
            self.say(u"It was detected there; Bad says that it is no spine.")
            return
        known = self.marks.detected(spine["track_id"], range(len(self.points)))
        if known is not None:
            self._decide(action, known, spine)

    def _one(self):
        if not self.chosen:
            self.say(u"Choose a spine by a click on its outline or in the table.")
            return None
        return self.chosen[-1]

    def _decide(self, action, one, other=None):
        values = [self._name(one), one["id"]]
        if other is not None:
            values += [self._name(other), u"" if other["id"] is None else other["id"]]
        try:
            self._links().add(action, *values)
        except DeepD3Error as error:
            self.say(error.message)
            return
        what = {LINK: u"is the same as track %d", CUT: u"is not linked to day %s", BAD: u"is no spine",
                PRESENT: u"is present at day %s", ABSENT: u"is absent at day %s"}[action]
        if action == LINK:
            what %= other["track_id"]
        elif other is not None:
            what %= u"%g" % self.points[other["time_point"]]["time"]
        self.say(u"Track %d %s. Link Again shows what follows from it." % (one["track_id"], what))

    def undo(self):
        """Take the last decision back."""
        try:
            row = self._links().take_back()
        except DeepD3Error as error:
            self.say(error.message)
            return
        self.say(u"There is nothing to take back." if row is None else
                 u"Taken back: %s of spine %s at %s." % (row["action"], row["id"], row["time_point"]))

    def _links(self):
        links = getattr(self, "_kept_links", None)
        if links is None or links.path != self.reply["links_user"]:
            links = self._kept_links = Links(self.reply["links_user"])
        return links

    def _name(self, spine):
        return self.points[spine["time_point"]]["name"]

    # What is shown

    def link_again(self):
        """Follow the spines again, with all decisions."""
        if self.busy:
            return
        self.busy = True
        for button in self._buttons.values():
            button.setEnabled(False)
        self.say(u"Linking\u2026")
        in_background(self._call)

    def _call(self):
        reply, text = None, None
        try:
            reply, _ = deepd3_transport.call(self.context, VERB, self.values)
        except DeepD3Error as error:
            text = error.message
        except Cancelled:
            text = u"stopped; nothing was changed"
        except (Exception, Throwable):  # this thread has nobody else to tell
            IJ.log(unicode_of(traceback.format_exc()))
            text = u"Unexpected error: %s. The Log window has the details; please report them." % (
                unicode_of(sys.exc_info()[1]).strip().split("\n")[0])
        later(lambda: self._finish(reply, text))

    def _finish(self, reply, text):
        for button in self._buttons.values():
            button.setEnabled(True)
        if reply is not None and is_open(self.image):
            where = self.image.getZ(), self.image.getT()
            fresh = opened(reply["hyperstack"])
            self._take(reply)
            self.chosen = []
            self.image.setStack(fresh.getStack(), fresh.getNChannels(), fresh.getNSlices(), fresh.getNFrames())
            self.image.setPosition(1, *where)
            self._fill()
            self._draw()
        self.busy = False
        self.say(text or u"Linked again: " + self._total.getText() + u".")

    def switch_colours(self):
        """Colour outlines by track, or by what happened."""
        self._by_change = not self._by_change
        self._buttons["By change"].setText("By track" if self._by_change else "By change")
        self._draw()

    def _draw(self):
        shown = [self._track_of_row(row) for row in range(self.table.getRowCount())]
        whole = len(shown) == len(self.reply["tracks"])
        self.marks.draw(self.image, self._by_change, self.chosen, None if whole else set(shown))

    def montage(self):
        """Show all spines at all time points."""
        self._picture("montage")

    def strips(self):
        """Show the straightened dendrites."""
        self._picture("strips")

    def _picture(self, name):
        path = self.reply[name]
        if path:
            opened(path).show()
        else:
            self.say(u"There is no such picture, as the time points have no images.")

    def to_manager(self):
        """Put the outlines, each in its largest plane, into the ROI Manager."""
        manager = RoiManager.getInstance() or RoiManager()
        with nothing_recorded():
            for spine in self.marks.spines:
                manager.addRoi(self.marks.roi(spine, self.image, self._by_change, spine["z_plane"]))
        self.say(u"%d outlines are in the ROI Manager." % len(self.marks.spines))

    def say(self, text):
        """Tell something below the buttons."""
        self._message.setText(u"<html>%s</html>" % text.replace(u"&", u"&amp;").replace(u"<", u"&lt;"))

    def _tell(self):
        if not self.chosen:
            self.say(u"Click on a spine, at two time points for a link. P: the same, A: appeared, S: gone, "
                     u"B: no spine.")
            return
        self.say(u"Chosen: " + u" and ".join(
            u"track %d at day %g (%s%s)" % (spine["track_id"], self.points[spine["time_point"]]["time"], spine["state"],
                                            u"" if spine["id"] is None else u", spine %d" % spine["id"])
            for spine in self.chosen))


class _Model(DefaultTableModel):
    def isCellEditable(self, row, column):  # noqa: N802 - Java's name
        return False

    def getColumnClass(self, column):  # noqa: N802 - Java's name
        return Integer if column < 2 else Double if column == 2 else String


class _Place(DefaultTableCellRenderer):
    def __init__(self):
        self.setHorizontalAlignment(JLabel.RIGHT)

    def setValue(self, value):  # noqa: N802 - Java's name
        self.setText(u"" if value is None else String(u"%.1f" % value))


class _State(DefaultTableCellRenderer):
    """The state of a track at a time point: a sign, and a colour."""

    def __init__(self, colours):
        self._colours = colours
        self.setHorizontalAlignment(JLabel.CENTER)

    def setValue(self, value):  # noqa: N802 - Java's name
        self.setText(_STATES.get(value, u""))
        self.setToolTipText(value)
        self.setBackground(self._colours.get(value))
        self.setForeground(Color.BLACK)


class _Keys(KeyAdapter):
    """The keys of this window; all others keep what they mean in ImageJ."""

    def __init__(self, window):
        self._window = window

    def keyPressed(self, event):  # noqa: N802 - Java's name
        if event.getKeyCode() == KeyEvent.VK_Z and (event.isControlDown() or event.isMetaDown()):
            self._window.undo()
            event.consume()
        elif not (event.isControlDown() or event.isMetaDown() or event.isAltDown()) \
                and self._window.key(unicode_of(event.getKeyChar()).lower()):
            event.consume()
        elif event.getSource() is not self._window.table:
            IJ.getInstance().keyPressed(event)

    def keyReleased(self, event):  # noqa: N802 - Java's name
        if event.getSource() is not self._window.table:
            IJ.getInstance().keyReleased(event)


class _Clicks(MouseAdapter):
    """A click on the image, without a drag, chooses a spine."""

    def __init__(self, window):
        self._window = window
        self._pressed = None

    def mousePressed(self, event):  # noqa: N802 - Java's name
        self._pressed = (event.getX(), event.getY())

    def mouseReleased(self, event):  # noqa: N802 - Java's name
        pressed, self._pressed = self._pressed, None
        if pressed is not None and max(abs(event.getX() - pressed[0]), abs(event.getY() - pressed[1])) <= _STILL_PX:
            canvas = self._window.image.getCanvas()
            self._window.clicked(canvas.offScreenXD(event.getX()), canvas.offScreenYD(event.getY()))


class _TableClicks(MouseAdapter):
    def __init__(self, window):
        self._window = window

    def mouseClicked(self, event):  # noqa: N802 - Java's name
        table = self._window.table
        row, column = table.rowAtPoint(event.getPoint()), table.columnAtPoint(event.getPoint())
        if row >= 0:
            self._window.cell_clicked(row, table.convertColumnIndexToModel(column), event.getClickCount() == 2)


class _ImageClosed(ImageListener):
    """Closes the window with its image."""

    def __init__(self, window):
        self._window = window

    def imageOpened(self, image):  # noqa: N802 - Java's name
        pass

    def imageUpdated(self, image):  # noqa: N802 - Java's name
        pass

    def imageClosed(self, image):  # noqa: N802 - Java's name
        if image is self._window.image:
            later(self._window.frame.dispose)
