"""The table of training data and their metadata: a row for each stack, a column for each name.

Jython 2.7. Needs windows.
"""

from deepd3_events import DoubleClicked
from deepd3_metadata import NAMES
from deepd3_texts import name_of, unicode_of
from deepd3_windows import PROBLEM
from java.awt import Color, Font
from javax.swing import JTable
from javax.swing.table import AbstractTableModel, DefaultTableCellRenderer

_WIDTHS = (185, 130, 112, 102, 52, 55, 50, 45, 45, 65, 55, 50, 125, 125)
_FILE = 0
_TIPS = {"X": u"First column in the stack it was cut from, counted from 0", "Depth": u"Planes; cannot be changed",
         "Y": u"First row in the stack it was cut from, counted from 0", "Height": u"Rows; cannot be changed",
         "Width": u"Columns; cannot be changed", "Z_begin": u"First plane in the stack it was cut from, counted from 0",
         "Z_end": u"Last plane in the stack it was cut from, counted from 0",
         "Resolution_XY": u"Size of a pixel in \u00b5m", "Resolution_Z": u"Distance of planes in \u00b5m",
         "Generated_from": u"Name of the stack it was cut from", "crop": u"true if a part of the stack was cut out",
         "Timestamp": u"When it was made", "Changed": u"When its metadata were changed last; cannot be changed"}


class MetadataTable(object):
    """The table; component: what shows it. typed: gets the row, a name and a text; opened: nothing."""

    def __init__(self, metadata, typed, opened):
        self._model = _Model(metadata, typed)
        self.component = table = JTable(self._model)
        table.setName("metadata")
        table.setFillsViewportHeight(True)
        table.setAutoResizeMode(JTable.AUTO_RESIZE_OFF)
        table.getTableHeader().setReorderingAllowed(False)
        table.putClientProperty("terminateEditOnFocusLost", True)
        table.addMouseListener(DoubleClicked(lambda: self._double_clicked(opened)))
        for number, width in enumerate(_WIDTHS):
            column = table.getColumnModel().getColumn(number)
            column.setPreferredWidth(width)
            column.setCellRenderer(_Cell(metadata, self._model, number))
            header = _Header(table.getTableHeader().getDefaultRenderer(), _TIPS.get(([None] + list(NAMES))[number]))
            column.setHeaderRenderer(header)

    def width(self):
        """Width that all columns need."""
        return sum(_WIDTHS)

    def show(self):
        """Show what the metadata are now; a cell in which somebody types stays."""
        self._model.follow()

    def stop_typing(self):
        """Take what is typed in a cell."""
        editor = self.component.getCellEditor()
        if editor is not None:
            editor.stopCellEditing()

    def selected(self):
        """Selected rows: (path, number of the stack)."""
        return [self._model.rows[row] for row in self.component.getSelectedRows()]

    def select(self, paths):
        """Select the rows of files."""
        self.component.clearSelection()
        for number, (path, _) in enumerate(self._model.rows):
            if path in paths:
                self.component.addRowSelectionInterval(number, number)

    def texts(self):
        """All that the table shows, row by row."""
        return [[self._model.getValueAt(row, column) for column in range(len(_WIDTHS))]
                for row in range(self._model.getRowCount())]

    def _double_clicked(self, opened):
        if self.component.getSelectedColumn() == _FILE and not self.component.isEditing():
            opened()


class _Model(AbstractTableModel):
    def __init__(self, metadata, typed):
        self._metadata = metadata
        self._typed = typed
        self.rows = []

    def follow(self):
        rows = self._metadata.rows()
        if rows != self.rows:
            self.rows = rows
            self.fireTableDataChanged()
        elif rows:
            self.fireTableRowsUpdated(0, len(rows) - 1)

    def getRowCount(self):  # noqa: N802 - Java's name
        return len(self.rows)

    def getColumnCount(self):  # noqa: N802 - Java's name
        return 1 + len(NAMES)

    def getColumnName(self, column):  # noqa: N802 - Java's name
        return u"File" if column == _FILE else NAMES[column - 1]

    def getValueAt(self, row, column):  # noqa: N802 - Java's name
        path, number = self.rows[row]
        if column != _FILE:
            return self._metadata.text(self.rows[row], NAMES[column - 1])
        several = len(self._metadata.known.get(path, {}).get("stacks", ())) > 1
        return name_of(path) + (u" [%d]" % (number + 1) if several else u"")

    def isCellEditable(self, row, column):  # noqa: N802 - Java's name
        return column != _FILE and self._metadata.can_change(self.rows[row], NAMES[column - 1])

    def setValueAt(self, value, row, column):  # noqa: N802 - Java's name
        if row < len(self.rows) and unicode_of(value) != self.getValueAt(row, column):
            self._typed(self.rows[row], NAMES[column - 1], unicode_of(value))


class _Cell(DefaultTableCellRenderer):
    """Grey where nothing can be changed, bold where something was and is not saved, red where a file is unreadable."""

    def __init__(self, metadata, model, column):
        self._metadata = metadata
        self._model = model
        self._column = column

    def getTableCellRendererComponent(self, table, value, selected, focused, row, column):  # noqa: N802 - Java's name
        label = DefaultTableCellRenderer.getTableCellRendererComponent(self, table, value, selected, focused, row,
                                                                       column)
        place = self._model.rows[row]
        problem, unsaved = self._metadata.problem(place[0]), self._metadata.unsaved(place[0])
        label.setToolTipText(problem or (place[0] if self._column == _FILE else value or None))
        marked = unsaved if self._column == _FILE else NAMES[self._column - 1] in unsaved
        label.setFont(table.getFont().deriveFont(Font.BOLD if marked else Font.PLAIN))
        if not selected:
            fixed = self._column != _FILE and not self._metadata.can_change(place, NAMES[self._column - 1])
            label.setForeground(PROBLEM if problem else Color.GRAY if fixed else table.getForeground())
        return label


class _Header(DefaultTableCellRenderer):
    """A heading with a tip."""

    def __init__(self, plain, tip):
        self._plain = plain
        self._tip = tip

    def getTableCellRendererComponent(self, table, value, selected, focused, row, column):  # noqa: N802 - Java's name
        shown = self._plain.getTableCellRendererComponent(table, value, selected, focused, row, column)
        shown.setToolTipText(self._tip)
        return shown
