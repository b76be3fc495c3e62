"""The dialog of a command: its fields, where their values come from, what they accept.

Jython 2.7. What is shown comes from the service, and every field that is shown is what runs. The windows of images
stay usable while it is open.
"""

from deepd3_errors import Cancelled, DeepD3Error
from deepd3_events import Acted, Closed, Left, Opened, Typed, in_background, later, on_event_thread
from deepd3_placement import keep_on_screen, place_beside
from deepd3_texts import text_of, unicode_of
from ij import IJ
from java.awt import (
    BorderLayout,
    Color,
    Dimension,
    FlowLayout,
    Font,
    GridBagConstraints,
    GridBagLayout,
    Insets,
    Toolkit,
)
from java.awt.event import KeyEvent
from java.util.concurrent import CountDownLatch
from javax.swing import (
    BorderFactory,
    DefaultComboBoxModel,
    JButton,
    JCheckBox,
    JComboBox,
    JComponent,
    JDialog,
    JFileChooser,
    JLabel,
    JPanel,
    JScrollPane,
    JTextArea,
    JTextField,
    KeyStroke,
    ScrollPaneConstants,
    SwingUtilities,
    Timer,
    WindowConstants,
)

ORIGINS = {"image": "image", "recommended": "model", "kept": "tested", "preset": "preset", "default": "default",
           "typed": "changed"}
_CHANGED = ORIGINS["typed"]
_INVALID = Color(255, 214, 214)
_NOTE = Color(110, 110, 110)
_PROBLEM = Color(170, 0, 0)
_SHOWN, _HIDDEN = u"\u25be Advanced", u"\u25b8 Advanced"
_SHARE_OF_SCREEN = 0.85
_LOOK_MS = 200
_SELECTION = u"There is a selection; tick 'Only the selection' to work on it alone."


