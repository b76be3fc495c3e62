"""Tables of spines and dendrites.

Jython 2.7.
"""

import jarray
from ij import WindowManager
from ij.macro import Variable
from ij.measure import ResultsTable
from java.awt import GraphicsEnvironment
from java.util import Arrays

_DIGITS = 4
_SIZE = (600, 240)
_KINDS = (("dendrites", "dendrite_values", "Dendrites of %s"), ("spines", "spine_values", "Spines of %s"))


def show_tables(reply, arrays, image, images):
    """Show the tables of spines and dendrites; a click on a row of the first goes to the spine.

    images: all images that DeepD3 knows.
    """
    for kind, values, title in _KINDS:
        if GraphicsEnvironment.isHeadless():
            continue
        window = _show(_table(reply[kind], arrays[values]), title % image.getTitle())
        if kind == "spines":
            from deepd3_rows import follow  # without windows, its classes cannot be loaded
            follow(window.getTextPanel(), image, images)


def are_open(image):
    """True if tables of an image are shown."""
    return any(WindowManager.getWindow(title % image.getTitle()) is not None for _, _, title in _KINDS)


def refresh_tables(reply, arrays, image):
    """Let the tables of an image that are shown tell what was measured now; none of them comes to the front."""
    for kind, values, title in _KINDS:
        window = WindowManager.getWindow(title % image.getTitle())
        if window is not None:
            table, panel = _table(reply[kind], arrays[values]), window.getTextPanel()
            panel.setColumnHeadings(table.getColumnHeadings())
            panel.setResultsTable(table)
            for row in range(table.size()):
                panel.appendWithoutUpdate(table.getRowAsString(row))
            panel.updateDisplay()
            panel.scrollToTop()


def column_of(description, array, name):
    """A column of a table as the service tells it: texts or numbers; None if there is no such column."""
    if name not in description["headings"]:
        return None
    if name in description["texts"]:
        return description["texts"][name]
    number, rows = description["headings"].index(name), array.shape[1]
    return list(array.planes[0][number * rows:(number + 1) * rows]) if rows else []


def _table(description, array):
    table = ResultsTable()
    table.setNaNEmptyCells(True)
    columns, rows = array.shape
    for number, (heading, whole) in enumerate(zip(description["headings"], description["whole"])):
        if rows == 0:
            table.getFreeColumn(heading)
            continue
        if heading in description["texts"]:
            table.setColumn(heading, jarray.array([Variable(text) for text in description["texts"][heading]], Variable))
            continue
        table.setValues(heading, Arrays.copyOfRange(array.planes[0], number * rows, (number + 1) * rows))
        table.setDecimalPlaces(table.getColumnIndex(heading), 0 if whole else _DIGITS)
    table.showRowNumbers(False)
    return table


def _show(table, title):
    """Show a table, and give its window; a new one covers neither images nor the spine panel where it can."""
    new = WindowManager.getWindow(title) is None
    table.show(title)
    window = WindowManager.getWindow(title)
    if new:
        from deepd3_placement import place_where_free  # without windows, its classes cannot be loaded
        place_where_free(window, _SIZE)
    return window


def measured_summary(reply, arrays):
    """How many spines on how much dendrite, in a sentence."""
    spines, rows = arrays["spine_values"].shape[1], arrays["dendrite_values"].shape[1]
    lengths_um, counts = [column_of(reply["dendrites"], arrays["dendrite_values"], name)
                          for name in ("length_um", "spines")]
    length_um = sum(lengths_um)
    text = u"%d spine%s, %d dendrite%s" % (spines, u"" if spines == 1 else u"s", rows, u"" if rows == 1 else u"s")
    if length_um > 0:
        text += u" of %.4g um, %.3g spines per um" % (length_um, sum(counts) / length_um)
    return text
