"""The guide's central widget: the open stack in ImageJ, its plane, its ROIs."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepd3_ij.compat.core.stack import open_with_dimensions
from deepd3_ij.compat.keys import key_name
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, Dimensions, pitch_of
from deepd3_ij.compat.plane_view import PlaneView
from deepd3_ij.compat.signals import Signal
from deepd3_ij.errors import ParameterError
from deepd3_ij.files.roi_settings import parameters_of
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.stack import voxel_size_um

if TYPE_CHECKING:
    import pandas as pd

    from deepd3_ij.compat.inference.workbench import Workbench

FilePath = str | PathLike[str]


class ImageView(PlaneView):
    """The stack that is looked at, and clicks on it.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`~deepd3_ij.compat.plane_view.PlaneView`.

    Attributes
    ----------
    clicked, doubleClicked
        Emit (x, y) in pixels.
    """

    clicked = Signal()
    doubleClicked = Signal()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def mousePressEvent(self, a0: Any) -> None:
        """Tell where the mouse was pressed: an event with ``x()`` and ``y()`` in pixels, or (x, y)."""
        self.clicked.emit(position_of(a0))

    def mouseDoubleClickEvent(self, a0: Any) -> None:
        """Tell where a double click was; see :meth:`mousePressEvent`."""
        self.doubleClicked.emit(position_of(a0))


class Interface:
    """An open stack, its prediction and its ROIs in ImageJ.

    Parameters
    ----------
    fn
        TIFF file.
    pred_fn, rois_fn
        ``.prediction`` and ``.rois`` files to load, if they exist.
    logs_fn
        Text file to which messages are added.
    dimensions
        ``{'xy': …, 'z': …}`` in µm. Without it, the file's own calibration counts, and the defaults for a file that
        has none.
    bench
        Where the stack is shown; a new one in the running (else a new, visible) session if None.

    Attributes
    ----------
    bench
        :class:`deepd3_ij.compat.inference.workbench.Workbench`.
    imageView
        The stack and its current plane; its clicks select ROIs and open the test of 3-D ROIs.
    selected
        Ids of the selected ROIs.
    table
        ROIs of the current plane.
    """

    def __init__(
        self,
        fn: FilePath,
        pred_fn: FilePath | None,
        rois_fn: FilePath | None,
        logs_fn: FilePath | None,
        dimensions: Dimensions = DEFAULT_DIMENSIONS,
        bench: Workbench | None = None,
    ) -> None:
        xy_um, z_um = (None, None) if dimensions is DEFAULT_DIMENSIONS else pitch_of(dimensions)
        sizes = voxel_size_um(open_with_dimensions(fn, xy_um=xy_um, z_um=z_um))
        self.bench = bench or new_bench()
        self.bench.open(fn, z_um=sizes[0], xy_um=sizes[1], prediction=pred_fn, rois=rois_fn)
        self.fn, self.logs_fn = fn, logs_fn
        self.imageView = ImageView(self.bench.need_stack().values)
        self.imageView.clicked.connect(self.roiSelection)
        self.imageView.doubleClicked.connect(self.testROIbuilding)
        self.preview: CleaningParameters | None = None
        self.selected: list[int] = []
        self.table = self.populateTable()

    def log(self, message: str) -> None:
        """Add a line with the time to the log file."""
        if self.logs_fn is not None:
            with Path(self.logs_fn).open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}: {message}\n")

    def _changeOverlay(self, z: int) -> None:
        """Go to a plane.

        Parameters
        ----------
        z
            Plane, 0-based.
        """
        self.changeOverlay(z)

    def changeOverlay(self, z: int, preview: bool = False) -> None:
        """Go to a plane and list its ROIs.

        Parameters
        ----------
        z
            Plane, 0-based.
        preview
            Show the prediction as cleaned by the latest previewed settings instead of the kept one.
        """
        self.imageView.setCurrentIndex(z)
        if self.bench.prediction is not None:
            self.bench.preview_cleaning((self.preview or CleaningParameters()) if preview else None)
        image = self.bench.image
        image.setPosition(image.getC(), self.imageView.currentIndex + 1, image.getT())
        self.populateTable()

    def populateTable(self) -> pd.DataFrame:
        """List the ROIs of the current plane: id and centroid Z, X, Y in planes and pixels, two decimals."""
        import pandas as pd

        rois, plane = self.bench.rois, self.imageView.currentIndex
        if rois is None:
            self.table = pd.DataFrame(columns=["ROI_id", "Z", "X", "Y"])
            return self.table
        here = np.isin(rois.ids, np.unique(rois.labels.values[plane]))
        centres = rois.statistics.centroids_zyx[here]
        self.table = pd.DataFrame({"ROI_id": rois.ids[here], **{
            axis: centres[:, column].round(2) for axis, column in (("Z", 0), ("X", 2), ("Y", 1))}})
        return self.table

    def getSelection(self) -> list[int]:
        """Ids of the spines that are selected in the ROI Manager."""
        from deepd3_ij.fiji.view import selected_ids

        self.selected = selected_ids(self.bench.session)
        return self.selected

    def roiSelection(self, xy: Any) -> int | None:
        """Select the ROI of the plane whose centroid is nearest to a click; gives its id.

        Parameters
        ----------
        xy
            Position in pixels: (x, y), or an object with ``x()`` and ``y()``.
        """
        from deepd3_ij.fiji.view import select_spine

        x, y = position_of(xy)
        table = self.populateTable()
        if len(table) == 0:
            self.selected = []
            return None
        away = np.hypot(table["X"].to_numpy() - x, table["Y"].to_numpy() - y)
        roi_id = int(table["ROI_id"].iloc[int(away.argmin())])
        self.selected = [roi_id]
        select_spine(self.bench.session, self.bench.image, roi_id, self.imageView.currentIndex)
        return roi_id

    def keyPressEvent(self, a0: Any) -> None:
        """Delete the spines that are selected in the ROI Manager, in all planes, with the Delete key.

        They are gone from the ROI map, tables and exports too.
        """
        if key_name(a0) == "delete":
            count = self.bench.delete_selected()
            self.log(f"{count} ROIs deleted")
            self.populateTable()

    def testROIbuilding(self, xy: Any) -> None:
        """Open the live test of 3-D ROI parameters at a position of the current plane.

        Parameters
        ----------
        xy
            As in :meth:`roiSelection`.
        """
        x, y = position_of(xy)
        self.bench.test_rois_at(self.imageView.currentIndex, int(y), int(x))

    def saveSettingsROI3D(self, settings: dict[str, Any] | Roi3DParameters) -> None:
        """Hand settings over to 3-D ROI building.

        Parameters
        ----------
        settings
            As for :class:`~deepd3_ij.compat.inference.gui.ROI3D`.
        """
        from deepd3_ij.fiji.kept_parameters import keep_roi_parameters

        parameters = settings if isinstance(settings, Roi3DParameters) else parameters_of(
            settings, self.bench.recommended(Roi3DParameters))
        keep_roi_parameters(self.bench.image, parameters.to_dict())

    def updateProgress(self, pval: int, pmax: int) -> None:
        """Show progress in ImageJ.

        Parameters
        ----------
        pval
            Current value.
        pmax
            Target value.
        """
        from deepd3_ij.compat.imagej import imagej_progress

        imagej_progress(pval, pmax, "DeepD3")


def position_of(xy: Any) -> tuple[float, float]:
    """Position x, y in pixels of a pair, a point or a mouse event."""
    if hasattr(xy, "pos"):
        xy = xy.pos()
    if hasattr(xy, "x"):
        xy = (xy.x(), xy.y())
    try:
        x, y = (float(value) for value in xy)
    except (TypeError, ValueError):
        raise ParameterError(f"The position is {xy!r}; accepted: (x, y) in pixels.") from None
    return x, y


def new_bench() -> Workbench:
    """A workbench in the running session with ImageJ, or in a new, visible one."""
    from deepd3_ij.compat.imagej import visible_session
    from deepd3_ij.compat.inference.workbench import Workbench

    return Workbench(visible_session())