class Dialog(object):
    """Asks for the fields of a command; see ask."""

    def __init__(self, fiji, title, command=None, first=None):
        self._fiji = fiji
        self._title = title
        self._first = first or {}
        self._command = command or fiji.command
        self._reply = fiji.fields_of(self._command, {})
        self._finished = CountDownLatch(1)
        self._answer = None
        self._busy = False
        self._asked = 0
        self._rows = []
        self._preview = None
        self._hint = u""
        self._look = Timer(_LOOK_MS, Acted(self._look_around))
        self._window = self._scroll = self._below = self._advanced = self._message = self._ok = None
        self._followed = dict((name, self._value_of(name)) for name in self._reply.get("follows", ()))

    def ask(self):
        """Show the dialog and wait for OK; what the service says about the fields with the values that were shown."""
        if SwingUtilities.isEventDispatchThread():
            self._show(modal=True)  # windows stay alive while it waits
        else:
            on_event_thread(self._show)
            getattr(self._finished, "await")()
        if self._answer is None:
            raise Cancelled()
        return self._answer

    # The window

    def _show(self, modal=False):
        window = JDialog(IJ.getInstance(), self._title, modal)
        self._window = window
        window.setName("deepd3")
        window.setDefaultCloseOperation(WindowConstants.DISPOSE_ON_CLOSE)
        window.addWindowListener(Closed(self._close))
        essential = [item for item in self._reply["fields"] if not item["advanced"]]
        advanced = [item for item in self._reply["fields"] if item["advanced"]]
        content = JPanel(BorderLayout())
        content.setBorder(BorderFactory.createEmptyBorder(10, 12, 4, 12))
        content.add(self._panel(essential, bool(advanced)), BorderLayout.NORTH)
        if advanced:
            self._advanced = self._panel(advanced, True)
            self._advanced.setVisible(False)
            content.add(self._foldable(), BorderLayout.CENTER)
        self._align()
        scroll = JScrollPane(content, ScrollPaneConstants.VERTICAL_SCROLLBAR_AS_NEEDED,
                             ScrollPaneConstants.HORIZONTAL_SCROLLBAR_NEVER)
        scroll.setBorder(BorderFactory.createEmptyBorder())
        scroll.getVerticalScrollBar().setUnitIncrement(16)
        self._scroll = scroll
        window.getContentPane().add(scroll, BorderLayout.CENTER)
        self._below = self._foot()
        window.getContentPane().add(self._below, BorderLayout.SOUTH)
        window.getRootPane().setDefaultButton(self._ok)
        window.getRootPane().registerKeyboardAction(
            Acted(window.dispose), KeyStroke.getKeyStroke(KeyEvent.VK_ESCAPE, 0), JComponent.WHEN_IN_FOCUSED_WINDOW)
        for row in self._rows:
            if row.item["name"] in self._first:
                row.show(self._first[row.item["name"]])
        self._look_around()
        self._check()
        self._fit()
        self._place()
        self._tell_model()
        if self._preview is not None or self._region_rows():
            self._look.start()
        window.setVisible(True)
        window.toFront()

    def _place(self):
        image = self._fiji.image
        if image is not None and image.getWindow() is not None:
            place_beside(self._window, *[each.getWindow() for each in self._fiji.images.family(image)
                                         if each.getWindow() is not None and each.getWindow().isVisible()])
        else:
            self._window.setLocationRelativeTo(IJ.getInstance())
        keep_on_screen(self._window)

    def _panel(self, items, titled):
        panel = JPanel(GridBagLayout())
        line, section = 0, u""
        for item in items:
            if titled and item["section"] and item["section"] != section:
                section = item["section"]
                title = JLabel(section)
                title.setFont(title.getFont().deriveFont(Font.BOLD))
                panel.add(title, _at(0, line, width=4, insets=Insets(10 if line else 0, 0, 2, 0)))
                line += 1
            row = _row(item, self)
            self._rows.append(row)
            row.put_into(panel, line)
            line += 1
        return panel

    def _foldable(self):
        panel = JPanel(BorderLayout())
        button = JButton(_HIDDEN)
        button.setBorderPainted(False)
        button.setContentAreaFilled(False)
        button.setFocusPainted(False)
        button.setMargin(Insets(6, 0, 2, 0))
        button.setName("advanced")
        button.addActionListener(Acted(self._fold))
        self._folding = button
        line = JPanel(FlowLayout(FlowLayout.LEFT, 0, 4))
        line.add(button)
        panel.add(line, BorderLayout.NORTH)
        panel.add(self._advanced, BorderLayout.CENTER)
        return panel

    def _fold(self):
        self._advanced.setVisible(not self._advanced.isVisible())
        self._folding.setText(_SHOWN if self._advanced.isVisible() else _HIDDEN)
        self._fit()
        keep_on_screen(self._window)

    def _foot(self):
        foot = JPanel(BorderLayout(8, 0))
        foot.setBorder(BorderFactory.createEmptyBorder(4, 12, 10, 12))
        self._message = JTextArea(2, 20)
        self._message.setName("message")
        self._message.setFont(JLabel().getFont().deriveFont(Font.PLAIN))
        self._message.setLineWrap(True)
        self._message.setWrapStyleWord(True)
        self._message.setEditable(False)
        self._message.setFocusable(False)
        self._message.setOpaque(False)
        self._message.setBorder(BorderFactory.createEmptyBorder(0, 0, 4, 0))
        foot.add(self._message, BorderLayout.NORTH)
        buttons = JPanel(FlowLayout(FlowLayout.RIGHT, 6, 0))
        self._ok = JButton("OK")
        self._ok.setName("ok")
        cancel = JButton("Cancel")
        reset = JButton(u"Model's values" if self._reply["has_recommendations"] else u"Reset")
        cancel.setName("cancel")
        reset.setName("reset")
        reset.setToolTipText(u"Take back what was changed here")
        for button, action in ((self._ok, self._accept), (cancel, self._window.dispose), (reset, self._reset)):
            button.addActionListener(Acted(action))
        left = JPanel(FlowLayout(FlowLayout.LEFT, 0, 0))
        left.add(reset)
        if self._reply.get("preview") and self._fiji.image is not None and self._fiji.image.getWindow() is not None:
            left.add(self._preview_box())
        buttons.add(self._ok)
        buttons.add(cancel)
        foot.add(left, BorderLayout.WEST)
        foot.add(buttons, BorderLayout.EAST)
        return foot

    def _preview_box(self):
        """Shows, while it is ticked, what the values give on the planes in sight."""
        from deepd3_preview import Preview  # only some dialogs need it
        box = JCheckBox("Preview")
        box.setName("preview")
        box.setFont(box.getFont().deriveFont(Font.PLAIN))
        box.setToolTipText(u"Show on the image what these values give around the plane that is looked at")
        self._preview = Preview(self._fiji, self._command, self._reply["preview"], self._right_texts, self._tell)

        def switch():
            self._tell(u"")
            if box.isSelected():
                self._preview.start()
            else:
                self._preview.stop()

        box.addActionListener(Acted(switch))
        return box

    def _align(self):
        """Let the labels of all parts be equally wide, so that their fields stand below each other."""
        for row in self._rows:
            row.note.setText(_CHANGED)  # the longest text there
        for parts in ([row.label for row in self._rows], [row.note for row in self._rows]):
            width = max([part.getPreferredSize().width for part in parts]) + 2
            for part in parts:
                part.setPreferredSize(Dimension(width, part.getPreferredSize().height))
        for row in self._rows:
            row.tell_origin()

    def _fit(self):
        """As large as it has to be, and no larger than the screen allows; then it scrolls.

        The size is set once: a window that is too large for a moment is moved by the window manager.
        """
        self._scroll.setPreferredSize(None)
        size = self._scroll.getPreferredSize()
        around = self._below.getPreferredSize().height + self._window.getInsets().top + self._window.getInsets().bottom
        room = int(Toolkit.getDefaultToolkit().getScreenSize().height * _SHARE_OF_SCREEN) - around
        if size.height > room:
            bar = self._scroll.getVerticalScrollBar().getPreferredSize().width
            self._scroll.setPreferredSize(Dimension(size.width + bar, room))
        self._window.pack()

    # What happens in it

    def _look_around(self):
        """Follow what a user does in the images: their selection, and the planes that a preview is about."""
        if self._preview is not None:
            self._preview.look()
        for row in self._region_rows():
            if row.look():
                row.tell_origin()
                self._tell(u"" if row.component.isSelected() or not self.selection() else _SELECTION)

    def _region_rows(self):
        return [row for row in self._rows if row.item["name"] == "region"]

    def selection(self):
        """What is selected on the image: x,y,width,height; None for nothing."""
        return self._fiji.selection()

    def _right_texts(self):
        """The texts of all fields, None while one of them is no value."""
        if [row for row in self._rows if row.problem() is not None]:
            return None
        return self._texts()

    def _texts(self):
        return dict((row.item["name"], row.text()) for row in self._rows)

    def _tell(self, hint):
        """Say something that is no problem."""
        self._hint = hint
        self._check()

    def changed(self, row):
        """A field was changed."""
        self._check()
        name = row.item["name"]
        if name in self._followed and row.text() != self._followed[name]:
            self._followed[name] = row.text()
            self._unfold(row)
            chosen = dict((each.item["name"], each.text()) for each in self._rows
                          if each.item["name"] in self._followed and (each is row or each.edited))
            self._in_background(lambda: self._fiji.fields_of(self._command, chosen), self._refill)

    def _unfold(self, row):
        """Show what a choice makes count."""
        texts = self._texts()
        counts = [each for each in self._rows if each.item["advanced"] and _counts(each.item, texts)
                  and row.item["name"] in dict(each.item["needs"])]
        if counts and not self._advanced.isVisible():
            self._fold()

    def _refill(self, reply):
        """Show what suits the choice that others follow, but in fields that were edited and still count."""
        self._reply = reply
        self._tell_model()
        texts = self._texts()
        for row, item in zip(self._rows, self._in_order(reply)):
            if row.item["name"] not in reply["follows"]:
                needed = [name for name in reply["follows"] if name in dict(item["needs"])]
                row.take(item, keep_edited=not needed or _counts(item, texts))
        self._check()

    def look_for_suggestions(self, row):
        """Ask anew what a list offers, which has been opened; another window may have made a model meanwhile."""
        name = row.item["name"]

        def work():
            try:
                fields = self._fiji.fields_of(self._command, {}, quietly=True)["fields"]
            except (Cancelled, DeepD3Error):
                return
            later(lambda: row.offer([item for item in fields if item["name"] == name][0]["suggestions"]))

        in_background(work)

    def _tell_model(self):
        """Keep the name of the model whose values are shown with the window."""
        self._window.getContentPane().putClientProperty("deepd3.model", self._value_of("model"))

    def _value_of(self, name):
        """The text of a field as the service told it, None if there is none."""
        return dict((item["name"], text_of(item["value"])) for item in self._reply["fields"]).get(name)

    def _reset(self):
        """Take back all but the model; a preset that was chosen goes too, so what suits the model is asked anew."""
        model = dict((row.item["name"], row.text()) for row in self._rows
                     if row.item["name"] == "model" and row.edited)
        self._in_background(lambda: self._fiji.fields_of(self._command, model), self._take_back)

    def _take_back(self, reply):
        self._reply = reply
        for row, item in zip(self._rows, self._in_order(reply)):
            if item["name"] == "model":
                continue
            row.take(item, keep_edited=False)
            if item["name"] in self._followed:
                self._followed[item["name"]] = row.text()
        self._check()

    def _in_order(self, reply):
        items = dict((item["name"], item) for item in reply["fields"])
        return [items[row.item["name"]] for row in self._rows]

    def _check(self):
        problem, texts = None, self._texts()
        for row in self._rows:
            wrong = row.problem()
            row.mark(wrong is not None)
            row.enable(wrong is not None or _counts(row.item, texts))
            problem = problem or wrong
        self._say(problem)

    def _say(self, problem):
        self._message.setForeground(_NOTE if problem is None else _PROBLEM)
        self._message.setText(problem or self._hint)
        self._message.setToolTipText(problem)
        self._ok.setEnabled(problem is None and not self._busy)

    def _accept(self):
        texts = self._texts()
        self._in_background(lambda: self._fiji.fields_of(self._command, texts), self._done)

    def _done(self, reply):
        self._answer = reply
        self._window.dispose()

    def _in_background(self, ask, use):
        """Ask the service off the event thread; use its answer there, or show why there is none."""
        self._asked += 1
        number = self._asked
        self._busy = True
        self._say(None)

        def work():
            answer, problem = None, None
            try:
                answer = ask()
            except DeepD3Error as error:
                problem = error.message

            def finish():
                if number != self._asked or not self._window.isDisplayable():
                    return  # another question was asked meanwhile
                self._busy = False
                if problem is None:
                    self._check()
                    use(answer)
                else:
                    self._say(problem)
                    self._ok.setEnabled(True)

            later(finish)

        in_background(work)

    def _close(self):
        self._look.stop()
        if self._preview is not None:
            self._preview.stop()
        self._finished.countDown()

    def choose_path(self, row):
        """Let the user choose a file or folder for a field."""
        kind = row.item["path"] or "file"
        chooser = JFileChooser(row.text() or self._fiji.settings.read("folder"))
        chooser.setDialogTitle(row.item["label"])
        if kind == "folder":
            chooser.setFileSelectionMode(JFileChooser.DIRECTORIES_ONLY)
        elif kind == "any":
            chooser.setFileSelectionMode(JFileChooser.FILES_AND_DIRECTORIES)
        answer = (chooser.showSaveDialog if kind == "save" else chooser.showOpenDialog)(self._window)
        if answer == JFileChooser.APPROVE_OPTION:
            chosen = chooser.getSelectedFile()
            self._fiji.settings.write("folder", chosen.getPath() if kind == "folder" else chosen.getParent())
            row.show(chosen.getAbsolutePath())
            self.changed(row)


