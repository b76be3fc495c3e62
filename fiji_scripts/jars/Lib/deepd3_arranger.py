"""The window of Arrange DeepD3 Training Set...: a list of training data, what they hold, and the set that they become.

Jython 2.7. Needs windows.
"""

import os

import deepd3_transport
from deepd3_background import beside
from deepd3_chosen_files import (
    Dropped,
    ask_for_files,
    ask_for_folder,
    ask_where_to_save,
    files_below,
    may_write,
    with_ending,
)
from deepd3_events import Activated, Selected, on_event_thread
from deepd3_placement import place_where_free
from deepd3_recorder import record
from deepd3_set_table import SetTable
from deepd3_steps import Steps
from deepd3_texts import name_of, unicode_of
from deepd3_training_viewer import show_files
from deepd3_windows import button_row, message_label, new_window, on_key, on_undo, only_window, show_message
from ij import IJ
from java.awt import BorderLayout, Color, Dimension, FlowLayout
from java.awt.event import KeyEvent
from javax.swing import BorderFactory, BoxLayout, JPanel, JScrollPane, JTextArea

WINDOW = "deepd3.arranger"
ENDING = u"d3data"
COMMAND = "Arrange DeepD3 Training Set..."
_HEIGHT_PX = 500
_DOUBT = Color(140, 75, 0)


def arrange(context):
    """Open the window, or bring the open one to the front."""
    on_event_thread(lambda: only_window(WINDOW, lambda: Arranger(context)))


