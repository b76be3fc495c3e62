"""A click on a row of the table of spines goes to the spine, in the spine panel if it is open.

Jython 2.7. Needs windows.
"""

from deepd3_events import KeyReleased, MouseReleased
from deepd3_images import is_open
from deepd3_panel import open_panel
from deepd3_spines import Spines
from ij.plugin.frame import RoiManager


def follow(table, image, images):
    """Begin to follow clicks and arrow keys in the table (a TextPanel) of the spines of an image."""
    rows = _Rows(table, image, images)
    table.addMouseListener(MouseReleased(rows.go))
    table.addKeyListener(KeyReleased(rows.go))


class _Rows(object):
    def __init__(self, table, image, images):
        self._table = table
        self._image = image
        self._images = images

    def go(self):
        """Show the spine of the selected row."""
        row, results = self._table.getSelectionStart(), self._table.getResultsTable()
        if row < 0 or results is None or not results.columnExists("id") or not is_open(self._image):
            return
        spine, spines = int(results.getValue("id", row)), Spines(self._images, self._image)
        panel = open_panel()
        if panel is not None and panel.spines.anchor is spines.anchor:
            panel.select([spine])
            return
        rows, where = spines.rows_of([spine]), spines.place_of(spine)
        if rows and where is not None:
            spines.highlight([spine])
            self._image.setPosition(self._image.getC(), spines.plane_of(self._image, where[0]), self._image.getT())
            RoiManager.getInstance().selectAndMakeVisible(self._image, rows[len(rows) // 2])