# Rows


def _counts(item, texts):
    """False if another field has a value at which this one has no effect."""
    return not [name for name, values in item["needs"]
                if name in texts and texts[name] not in [text_of(value) for value in values]]


def _row(item, dialog):
    if item["name"] == "region":
        return _RegionRow(item, dialog)
    if item["type"] == "bool":
        return _CheckRow(item, dialog)
    if item["choices"] or item["suggestions"] is not None:
        return _ChoiceRow(item, dialog)
    return _TextRow(item, dialog)


class _Row(object):
    """A field with its label, its unit and where its value comes from."""

    fills = False

    def __init__(self, item, dialog, component):
        self.item = item
        self.dialog = dialog
        self.component = component
        unit = u" (%s)" % item["unit"] if item["unit"] else u""
        self.label = JLabel(item["label"] + unit)
        self.label.setFont(self.label.getFont().deriveFont(Font.PLAIN))
        self.note = JLabel(_CHANGED)
        self.note.setForeground(_NOTE)
        self.note.setFont(self.note.getFont().deriveFont(Font.PLAIN, self.note.getFont().getSize2D() - 1.0))
        self.edited = False
        component.setName(item["name"])
        self.note.setName("origin." + item["name"])
        for part in (self.label, component, self.note):
            part.setToolTipText(u"<html><p width='350'>%s</p></html>" % item["help"].replace("<", "&lt;"))
        self._silent = False
        self.take(item, keep_edited=False)

    def put_into(self, panel, line):
        """Add it to a panel."""
        panel.add(self.label, _at(0, line, insets=Insets(2, 0, 2, 10)))
        browse = self.item["path"] or self.item["name"] == "model"
        panel.add(self.component, _at(1, line, weight=1.0, width=1 if browse else 2, fill=self.fills))
        if browse:
            button = JButton(u"Browse\u2026")
            button.setMargin(Insets(1, 6, 1, 6))
            button.addActionListener(Acted(lambda: self.dialog.choose_path(self)))
            panel.add(button, _at(2, line, insets=Insets(2, 4, 2, 0)))
        panel.add(self.note, _at(3, line, insets=Insets(2, 8, 2, 0)))

    def take(self, item, keep_edited):
        """Show another value of the service, unless the user edited this one and that shall be kept."""
        self.item = item
        if keep_edited and self.edited:
            return
        self.show(text_of(item["value"]))
        self.tell_origin()

    def show(self, text):
        """Show a text without counting it as an edit by itself."""
        self._silent = True
        try:
            self.put(text)
        finally:
            self._silent = False
        self.tell_origin()

    def was_changed(self):
        """The user changed the field."""
        if not self._silent:
            self.tell_origin()
            self.dialog.changed(self)

    def tell_origin(self):
        """Tell where the value comes from."""
        self.edited = self.text() != text_of(self.item["value"])
        self.note.setText(_CHANGED if self.edited else ORIGINS[self.item["origin"]])

    def problem(self):
        """What is wrong with the text, or None."""
        return None

    def mark(self, wrong):
        """Show that a text is wrong."""

    def enable(self, counts):
        """Grey it if it has no effect."""
        for part in (self.label, self.component, self.note):
            part.setEnabled(counts)


