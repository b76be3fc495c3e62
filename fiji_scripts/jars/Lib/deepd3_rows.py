"""A click on a row of the table of spines goes to the spine, in the spine panel if it is open.

Jython 2.7. Needs windows.
"""

from deepd3_events import KeyReleased, MouseReleased
from deepd3_panel import open_panel
from deepd3_spines import Spines
from ij import WindowManager
from ij.plugin.frame import RoiManager

_OF_IMAGE = "deepd3.image "


def follow(table, image, images):
    """Follow clicks and arrow keys in the table (a TextPanel) of the spines of an image.

    A table that stayed open may have been another image's before; it is followed once.
    """
    followed = (table.getName() or "").startswith(_OF_IMAGE)
    table.setName(_OF_IMAGE + str(image.getID()))
    if followed:
        return
    rows = _Rows(table, images)
    table.addMouseListener(MouseReleased(rows.go))
    table.addKeyListener(KeyReleased(rows.go))


class _Rows(object):
    def __init__(self, table, images):
        self._table = table
        self._images = images

    def go(self):
        """Show the spine of the selected row."""
        row, results = self._table.getSelectionStart(), self._table.getResultsTable()
        image = WindowManager.getImage(int(self._table.getName()[len(_OF_IMAGE):]))  # None if it was closed
        if row < 0 or results is None or not results.columnExists("id") or image is None:
            return
        spine, spines = int(results.getValue("id", row)), Spines(self._images, image)
        panel = open_panel()
        if panel is not None and panel.spines.anchor is spines.anchor:
            panel.select([spine])
            return
        rows, where = spines.rows_of([spine]), spines.place_of(spine)
        if rows and where is not None:
            spines.highlight([spine])
            image.setPosition(image.getC(), spines.plane_of(image, where[0]), image.getT())
            RoiManager.getInstance().selectAndMakeVisible(image, rows[len(rows) // 2])