class Arranger(object):
    """The window; files: the paths of the list, in their order."""

    def __init__(self, context):
        self.context = context
        self.files = Steps(())
        self._known = {}
        self._told = {"paths": (), "total": u"", "doubts": []}
        self._asking = False
        self._writing = False
        self._build()
        self._fill()

    # The window

    def _build(self):
        self.frame = frame = new_window(WINDOW, u"Arrange Training Set", self, lambda: None)
        content = JPanel(BorderLayout(0, 6))
        content.setBorder(BorderFactory.createEmptyBorder(8, 10, 8, 10))
        self._buttons = {}
        content.add(button_row((
            ("add", u"Add Files\u2026", u"Choose .d3data files; they can also be dropped onto the list", self._choose),
            ("folder", u"Add Folder\u2026", u"Add all .d3data files below a folder", self._choose_folder),
            ("remove", u"Remove", u"Take the selected files off the list (Delete); the files themselves stay",
             self.remove),
            ("up", u"Move Up", u"Put the selected files one place earlier", lambda: self.move(-1)),
            ("down", u"Move Down", u"Put the selected files one place later", lambda: self.move(1)),
            ("show", u"Show", u"Look at the selected files, and change their metadata", self.show),
            ("undo", u"Undo", u"Take the last change of the list back (Ctrl+Z)", self.undo)), FlowLayout.LEFT,
            self._buttons), BorderLayout.NORTH)
        self.table = SetTable()
        self.table.component.getSelectionModel().addListSelectionListener(Selected(self._enable))
        on_key(frame, KeyEvent.VK_DELETE, 0, self.remove)
        on_undo(frame, self.undo)
        pane = JScrollPane(self.table.component)
        for component in (pane, self.table.component):
            component.setTransferHandler(Dropped(self.add_dropped))
        content.add(pane, BorderLayout.CENTER)
        content.add(self._foot(), BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        frame.addWindowListener(Activated(self.look_again))
        frame.pack()
        place_where_free(frame, (self.table.width() + 60, _HEIGHT_PX))

    def _foot(self):
        foot = JPanel()
        foot.setLayout(BoxLayout(foot, BoxLayout.Y_AXIS))
        self._total = message_label("total", 1)
        foot.add(self._total)
        self._doubts = JTextArea(5, 1)
        self._doubts.setForeground(_DOUBT)
        self._doubts.setName("doubts")
        self._doubts.setEditable(False)
        self._doubts.setLineWrap(True)
        self._doubts.setWrapStyleWord(True)
        pane = JScrollPane(self._doubts)
        pane.setAlignmentX(0.0)
        pane.setMinimumSize(Dimension(0, self._doubts.getPreferredSize().height + 6))
        foot.add(pane)
        self._message = message_label("message", 2)
        foot.add(self._message)
        row = button_row((
            ("close", u"Close", u"Close the window", self.frame.dispose),
            ("create", u"Create\u2026", u"Write the training set (.d3set) with the files in this order", self.create)),
            FlowLayout.RIGHT, self._buttons)
        row.setAlignmentX(0.0)
        foot.add(row)
        return foot

    # What is shown

    def _fill(self, selected=()):
        self.table.show(self.files.value, self._known, selected)
        complete = self._told["paths"] == self.files.value
        if not self.files.value:
            self._total.setText(u"Add .d3data files, or drop them onto the list.")
        else:
            self._total.setText(self._told["total"] if complete else u"reading\u2026")
        self._doubts.setText(u"\n".join(self._told["doubts"]) if complete else u"")
        self._doubts.setCaretPosition(0)
        self._enable()

    def _enable(self):
        chosen = self.table.selected()
        for name, wanted in (("remove", chosen), ("show", chosen), ("up", chosen and chosen[0] > 0),
                             ("down", chosen and chosen[-1] < len(self.files.value) - 1),
                             ("undo", self.files.can_undo()), ("create", not self._writing)):
            self._buttons[name].setEnabled(bool(wanted))

    def say(self, text, is_problem=False):
        """Show a message that stays."""
        show_message(self._message, text, is_problem)

    def busy(self):
        """True while files are read or the set is written."""
        return self._asking or self._writing

    # What the user changes

    def _change(self, paths, selected=()):
        if self.files.change(tuple(paths)):
            self.say(u"")
        self._fill(selected)
        self._look()

    def add(self, paths):
        """Add files at the end of the list; those that are in it already are not added again."""
        new = []
        for path in paths:
            if path not in self.files.value and path not in new:
                new.append(path)
        self._change(self.files.value + tuple(new), new)
        if len(new) < len(paths):
            twice = [path for path in paths if path not in new]
            self.say(u"%s in the list already%s." % (
                u"%s is" % name_of(twice[0]) if len(twice) == 1 else u"%d of the files are" % len(twice),
                u"" if new else u"; nothing was added"))

    def add_folder(self, folder):
        """Add all training data below a folder."""
        self.say(u"looking for .d3data files below %s\u2026" % folder)

        def finish(found, problem):
            if not self.frame.isDisplayable():
                return
            if found:
                self.say(u"")
                self.add(found)
            else:
                self.say(problem or u"There are no .d3data files below %s; make them with Create DeepD3 Training "
                                    u"Data..., or choose another folder." % folder, True)

        beside(lambda: files_below(folder, [ENDING]), finish)

    def add_dropped(self, paths):
        """Add files that were dropped, and those below dropped folders."""
        self.add([path for path in paths if not os.path.isdir(path)])
        for path in paths:
            if os.path.isdir(path):
                self.add_folder(path)

    def _choose(self):
        self.add(ask_for_files(self.context, self.frame, [ENDING]))

    def _choose_folder(self):
        folder = ask_for_folder(self.context, self.frame)
        if folder is not None:
            self.add_folder(folder)

    def remove(self):
        """Take the selected files off the list."""
        chosen = self.table.selected()
        self._change([path for row, path in enumerate(self.files.value) if row not in chosen])

    def move(self, step):
        """Move the selected files by one place."""
        chosen, paths = self.table.selected(), list(self.files.value)
        selected = [paths[row] for row in chosen]
        for row in chosen if step < 0 else reversed(chosen):
            if not 0 <= row + step < len(paths):
                return
            paths[row], paths[row + step] = paths[row + step], paths[row]
        self._change(paths, selected)

    def show(self):
        """Look at the selected files in the window for that."""
        show_files(self.context, [self.files.value[row] for row in self.table.selected()])

    def undo(self):
        """Take the last change of the list back."""
        if self.files.can_undo():
            self.files.undo()
            self.say(u"took the last change back")
            self._fill()
            self._look()

    # What the files hold

    def look_again(self):
        """Look whether files were changed or removed meanwhile."""
        self._told = dict(self._told, paths=None)
        self._look()

    def _look(self):
        """Ask for what is not known, one file after the other, then for all of them together."""
        paths = self.files.value
        if self._asking or not self.frame.isDisplayable() or self._told["paths"] == paths:
            return
        unread = [path for path in paths if path not in self._known]
        wanted = list(unread[:1] or paths)
        self._asking = True

        def finish(found, problem):
            self._asking = False
            reply = found[0] if found is not None else {
                "files": [{"path": path, "problem": problem} for path in wanted], "total": u"", "doubts": []}
            if problem:
                self.say(problem, True)
            self._known.update((told["path"], told) for told in reply["files"])
            if not unread:
                self._told = {"paths": tuple(wanted), "total": reply["total"], "doubts": reply["doubts"]}
            if self.frame.isDisplayable():
                self._fill([self.files.value[row] for row in self.table.selected() if row < len(self.files.value)])
                self._look()

        beside(lambda: deepd3_transport.call(self.context, "summarize_training_data", {"paths": wanted}), finish)

    # The set

    def problem(self):
        """Why no set can be written now, or None."""
        if not self.files.value:
            return u"The list is empty; add .d3data files first."
        for path in self.files.value:
            told = self._known.get(path)
            if told is None:
                return u"The files are still being read; try again in a moment."
            if told["problem"]:
                return u"%s Remove %s from the list." % (told["problem"], name_of(path))
        return None

    def create(self):
        """Check everything, ask for the file, write it."""
        problem = self.problem()
        if problem is not None:
            self.say(problem, True)
            return
        path = ask_where_to_save(self.frame, os.path.join(os.path.dirname(self.files.value[0]), u"training.d3set"),
                                 u"Training set")
        if path is not None:
            self.write(path)

    def write(self, path):
        """Write the set; what is wrong is told in the window."""
        problem = self.problem()
        if problem is not None:
            self.say(problem, True)
            return
        path = with_ending(path, u".d3set")
        if not may_write(path):
            return
        self._writing = True
        self.say(u"writing\u2026")
        self._enable()
        values = {"paths": list(self.files.value), "out": path, "overwrite": True}

        def finish(found, problem):
            self._writing = False
            self._enable()
            if problem is not None:
                self.say(problem, True)
                self.look_again()
                return
            text = u"wrote %s: %s" % (unicode_of(found[0]["file"]), found[0]["total"])
            self.say(text)
            IJ.showStatus(u"DeepD3: " + text)
            self._record(values["paths"], found[0]["file"])

        beside(lambda: deepd3_transport.call(self.context, "arrange_training_files", values), finish)

    def _record(self, paths, out):
        """Let the macro recorder write the command, if the set is all of one folder in the order of the names."""
        folder = os.path.dirname(paths[0])
        names = sorted(name for name in os.listdir(folder) if name.endswith(u"." + ENDING))
        if paths == [os.path.join(folder, name) for name in names]:
            record(COMMAND, [("source", folder), ("pattern", u"*." + ENDING), ("out", out)])