class _RegionRow(_Row):
    """Whether only the selection on the image is meant; it can be drawn and changed while the dialog is open."""

    def __init__(self, item, dialog):
        box = JCheckBox()
        box.setFont(box.getFont().deriveFont(Font.PLAIN))
        self._given = u""
        self._seen = None
        _Row.__init__(self, item, dialog, box)
        box.addActionListener(Acted(self.was_changed))

    def text(self):
        if not self.component.isSelected():
            return u""
        return self.dialog.selection() or self._given

    def put(self, text):
        self._given = text
        self.component.setSelected(bool(text))

    def problem(self):
        if self.component.isSelected() and not self.text():
            return u"Only the selection: draw a selection around an area of the image, or take the tick away"
        return None

    def look(self):
        """Tell the selection as it is now; True if it or the tick has changed."""
        region = self.dialog.selection() or self._given
        seen = (region, self.component.isSelected())
        if seen == self._seen:
            return False
        self._seen = seen
        self.component.setActionCommand(self.text())
        self.component.setText(u"x %s, y %s, %s \u00d7 %s px" % tuple(region.split(","))
                               if region.count(",") == 3 else u"nothing is selected")
        return True


class _CheckRow(_Row):
    def __init__(self, item, dialog):
        box = JCheckBox()
        _Row.__init__(self, item, dialog, box)
        box.addActionListener(Acted(self.was_changed))

    def text(self):
        return text_of(self.component.isSelected())

    def put(self, text):
        self.component.setSelected(text == u"true")


