"""Follow Spines...: the registered hyperstack with its spines, and beside it their table, in which links are corrected.

Jython 2.7. A window for each series. What a person decides goes into the file of links at once; it counts when the
series is linked again. Needs windows.
"""

from deepd3_errors import DeepD3Error
from deepd3_events import Acted, in_background, later, on_event_thread
from deepd3_follow_image import CHANGE, TRACK, FollowedImage
from deepd3_follow_links import LinksFile
from deepd3_follow_series import ABSENT, PRESENT, Series, told_row
from deepd3_follow_table import FollowedTable
from deepd3_images import opened
from deepd3_menu import script_of, start
from deepd3_names import OUTCOME
from deepd3_placement import keep_on_screen, place_beside
from deepd3_strip import strip
from deepd3_texts import name_of
from deepd3_windows import message_label, new_window, open_owners, show_message
from ij import Prefs
from java.awt import BorderLayout, Dimension, FlowLayout
from java.awt.event import KeyEvent
from java.lang import System
from javax.swing import (
    BorderFactory,
    BoxLayout,
    JButton,
    JCheckBox,
    JComboBox,
    JComponent,
    JLabel,
    JPanel,
    JScrollPane,
    KeyStroke,
)

COMMAND = "Follow Spines..."
WINDOW = "deepd3.follow"
_PLACE = "deepd3.follow"
_SIZE = (760, 520)
_ALL = u"all classes"


def show_followed(context, values, reply):
    """Open the window of a series, or let the one that is open show what was found now.

    values: texts of the dialog's fields, with which the same series is followed again.
    """
    def show():
        window = _open_window(reply["links_user"])
        if window is None:
            _Window(context, values, Series(reply)).show()
        else:
            window.take(values, Series(reply))

    on_event_thread(show)


def _open_window(links):
    found = [window for window in open_owners(WINDOW) if window.series.reply["links_user"] == links]
    return (found or [None])[0]


