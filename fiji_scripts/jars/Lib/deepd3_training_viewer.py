"""The window of Show DeepD3 Training Data...: training data, their images with masks, their metadata to be changed.

Jython 2.7. Needs windows.
"""

import os

import deepd3_transport
from deepd3_background import beside
from deepd3_chosen_files import Dropped, ask_for_files
from deepd3_events import Activated, Closing, Selected, on_event_thread
from deepd3_images import Images
from deepd3_metadata import Metadata
from deepd3_metadata_table import MetadataTable
from deepd3_placement import place_where_free
from deepd3_questions import answer_to
from deepd3_recorder import record
from deepd3_texts import name_of
from deepd3_training_images import calibrate_again, open_image_of, show_training_data, title_of
from deepd3_windows import button_row, message_label, new_window, on_undo, only_window, show_message
from java.awt import BorderLayout, FlowLayout
from javax.swing import BorderFactory, JPanel, JScrollPane, WindowConstants

WINDOW = "deepd3.training_data"
COMMAND = "Show DeepD3 Training Data..."
_ENDINGS = [u"d3data", u"d3set"]
_SIZE = (1000, 330)


def show_files(context, paths=()):
    """Open the window, or bring the open one to the front; add files to it."""
    def show():
        window = only_window(WINDOW, lambda: TrainingViewer(context))
        if paths:
            window.add(paths)

    on_event_thread(show)