class _ChoiceRow(_Row):
    def __init__(self, item, dialog):
        box = JComboBox(item["choices"] or item["suggestions"])
        self.free = self.fills = not item["choices"]
        box.setFont(box.getFont().deriveFont(Font.PLAIN))
        box.setEditable(self.free)
        _Row.__init__(self, item, dialog, box)
        box.addActionListener(Acted(self.was_changed))
        if self.free:
            box.addPopupMenuListener(Opened(lambda: dialog.look_for_suggestions(self)))
            editor = box.getEditor().getEditorComponent()
            editor.addFocusListener(Left(self.was_changed))

    def text(self):
        value = self.component.getEditor().getItem() if self.free else self.component.getSelectedItem()
        return unicode_of(value or u"").strip()

    def offer(self, suggestions):
        """Offer other texts, also in the list that is open."""
        box, text = self.component, self.text()
        if suggestions == [box.getItemAt(number) for number in range(box.getItemCount())]:
            return
        box.setModel(DefaultComboBoxModel(suggestions))
        self.show(text)
        if box.isPopupVisible():  # it keeps its size otherwise
            box.setPopupVisible(False)
            box.setPopupVisible(True)

    def put(self, text):
        self.component.setSelectedItem(text)
        if self.free:
            self.component.getEditor().setItem(text)


