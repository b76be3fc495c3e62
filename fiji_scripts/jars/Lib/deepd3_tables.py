"""Tables of spines and dendrites.

Jython 2.7.
"""

from ij import WindowManager
from ij.measure import ResultsTable
from java.awt import GraphicsEnvironment
from java.util import Arrays

_DIGITS = 4
_SIZE = (600, 240)


def show_tables(reply, arrays, image):
    """Show the tables of spines and dendrites; returns both."""
    return [_table(reply[kind], arrays[values], "%s of %s" % (title, image.getTitle())) for kind, values, title in
            (("dendrites", "dendrite_values", "Dendrites"), ("spines", "spine_values", "Spines"))]


def _table(description, array, title):
    table = ResultsTable()
    table.setNaNEmptyCells(True)
    columns, rows = array.shape
    for number, (heading, whole) in enumerate(zip(description["headings"], description["whole"])):
        if rows == 0:
            table.getFreeColumn(heading)
            continue
        table.setValues(heading, Arrays.copyOfRange(array.planes[0], number * rows, (number + 1) * rows))
        table.setDecimalPlaces(table.getColumnIndex(heading), 0 if whole else _DIGITS)
    table.showRowNumbers(False)
    if not GraphicsEnvironment.isHeadless():
        _show(table, title)
    return table


def _show(table, title):
    """Show a table; its window, if it is a new one, covers neither images nor the spine panel if there is room."""
    new = WindowManager.getWindow(title) is None
    table.show(title)
    window = WindowManager.getWindow(title)
    if new and window is not None:
        from deepd3_placement import place_where_free  # without windows, its classes cannot be loaded
        place_where_free(window, _SIZE)


def measured_summary(reply, arrays):
    """How many spines on how much dendrite, in a sentence."""
    spines = arrays["spine_values"].shape[1]
    headings, values = reply["dendrites"]["headings"], arrays["dendrite_values"]
    rows = values.shape[1]

    def column(name):
        start = headings.index(name) * rows
        return list(values.planes[0][start:start + rows]) if rows else []

    length_um = sum(column("length_um"))
    text = u"%d spine%s, %d dendrite%s" % (spines, u"" if spines == 1 else u"s", rows, u"" if rows == 1 else u"s")
    if length_um > 0:
        text += u" of %.4g um, %.3g spines per um" % (length_um, sum(column("spines")) / length_um)
    return text