class TrainingViewer(object):
    """The window."""

    def __init__(self, context):
        self.context = context
        self.images = Images(context)
        self.metadata = Metadata()
        self._stamps = {}
        self._working = 0
        self._reading = False
        self._save_then = False
        self._saving = False
        self._build()
        self._fill()

    # The window

    def _build(self):
        self.frame = frame = new_window(WINDOW, u"Training Data", self, lambda: None)
        frame.setDefaultCloseOperation(WindowConstants.DO_NOTHING_ON_CLOSE)
        frame.addWindowListener(Closing(self.close))
        frame.addWindowListener(Activated(self.look_again))
        content = JPanel(BorderLayout(0, 6))
        content.setBorder(BorderFactory.createEmptyBorder(8, 10, 8, 10))
        self._buttons = {}
        content.add(button_row((
            ("add", u"Add Files\u2026", u"Choose .d3data and .d3set files; they can also be dropped onto the table",
             self._choose),
            ("remove", u"Remove", u"Take the selected files off the table; the files themselves stay", self.remove),
            ("show", u"Show", u"Open the selected stacks with their masks (double click on a name)", self.show),
            ("undo", u"Undo", u"Take the last change back (Ctrl+Z)", self.undo)), FlowLayout.LEFT, self._buttons),
            BorderLayout.NORTH)
        self.table = MetadataTable(self.metadata, self.typed, self.show)
        self.table.component.getSelectionModel().addListSelectionListener(Selected(self._enable))
        on_undo(frame, self.undo)
        pane = JScrollPane(self.table.component)
        for component in (pane, self.table.component):
            component.setTransferHandler(Dropped(self.add))
        content.add(pane, BorderLayout.CENTER)
        foot = JPanel(BorderLayout(0, 4))
        self._message = message_label("message", 2)
        foot.add(self._message, BorderLayout.NORTH)
        foot.add(button_row((
            ("close", u"Close", u"Close the window", self.close),
            ("save", u"Save", u"Write what was changed (bold) into the files", self.save)), FlowLayout.RIGHT,
            self._buttons), BorderLayout.SOUTH)
        content.add(foot, BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        frame.pack()
        place_where_free(frame, _SIZE)

    def close(self):
        """Close the window; what is not saved is asked for first."""
        self.table.stop_typing()
        changed = self.metadata.changed_files()
        if changed or self._working:
            answer = answer_to(u"Changes of %s are not saved. Close the window without them?" % (
                name_of(changed[0]) if len(changed) == 1 else u"%d files" % len(changed) if changed else u"a file"),
                [u"Keep Open", u"Close"])
            if answer != u"Close":
                return
        self.frame.dispose()

    def _fill(self):
        self.table.show()
        self._enable()

    def _enable(self):
        chosen = self.table.selected()
        for name, wanted in (("remove", chosen), ("show", chosen), ("undo", self.metadata.can_undo()),
                             ("save", not self._saving)):  # also for what is typed in a cell and not taken yet
            self._buttons[name].setEnabled(bool(wanted))

    def say(self, text, is_problem=False):
        """Show a message that stays."""
        show_message(self._message, text, is_problem)

    def busy(self):
        """True while something is read, checked or written."""
        return self._reading or self._working > 0

    def _beside(self, verb, values, finish):
        """Ask the service; finish(reply, arrays, problem) while the window is open."""
        self._working += 1

        def end(found, problem):
            self._working -= 1
            if self.frame.isDisplayable():
                finish(found[0] if found else None, found[1] if found else None, problem)
                self._fill()

        beside(lambda: deepd3_transport.call(self.context, verb, values), end)

    # The files

    def add(self, paths):
        """Add files to the table."""
        new = self.metadata.add(paths)
        self.say(u"")
        self._fill()
        self.table.select(new or paths)
        self._read()

    def _choose(self):
        self.add(ask_for_files(self.context, self.frame, _ENDINGS))

    def remove(self):
        """Take the selected files off the table."""
        self.table.stop_typing()
        self.metadata.remove([path for path, _ in self.table.selected()])
        self.say(u"")
        self._fill()

    def undo(self):
        """Take the last change back."""
        if self.metadata.can_undo():
            self.metadata.undo()
            self.say(u"took the last change back")
            self._fill()
            self._read()

    def look_again(self):
        """Read files again that were changed or removed meanwhile."""
        for path in self.metadata.files():
            if path in self._stamps and self._stamps[path] != _stamp(path):
                del self._stamps[path]
        self._read()

    def _read(self):
        """Read what is not known, one file after the other."""
        unread = [path for path in self.metadata.files() if path not in self._stamps]
        if self._reading or not unread:
            return
        self._reading = True
        path, self._stamps[unread[0]] = unread[0], _stamp(unread[0])

        def finish(reply, _, problem):
            self._reading = False
            self.metadata.known[path] = {"problem": problem} if problem else reply
            if problem:
                self.say(problem, True)
            selected = [place for place, _ in self.table.selected()]
            self._fill()
            self.table.select(selected)
            self._read()

        self._beside("read_training_metadata", {"path": path}, finish)

    # The images

    def show(self):
        """Open the selected stacks with their masks."""
        for row in self.table.selected():
            shown = open_image_of(self.images, row)
            if shown is not None:
                shown.getWindow().toFront()
            elif row[1] is not None:
                self._open(row)
            elif self.metadata.problem(row[0]):
                self.say(self.metadata.problem(row[0]), True)

    def _open(self, row):
        path, number = row
        title = title_of(row, len(self.metadata.known[path]["stacks"]) > 1)

        def finish(reply, arrays, problem):
            if problem:
                self.say(problem, True)
                self.look_again()
            elif open_image_of(self.images, row) is None:
                show_training_data(self.images, row, title, reply, arrays)
                record(COMMAND, [("path", path)])

        self._beside("open_training_data", {"path": path, "number": number}, finish)

    # The metadata

    def typed(self, row, name, text):
        """Take a text that was typed, if it is fit."""
        def finish(reply, _, problem):
            if problem:
                self._save_then = False
                self.say(problem, True)
            elif self.metadata.can_change(row, name):
                if reply["value"] != self.metadata.text(row, name):
                    self.metadata.type(row[0], name, reply["value"])
                self.say(u"")
            if self._save_then and not self._working:
                self._save_then = False
                self.save()

        self._beside("check_training_metadata", {"name": name, "value": text}, finish)

    def save(self):
        """Write what was changed into the files, one after the other."""
        self.table.stop_typing()
        if self._working:
            self._save_then = True  # what was typed is being checked
            return
        changed = [(path, self.metadata.unsaved(path)) for path in self.metadata.changed_files()]
        if not changed:
            self.say(u"There is nothing to save; double-click a value to change it.")
            return
        self.say(u"saving\u2026")
        self._saving = True
        self._enable()
        self._save_next(changed, [], [])

    def _save_next(self, changed, saved, problems):
        if not changed:
            self._saving = False
            text = u"saved %s" % u", ".join(saved) if saved else u""
            self.say(u"; ".join(problems + [text] if text else problems), bool(problems))
            return
        (path, values), others = changed[0], changed[1:]

        def finish(reply, _, problem):
            if problem:
                problems.append(problem)
            else:
                saved.append(name_of(path))
                self._stamps[path] = _stamp(path)
                self.metadata.known[path]["stacks"] = reply["stacks"]
                calibrate_again(self.images, path, reply["stacks"][0])
            self._save_next(others, saved, problems)

        self._beside("save_training_metadata", {
            "path": path, "names": list(values), "values": list(values.values())}, finish)


def _stamp(path):
    """What changes with a file."""
    try:
        return os.path.getmtime(path), os.path.getsize(path)
    except OSError:
        return None