class _TextRow(_Row):
    def __init__(self, item, dialog):
        self.fills = bool(item["path"]) or item["type"] == "str"
        field = JTextField(24 if self.fills else 9)
        _Row.__init__(self, item, dialog, field)
        self._plain = field.getBackground()
        field.getDocument().addDocumentListener(Typed(self.was_changed))

    def text(self):
        return unicode_of(self.component.getText()).strip()

    def put(self, text):
        self.component.setText(text)
        self.component.setCaretPosition(0)

    def problem(self):
        text = self.text()
        if not text:
            needed = self.item["required"] or (self.item["type"] != "str" and not self.item["optional"])
            right = not needed
        elif self.item["type"] == "str":
            right = True
        else:
            right = self._is_number(text)
        if right:
            return None
        return u"%s: %s%s" % (self.item["label"], u"choose " if self.item["path"] else u"", self.item["accepted"])

    def _is_number(self, text):
        try:
            number = float(text)
        except ValueError:
            return False
        if number != number or (self.item["type"] == "int" and number != int(number)):
            return False
        low, high = self.item["low"], self.item["high"]
        return (low is None or number >= low) and (high is None or number <= high)

    def mark(self, wrong):
        self.component.setBackground(_INVALID if wrong else self._plain)


def _at(column, line, weight=0.0, width=1, insets=None, fill=True):
    return GridBagConstraints(column, line, width, 1, weight, 0.0, GridBagConstraints.WEST,
                              GridBagConstraints.HORIZONTAL if fill else GridBagConstraints.NONE,
                              insets or Insets(2, 0, 2, 0), 0, 0)
