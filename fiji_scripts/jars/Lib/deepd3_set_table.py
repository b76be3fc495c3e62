"""The table of a training set that is arranged: a row for each file, in the order of the set.

Jython 2.7. Needs windows.
"""

from deepd3_texts import name_of
from deepd3_windows import PROBLEM
from java.lang import String
from java.util import Vector
from javax.swing import JLabel, JTable
from javax.swing.table import DefaultTableCellRenderer, DefaultTableModel

_HEADINGS = (u"", u"File", u"Planes \u00d7 height \u00d7 width", u"x, y (\u00b5m)", u"z (\u00b5m)",
             u"Dendrite voxels", u"Spine voxels", u"Spines")
_WIDTHS = (34, 230, 185, 75, 65, 120, 105, 60)
_FILE = 1


class SetTable(object):
    """The table; component: what shows it."""

    def __init__(self):
        self._model = _Model(Vector(), Vector(_HEADINGS))
        self._tips = []
        self.component = JTable(self._model)
        self.component.setName("files")
        self.component.setFillsViewportHeight(True)
        self.component.getTableHeader().setReorderingAllowed(False)
        for number, width in enumerate(_WIDTHS):
            column = self.component.getColumnModel().getColumn(number)
            column.setPreferredWidth(width)
            column.setCellRenderer(_Cell(self, number))

    def width(self):
        """Width that all columns need."""
        return sum(_WIDTHS)

    def show(self, paths, known, selected):
        """Show files; known: what the service told about them, by path. selected: paths that are selected then."""
        self._model.setRowCount(0)
        self._tips = []
        for number, path in enumerate(paths):
            told = known.get(path)
            self._tips.append((path if told is None or not told["problem"] else told["problem"],
                               told is not None and told["problem"] is not None))
            self._model.addRow(Vector([String(text) for text in [u"%d" % (number + 1), name_of(path)] + _cells(told)]))
        for number, path in enumerate(paths):
            if path in selected:
                self.component.addRowSelectionInterval(number, number)

    def selected(self):
        """Numbers of the selected rows."""
        return list(self.component.getSelectedRows())

    def texts(self):
        """All that the table shows, row by row."""
        return [[unicode(self._model.getValueAt(row, column)) for column in range(len(_HEADINGS))]
                for row in range(self._model.getRowCount())]

    def tip(self, row):
        """Path of a row's file, or what is wrong with it; and whether something is wrong."""
        return self._tips[row] if row < len(self._tips) else (None, False)


def _cells(told):
    if told is None:
        return [u"reading\u2026"] + [u""] * 5
    if told["problem"]:
        return [u"cannot be read"] + [u""] * 5
    return [u" \u00d7 ".join(u"%d" % length for length in told["shape"]), u"%g" % told["xy_um"], u"%g" % told["z_um"]] \
        + [u"%d" % told[name] for name in ("dendrite_voxels", "spine_voxels", "spines")]


class _Model(DefaultTableModel):
    def isCellEditable(self, row, column):  # noqa: N802 - Java's name
        return False


class _Cell(DefaultTableCellRenderer):
    def __init__(self, table, column):
        self._table = table
        self._column = column

    def getTableCellRendererComponent(self, table, value, selected, focused, row, column):  # noqa: N802 - Java's name
        label = DefaultTableCellRenderer.getTableCellRendererComponent(self, table, value, selected, focused, row,
                                                                       column)
        tip, wrong = self._table.tip(row)
        label.setHorizontalAlignment(JLabel.RIGHT if self._column > _FILE + 1 or self._column < _FILE else JLabel.LEFT)
        label.setToolTipText(tip)
        if not selected:
            label.setForeground(PROBLEM if wrong else table.getForeground())
        return label
