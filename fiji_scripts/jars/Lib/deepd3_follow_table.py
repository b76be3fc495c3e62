"""The table of followed spines: a row for each track, a column for each time point, coloured by change.

Jython 2.7. Needs windows.
"""

from deepd3_events import DoubleClicked, MouseReleased, Selected
from java.awt import Color
from java.lang import Double, Integer, String
from java.util import Vector
from java.util.regex import Pattern
from javax.swing import JLabel, JTable, ListSelectionModel, RowFilter
from javax.swing.table import DefaultTableCellRenderer, DefaultTableModel

_TRACK, _CLASS, _FIRST_STATE = 0, 2, 3
_HEADINGS = (u"Track", u"Dendrite", u"Class")
_PROBABILITY = u"Link p"
_PALE = 0.35  # how much of its colour a cell has; texts in it stay readable
_WIDEST_PX = 160
_LONGEST_NAME = 14


class FollowedTable(object):
    """The table; component: what shows it."""

    def __init__(self):
        self._model = _Model(Vector(), Vector())
        self.component = JTable(self._model)
        self.component.setName("tracks")
        self.component.setAutoCreateRowSorter(True)
        self.component.setCellSelectionEnabled(True)
        self.component.setSelectionMode(ListSelectionModel.SINGLE_SELECTION)
        self.component.setFillsViewportHeight(True)
        self.component.setAutoResizeMode(JTable.AUTO_RESIZE_OFF)
        self._class = None
        self._silent = False
        self._chosen = None

    def chosen(self, work):
        """Call work(track, time point) for the cell that is chosen; None for no time point."""
        self._chosen = work
        for model in (self.component.getSelectionModel(), self.component.getColumnModel().getSelectionModel()):
            model.addListSelectionListener(Selected(self._cell_chosen))
        self.component.addMouseListener(MouseReleased(self._cell_chosen))

    def opened(self, work):
        """Call work(track) at a double click on a row."""
        def act():
            cell = self._cell()
            if cell is not None:
                work(cell[0])

        self.component.addMouseListener(DoubleClicked(act))

    def take(self, series):
        """Show other tracks; the order and the filter stay."""
        self._series = series
        table, names = self.component, series.names
        keys = table.getRowSorter().getSortKeys()
        headings = Vector(list(_HEADINGS) + [
            name if len(name) <= _LONGEST_NAME else u"day %g" % point["time"]
            for name, point in zip(names, series.reply["time_points"])] + [_PROBABILITY])
        rows = Vector()
        for track in series.order:
            told, probability = series.tracks[track], series.lowest_probability(track)
            rows.add(Vector([Integer(track), Integer(told["dendrite_id"]), String(told["class"])]
                            + [String(state) for state in told["states"]]
                            + [None if probability is None else Double(probability)]))
        self._silent = True
        self._model.first_number = _FIRST_STATE + len(names)
        same = self._model.getColumnCount() == len(headings)
        self._model.setDataVector(rows, headings)
        if same:
            table.getRowSorter().setSortKeys(keys)
        metrics = table.getFontMetrics(table.getFont())
        for number, heading in enumerate(headings):
            column = table.getColumnModel().getColumn(number)
            texts = [heading]
            if number == _CLASS:
                texts += series.classes()
            elif _FIRST_STATE <= number < self._model.first_number:
                texts.append(u"unobservable")
            column.setPreferredWidth(min(_WIDEST_PX, max(metrics.stringWidth(text) for text in texts) + 24))
            column.setCellRenderer(_Cell(self, number))
        self._silent = False
        self.only(self._class)

    def only(self, name):
        """Show the tracks of a class; None for all."""
        self._class = name
        self.component.getRowSorter().setRowFilter(
            None if name is None else RowFilter.regexFilter("^%s$" % Pattern.quote(name), [_CLASS]))

    def select(self, place):
        """Select the cell of a (track, time point)."""
        table, track = self.component, place[0]
        row = [each for each in range(table.getRowCount()) if int(table.getValueAt(each, 0)) == track]
        self._silent = True
        table.clearSelection()
        if row:
            table.changeSelection(row[0], table.convertColumnIndexToView(_FIRST_STATE + place[1]), False, False)
        self._silent = False

    def colour(self, row, column):
        """Colour of a cell (row of the model), None for plain ones."""
        track = self._series.order[row]
        if column == _TRACK:
            return Color.decode(self._series.tracks[track]["colour"])
        mark = self._series.marks.get((track, column - _FIRST_STATE))
        return None if mark is None else Color.decode(self._series.reply["change_colours"][mark["change"]])

    def _cell(self):
        """(track, time point or None) of the selected cell; None without one."""
        row, column = self.component.getSelectedRow(), self.component.getSelectedColumn()
        if row < 0 or column < 0:
            return None
        time_point = self.component.convertColumnIndexToModel(column) - _FIRST_STATE
        track = int(self._model.getValueAt(self.component.convertRowIndexToModel(row), _TRACK))
        return track, time_point if 0 <= time_point < len(self._series.names) else None

    def _cell_chosen(self):
        cell = self._cell()
        if not self._silent and cell is not None:
            self._chosen(*cell)


class _Model(DefaultTableModel):
    """Numbers, which are sorted as numbers, and texts; changed by corrections only."""

    first_number = _FIRST_STATE

    def isCellEditable(self, row, column):  # noqa: N802 - Java's name
        return False

    def getColumnClass(self, column):  # noqa: N802 - Java's name
        if column < _CLASS:
            return Integer
        return String if column < self.first_number else Double


class _Cell(DefaultTableCellRenderer):
    def __init__(self, table, column):
        self._table = table
        self._column = column
        self._plain = table.component.getBackground()

    def getTableCellRendererComponent(self, table, value, selected, focused, row, column):  # noqa: N802 - Java's name
        shown = u"" if value is None else u"%.2f" % value if isinstance(value, float) else unicode(value)
        label = DefaultTableCellRenderer.getTableCellRendererComponent(self, table, shown, selected, focused, row,
                                                                       column)
        label.setHorizontalAlignment(JLabel.LEFT if self._column >= _CLASS and not isinstance(value, float)
                                     else JLabel.RIGHT)
        if not selected:
            own = self._table.colour(table.convertRowIndexToModel(row), self._column)
            label.setBackground(self._plain if own is None else _mixed(own, self._plain))
        return label


def _mixed(one, other):
    return Color(*[int(_PALE * a + (1 - _PALE) * b) for a, b in
                   ((one.getRed(), other.getRed()), (one.getGreen(), other.getGreen()),
                    (one.getBlue(), other.getBlue()))])