class _Window(object):
    def __init__(self, context, values, series):
        self._context = context
        self._values = values
        self.series = series
        self._links = LinksFile(series.reply["links_user"])
        self._new = 0
        self.chosen = self.other = None
        self.shown = FollowedImage(series)
        self._build()
        self.take(values, series)

    # The window

    def _build(self):
        self.frame = frame = new_window(
            WINDOW, u"Followed spines of %s" % name_of(self.series.reply["hyperstack"]), self, self._close)
        content = JPanel(BorderLayout(0, 6))
        content.setBorder(BorderFactory.createEmptyBorder(8, 8, 8, 8))
        self._total = message_label("totals", 2)
        content.add(self._total, BorderLayout.NORTH)
        self.table = FollowedTable()
        self.table.chosen(self._cell_chosen)
        self.table.opened(lambda track: strip(self.shown.image, self.series, track).show())
        content.add(JScrollPane(self.table.component), BorderLayout.CENTER)
        content.add(self._foot(), BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        self._keys = {(KeyEvent.VK_P, False): self.link, (KeyEvent.VK_S, False): self.cut_after,
                      (KeyEvent.VK_A, False): self.cut_before, (KeyEvent.VK_B, False): self.bad,
                      (KeyEvent.VK_Z, True): self.undo}
        for (key, with_ctrl), work in self._keys.items():
            for modifiers in (KeyEvent.CTRL_DOWN_MASK, KeyEvent.META_DOWN_MASK) if with_ctrl else (0,):
                frame.getRootPane().registerKeyboardAction(
                    Acted(work), KeyStroke.getKeyStroke(key, modifiers),
                    JComponent.WHEN_ANCESTOR_OF_FOCUSED_COMPONENT)
        frame.setPreferredSize(Dimension(*_SIZE))
        frame.pack()

    def _foot(self):
        foot = JPanel()
        foot.setLayout(BoxLayout(foot, BoxLayout.Y_AXIS))
        self._place_line = message_label("chosen", 2)
        foot.add(self._place_line)
        self._buttons = {}
        for line in ((("Link", "The two chosen spines are the same (P)", self.link),
                      ("Cut", "The two chosen spines are not the same; if one is chosen, it is not what its track is "
                              "later (S); key A: earlier", self.cut),
                      ("Bad", "The chosen one is no spine (B)", self.bad),
                      ("Present", "The spine of the chosen track is there, at the chosen time point",
                       lambda: self.judge(PRESENT)),
                      ("Absent", "The spine of the chosen track is not there, at the chosen time point",
                       lambda: self.judge(ABSENT)),
                      ("Undo", "Take the last correction back (Ctrl+Z)", self.undo),
                      ("Link Again", "Follow the spines again with all corrections", self.link_again)),
                     (("Montage", "Show the picture with each spine at each time point", self.montage),)):
            row = JPanel(FlowLayout(FlowLayout.LEFT, 4, 2))
            for text, tip, action in line:
                button = JButton(text)
                button.setName(text.replace(" ", "_").lower())
                button.setToolTipText(tip)
                button.addActionListener(Acted(action))
                self._buttons[button.getName()] = button
                row.add(button)
            if text == "Montage":
                self._add_views(row)
            row.setAlignmentX(0.0)
            foot.add(row)
        self._message = message_label("message", 2)
        foot.add(self._message)
        return foot

    def _add_views(self, row):
        row.add(JLabel("Colour by"))
        self._colour = JComboBox([TRACK, CHANGE])
        self._colour.setName("colour")
        self._colour.setToolTipText("A colour for each track, or by change: stable white, gained green, lost red, "
                                    "unobservable grey, undecided yellow")
        self._colour.addActionListener(Acted(lambda: self.shown.colour_by(self._colour.getSelectedItem())))
        row.add(self._colour)
        self._class = JComboBox([_ALL])
        self._class.setName("class")
        self._class.addActionListener(Acted(self._filter))
        row.add(self._class)
        self._planes = JCheckBox("In all planes")
        self._planes.setName("planes")
        self._planes.setToolTipText("Show outlines in all planes of their time point")
        self._planes.addActionListener(Acted(lambda: self.shown.in_all_planes(self._planes.isSelected())))
        row.add(self._planes)

    def show(self):
        """Open the image and the window beside it."""
        self.shown.show()
        self.shown.listen(self._clicked, self._keys, self.frame.dispose)
        remembered = Prefs.getLocation(_PLACE)
        if remembered is not None:
            self.frame.setLocation(remembered)
        elif self.shown.image.getWindow() is not None:
            place_beside(self.frame, self.shown.image.getWindow())
        keep_on_screen(self.frame)
        self.frame.setVisible(True)

    def _close(self):
        self.shown.stop()
        Prefs.saveLocation(_PLACE, self.frame.getLocation())

    def take(self, values, series):
        """Show what was found; image and time point stay where they are."""
        again, before = series is not self.series, self.series
        self._values, self.series = values, series
        self._new = 0
        if again:
            self.shown.take(series)
            self.chosen, self.other = [None if each is None else series.place_of(before.spine(each), each[1])
                                       for each in (self.chosen, self.other)]
        self.table.take(series)
        if self.chosen is not None:
            self.table.select(self.chosen)
        classes = series.classes()
        shown = self._class.getSelectedItem()
        self._class.removeAllItems()
        for each in [_ALL] + classes:
            self._class.addItem(each)
        self._class.setSelectedItem(shown if shown in classes else _ALL)
        self._tell()
        if again:
            self.say(u"linked again with %d corrections" % len(self._links.rows()))

    def _filter(self):
        shown = self._class.getSelectedItem()
        self.table.only(None if shown in (None, _ALL) else shown)

    def _tell(self):
        """Tell totals and what is chosen."""
        tracks, counts = self.series.tracks.values(), []
        for each in self.series.classes():
            counts.append(u"%d %s" % (len([track for track in tracks if track["class"] == each]), each))
        text = u"%d spines at %d time points: %s" % (len(tracks), len(self.series.names), u", ".join(counts))
        apart = [point["name"] for point in self.series.reply["time_points"] if not point["registered"]]
        show_message(self._total, text + (u"; not registered: %s" % u", ".join(apart) if apart else u""))
        text = u"Nothing is chosen: click a spine in the image, or a cell of the table"
        if self.chosen is not None:
            text = u"Chosen: %s" % self.series.told(self.chosen)
            if self.other is not None:
                text += u", and %s" % self.series.told(self.other)
        show_message(self._place_line, text)
        self.shown.choose([each for each in (self.chosen, self.other) if each is not None])

    def say(self, text):
        """Show a message that stays."""
        show_message(self._message, text)

    # Choosing

    def choose(self, place):
        """Choose a place; the one that was chosen before at another time point is the other one."""
        if self.chosen is not None and self.chosen[1] != place[1]:
            self.other = self.chosen
        elif self.other is not None and self.other[1] == place[1]:
            self.other = None
        self.chosen = place
        self._tell()

    def _clicked(self, place):
        self.choose(place)
        self.table.select(place)

    def _cell_chosen(self, track, time_point):
        """Go to a track, at a time point or at the one that is shown."""
        at = self.shown.time_point() if time_point is None else time_point
        mark = self.series.nearest(track, at)
        if mark is not None:
            self.shown.go_to(mark, at)
        self.choose((track, at))

    # Corrections

    def link(self):
        """The two chosen spines are the same."""
        self._correct(lambda: self.series.link(self.chosen, self.other))

    def cut(self):
        """The two chosen spines are not the same; with one, the link after it is cut."""
        if self.other is None:
            self.cut_after()
        else:
            self._correct(lambda: self.series.cut(self.chosen, self.other))

    def cut_after(self):
        """The spine is gone after this time point: what follows is another one."""
        self._correct(lambda: self.series.cut_beside(self.chosen, 1))

    def cut_before(self):
        """The spine is new at this time point: what came before is another one."""
        self._correct(lambda: self.series.cut_beside(self.chosen, -1))

    def bad(self):
        """The chosen one is no spine."""
        self._correct(lambda: self.series.bad(self.chosen))

    def judge(self, state):
        """The spine is there, or not."""
        self._correct(lambda: self.series.judged(self.chosen, state))

    def _correct(self, decide):
        def work():
            row = decide()
            self._links.add(*row)
            self._new += 1
            self.other = None
            return told_row(row)

        self._do(work)

    def undo(self):
        """Take the last correction back."""
        def work():
            row = self._links.take_back()
            if row is None:
                raise DeepD3Error(u"There is no correction to take back.")
            self._new -= 1
            return u"took back: " + told_row(row)

        self._do(work)

    def _do(self, work):
        if not self._buttons["link_again"].isEnabled():
            return  # it is being linked
        try:
            text = work()
            self.say(text + (u"; Link Again applies it" if self._new else u""))
        except DeepD3Error as error:
            self.say(error.message)
        self._tell()

    def link_again(self):
        """Follow the spines again, with the command itself."""
        self._set_busy(True)
        self.say(u"linking again; Esc stops it")
        future = start(self._context, script_of(COMMAND), self._values)

        def work():
            future.get()
            later(finish)

        def finish():
            self._set_busy(False)
            outcome = System.getProperty(OUTCOME)
            if outcome != "done":
                self.say(outcome)

        in_background(work)

    def _set_busy(self, busy):
        for button in self._buttons.values():
            button.setEnabled(not busy)

    def montage(self):
        """Show the picture of each spine at each time point."""
        picture = self.series.reply["montage"]
        if picture:
            opened(picture).show()
        else:
            self.say(u"There is no montage.")
