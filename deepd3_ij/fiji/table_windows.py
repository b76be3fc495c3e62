"""Tables between Python and ImageJ's Results windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deepd3_ij.errors import FijiError, one_line
from deepd3_ij.fiji.hyperstacks import find_image
from deepd3_ij.fiji.java import before_the_end, java_class
from deepd3_ij.fiji.placement import place_at_foot
from deepd3_ij.fiji.roi_manager import roi_id_of
from deepd3_ij.files.imagej_roi import roi_name

if TYPE_CHECKING:
    from deepd3_ij import Measurements
    from deepd3_ij.fiji.host import Host

_DIGITS = 4


def push_table(session: Host, table: pd.DataFrame, title: str, *, show: bool | None = None) -> Any:
    """Show a table in a window of its own.

    Parameters
    ----------
    session
        Where to.
    table
        One column per heading; headings carry the units (``volume_um3``), as in the CSV files.
    title
        Title of the window; a window of this title is replaced.
    show
        Open a window; if None, as the session has a display or not.

    Returns
    -------
    ij.measure.ResultsTable
    """
    import jpype

    results = java_class("ij.measure.ResultsTable")()
    results.setNaNEmptyCells(True)
    for heading in table.columns:
        column = table[heading]
        if len(table) == 0:
            results.getFreeColumn(str(heading))
        elif pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            results.setValues(str(heading), jpype.JArray(jpype.JDouble)(column.to_numpy(dtype=np.float64)))
            whole = not pd.api.types.is_float_dtype(column)
            results.setDecimalPlaces(results.getColumnIndex(str(heading)), 0 if whole else _DIGITS)
        else:
            variable = java_class("ij.macro.Variable")
            texts = [variable("" if pd.isna(value) else str(value)) for value in column]
            results.setColumn(str(heading), jpype.JArray(variable)(texts))
    results.showRowNumbers(False)
    if show if show is not None else not session.headless:
        results.show(title)
    return results


def pull_table(session: Host, table: Any) -> pd.DataFrame:
    """Read a table as it is now.

    Parameters
    ----------
    session
        Where from.
    table
        Title of a Results window, or an ``ij.measure.ResultsTable``.

    Returns
    -------
    pandas.DataFrame
        Columns of whole numbers are int64, other numbers float64, the rest text.

    Raises
    ------
    FijiError
        There is no such table.
    """
    results = java_class("ij.measure.ResultsTable").getResultsTable(table) if isinstance(table, str) else table
    if results is None:
        raise FijiError(f"There is no table {table!r} in ImageJ; open: {', '.join(_open_tables()) or 'none'}.")
    columns = {}
    for heading in results.getHeadings():
        values = results.getColumnAsVariables(heading)
        if any(value.getString() is not None for value in values):
            columns[str(heading)] = pd.Series([str(text) for text in results.getColumnAsStrings(heading)], dtype=str)
            continue
        numbers = np.asarray(results.getColumn(heading), dtype=np.float64)
        whole = len(numbers) > 0 and bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
        columns[str(heading)] = pd.Series(numbers.astype(np.int64) if whole else numbers)
    return pd.DataFrame(columns)


def _open_tables() -> list[str]:
    manager = java_class("ij.WindowManager")
    return [repr(str(title)) for title in manager.getNonImageTitles()]


def push_measurements(session: Host, measurements: Measurements, image: Any = None) -> TableLink | None:
    """Show the spine and dendrite tables; a row of the spine table and its ROI select each other.

    Parameters
    ----------
    session
        Where to.
    measurements
        Result of :func:`deepd3_ij.measurement`.
    image
        The image that was measured; it gives the windows their names (*Spines of …*, *Dendrites of …*) and shows what
        is selected. The active image if None.

    Returns
    -------
    TableLink or None
        What joins table and ROIs; None without a display.
    """
    image = find_image(session, image)
    spines_title, dendrites_title = (f"{kind} of {image.getTitle()!s}" for kind in ("Spines", "Dendrites"))
    windows = java_class("ij.WindowManager")
    for title, table, right in ((dendrites_title, measurements.dendrites, True),
                                (spines_title, measurements.spines, False)):
        is_new = windows.getFrame(title) is None
        push_table(session, table, title)
        if is_new and not session.headless:
            place_at_foot(windows.getFrame(title), right=right)
    return None if session.headless else TableLink(spines_title, image)


class TableLink:
    """Joins the spine table of a window with the ROIs of an image.

    A clicked row (or one reached with the arrow keys) selects the spine's outline in the ROI Manager and
    moves the image to its plane; an outline selected in the manager selects its row.

    Parameters
    ----------
    title
        Title of the table's window.
    image
        The image with the ROIs.
    """

    def __init__(self, title: str, image: Any) -> None:
        self._panel = java_class("ij.WindowManager").getFrame(title).getTextPanel()
        self._image = image
        mouse = _listener("java.awt.event.MouseListener", mouseReleased=self._row_chosen)
        keys = _listener("java.awt.event.KeyListener", keyReleased=self._row_chosen)
        self._panel.addMouseListener(mouse)
        self._panel.addKeyListener(keys)
        before_the_end(lambda: self._panel.removeMouseListener(mouse))
        before_the_end(lambda: self._panel.removeKeyListener(keys))
        self._manager_list: Any = None
        self._follow_manager()

    def select_row_of(self, roi_id: int) -> None:
        """Select and show the row of a spine."""
        ids = np.asarray(self._panel.getResultsTable().getColumn("id"))
        rows = np.flatnonzero(ids == roi_id)
        if len(rows):
            self._panel.setSelection(int(rows[0]), int(rows[0]))
            self._panel.showRow(int(rows[0]))

    def select_roi_of(self, row: int) -> None:
        """Select the outline of the spine of a row, in the plane nearest to its centre."""
        table = self._panel.getResultsTable()
        roi_id, plane = int(table.getValue("id", row)), round(float(table.getValue("z_px", row)))
        manager = java_class("ij.plugin.frame.RoiManager").getInstance()
        if manager is not None:
            self._follow_manager()
            index = self._manager_index(manager, roi_id, plane)
            if index >= 0:
                manager.selectAndMakeVisible(self._image, index)
                return
        self._image.setPosition(self._image.getC(), plane + 1, self._image.getT())

    def _row_chosen(self, event: Any) -> None:
        row = self._panel.getSelectionStart()
        if row >= 0:
            self.select_roi_of(row)

    def _manager_index(self, manager: Any, roi_id: int, plane: int) -> int:
        index = int(manager.getIndex(roi_name(roi_id, plane)))
        if index >= 0:
            return index
        found = [(abs(int(roi.getZPosition()) - 1 - plane), number)
                 for number, roi in enumerate(manager.getRoisAsArray()) if roi_id_of(roi) == roi_id]
        return min(found)[1] if found else -1

    def _follow_manager(self) -> None:
        manager = java_class("ij.plugin.frame.RoiManager").getInstance()
        roi_list = None if manager is None else _find_component(manager, java_class("javax.swing.JList"))
        if roi_list is not None and roi_list != self._manager_list:
            self._manager_list = roi_list
            selections = _listener("javax.swing.event.ListSelectionListener", valueChanged=self._roi_chosen)
            roi_list.addListSelectionListener(selections)
            before_the_end(lambda: roi_list.removeListSelectionListener(selections))

    def _roi_chosen(self, event: Any) -> None:
        manager = java_class("ij.plugin.frame.RoiManager").getInstance()
        if event.getValueIsAdjusting() or manager is None or not self._panel.isShowing():
            return
        index = int(manager.getSelectedIndex())
        roi_id = roi_id_of(manager.getRoi(index)) if index >= 0 else None
        if roi_id is not None:
            self.select_row_of(roi_id)


def _listener(interface: str, **methods: Callable[[Any], None]) -> Any:
    """Java listener whose named methods are Python functions; the others do nothing.

    An error in a function goes to ImageJ's Log and never to Java's event thread.
    """
    import jpype

    def guarded(function: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(event: Any) -> None:
            try:
                function(event)
            except Exception as error:
                java_class("ij.IJ").log(f"DeepD3: {one_line(error)}")
        return call

    names = {str(method.getName()) for method in java_class(interface).class_.getMethods() if not method.isDefault()}
    return jpype.JProxy(interface, dict={
        name: guarded(methods.get(name, lambda event: None)) for name in names})


def _find_component(container: Any, kind: Any) -> Any:
    for component in container.getComponents():
        if isinstance(component, kind):
            return component
        if isinstance(component, java_class("java.awt.Container")):
            found = _find_component(component, kind)
            if found is not None:
                return found
    return None
