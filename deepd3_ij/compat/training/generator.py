"""The guide's ``deepd3.training.generator``: its windows as objects that a script fills in.

What a window asks with a file dialog is an optional argument; without it, ImageJ's dialog asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.compat.core.dendrite import DendriteSWC
from deepd3_ij.compat.imagej import choose_file
from deepd3_ij.compat.keys import key_name
from deepd3_ij.compat.plane_view import PlaneView
from deepd3_ij.errors import AnnotationError, ParameterError, VoxelSizeError
from deepd3_ij.files.d3data import D3Data, read_d3data, write_d3data
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.masks import SWC_SUFFIXES, read_spine_mask, read_tiff_mask
from deepd3_ij.parameters import TrainingDataParameters
from deepd3_ij.stack import label_stack, voxel_size_um
from deepd3_ij.training.dataset import arrange_training_data, cut_training_data, overlay, set_meta

FilePath = str | PathLike[str]

_UNKNOWN_UM = 1.0  # until the resolution is entered
_BOX_FIELDS = ("x_px", "y_px", "width_px", "height_px", "z_begin", "z_end")


class ImageView(PlaneView):
    """The stack of a training window.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`~deepd3_ij.compat.plane_view.PlaneView`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def keyPressEvent(self, a0: Any) -> None:
        """Go one plane back or on with the arrow keys."""
        super().keyPressEvent(a0)


class askSpacing:
    """Pitch of a tracing.

    Parameters
    ----------
    x, y, z
        Size of a pixel along x and y, and distance between planes, in µm.
    """

    def __init__(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> None:
        self.x, self.y, self.z = x, y, z

    def spacing(self) -> tuple[float, float, float]:
        """Pitch along x, y and z in µm."""
        return float(self.x), float(self.y), float(self.z)


class addStackWidget:
    """Makes a d3data file of a stack and its annotations.

    Attributes
    ----------
    x, y, width, height
        Bounding box in px; it is cut to the stack by :meth:`updateROI`. A box may reach the stack's edge (the
        original loses the last row and column there).
    z_begin, z_end
        First and last plane, 0-based, both included.
    crop
        Cut out the box; otherwise whole planes are saved, with their own width and height in the metadata.
    resolution_xy, resolution_z
        µm; taken from the stack's file if it tells them.
    imageView
        The stack and its current plane.
    picture
        Overlay that :meth:`changeOverlay` made.
    progress
        Current value and maximum of the progress bar.
    """

    def __init__(self) -> None:
        self.x, self.y, self.width, self.height = 100, 100, 200, 300
        self.z_begin, self.z_end = 0, 0
        self.crop = True
        self.resolution_xy: float | None = None
        self.resolution_z: float | None = None
        self.imageView = ImageView()
        self.picture: np.ndarray | None = None
        self.progress: tuple[float, float] = (0, 0)
        self.fn: Path | None = None
        self._stack: xr.DataArray | None = None
        self._dendrite: np.ndarray | None = None
        self._spines: np.ndarray | None = None

    def selectStack(self, fn: FilePath | None = None) -> None:
        """Open a stack, with all its planes chosen.

        Parameters
        ----------
        fn
            TIFF file.
        """
        path = Path(fn or choose_file("Stack"))
        try:
            stack = open_stack(path)
            self.resolution_z, self.resolution_xy, _ = voxel_size_um(stack)
        except VoxelSizeError:
            stack = open_stack(path, xy_um=_UNKNOWN_UM, z_um=_UNKNOWN_UM)
            self.resolution_xy = self.resolution_z = None
        self.fn, self._stack = path, stack
        self._dendrite = self._spines = None
        self.imageView.setImage(stack.values)
        self.updateZ(0, len(stack) - 1)

    def selectDendrite(
        self, fn: FilePath | None = None, spacing: Sequence[float] | None = None, keep: bool = False
    ) -> None:
        """Read the dendrite annotation.

        Parameters
        ----------
        fn
            TIFF mask, or SWC tracing. A tracing is drawn and stored as ``<stem of the SWC>_dendrite.tif``.
        spacing
            Pitch x, y, z of a tracing, whose radii are in its unit; the resolution entered if None.
        keep
            Use a drawing that was stored before, if there is one.
        """
        stack = self._opened()
        path = Path(fn or choose_file("Dendrite annotation (TIFF or SWC)"))
        if path.suffix.lower() in SWC_SUFFIXES:
            assert self.fn is not None
            drawing = path.with_name(f"{path.stem}_dendrite.tif")
            if not (keep and drawing.is_file()):
                converter = DendriteSWC(spacing or askSpacing(*self._sizes(_UNKNOWN_UM)).spacing())
                converter.node.connect(lambda done, total: self.updateProgress(total, done))
                converter.open(path, self.fn)
                converter.convert(drawing)
            path = drawing
        self._dendrite = read_tiff_mask(path, stack)

    def selectSpines(self, fn: FilePath | None = None) -> None:
        """Read the spine annotation.

        Parameters
        ----------
        fn
            TIFF mask or label image, pipra ``.mask``, or ImageJ ROI zip.
        """
        stack = self._opened()
        self._spines = read_spine_mask(fn or choose_file("Spine annotation"), stack)

    def updateROI(self) -> tuple[int, int, int, int]:
        """Cut the bounding box to the stack; gives x, y, width, height."""
        _, rows, columns = self._opened().shape
        right, lower = min(self.x + self.width, columns), min(self.y + self.height, rows)
        self.x, self.y = max(0, self.x), max(0, self.y)
        self.width, self.height = right - self.x, lower - self.y
        if self.width < 1 or self.height < 1:
            raise AnnotationError(f"The box from ({self.x}, {self.y}) to ({right}, {lower}) holds no pixel of the "
                                  f"stack of {columns} × {rows}; change x, y, width and height.")
        return self.x, self.y, self.width, self.height

    def updateZ(self, a: int, b: int) -> None:
        """Choose planes.

        Parameters
        ----------
        a, b
            First and last plane, 0-based, both included.
        """
        planes = len(self._opened())
        if not 0 <= a <= b < planes:
            raise AnnotationError(f"Planes {a} to {b} are not all in the stack; accepted: 0 to {planes - 1}, the first "
                                  "before the last.")
        self.z_begin, self.z_end = int(a), int(b)

    def changeOverlay(self) -> np.ndarray:
        """Draw stack and annotations (maximum projection beside it with dendrite magenta, spines green), uint8 RGB."""
        stack = self._opened()
        empty = np.zeros(stack.shape, np.bool_)
        dendrite, spines = (empty if mask is None else mask for mask in (self._dendrite, self._spines))
        self.picture = overlay(D3Data(stack.values, dendrite, spines, {}))
        return self.picture

    def keyPressEvent(self, a0: Any) -> None:
        """Make the current plane the first one (B or S) or the last one (E)."""
        key, plane = key_name(a0), self.imageView.currentIndex
        if key in ("b", "s"):
            self.updateZ(plane, self.z_end)
        elif key == "e":
            self.updateZ(self.z_begin, plane)

    def updateProgress(self, a: float, b: float) -> None:
        """Note progress.

        Parameters
        ----------
        a
            Maximum.
        b
            Current value.
        """
        self.progress = (b, a)

    def save(self, fn: FilePath | None = None) -> Path:
        """Write the d3data file.

        Parameters
        ----------
        fn
            The file.

        Raises
        ------
        AnnotationError
            Something is missing, has another shape than the stack, or has no foreground in the box.
        """
        stack = self._opened()
        if self._dendrite is None or self._spines is None:
            raise AnnotationError("The annotation is not complete; call selectDendrite and selectSpines first.")
        if self.resolution_xy is None or self.resolution_z is None:
            raise VoxelSizeError("The resolution is not entered; set resolution_xy and resolution_z in µm.")
        scaled = label_stack(stack.values, xy_um=self.resolution_xy, z_um=self.resolution_z,
                             source=str(stack.attrs["source"]))
        part = TrainingDataParameters(z_begin=self.z_begin, z_end=self.z_end)
        if self.crop:
            x, y, width, height = self.updateROI()
            part = replace(part, x_px=x, y_px=y, width_px=width, height_px=height)
        data = cut_training_data(scaled, self._dendrite, self._spines, part)
        target = Path(fn or choose_file("Save training data", save=True, default="training", suffix=".d3data"))
        write_d3data(target, data)
        return target

    def _opened(self) -> xr.DataArray:
        if self._stack is None:
            raise AnnotationError("There is no stack yet; call selectStack first.")
        return self._stack

    def _sizes(self, otherwise: float) -> tuple[float, float, float]:
        xy, z = self.resolution_xy or otherwise, self.resolution_z or otherwise
        return xy, xy, z


class Viewer:
    """A d3data file and its metadata.

    Parameters
    ----------
    fn
        The file.

    Attributes
    ----------
    meta
        Metadata by DeepD3's names; changes are written by :meth:`save`.
    imageView
        The stack and its current plane.
    """

    def __init__(self, fn: FilePath) -> None:
        self.fn = fn
        self._read()

    def plane(self) -> np.ndarray:
        """Draw the current plane beside the same with its annotation, uint8 RGB."""
        here = slice(self.imageView.currentIndex, self.imageView.currentIndex + 1)
        data = self._data
        return overlay(D3Data(data.stack[here], data.dendrite[here], data.spines[here], {}))

    def save(self) -> None:
        """Write changed metadata into the file, with the time of the change.

        Raises
        ------
        AnnotationError
            A name is unknown or a value unfit; nothing is written then.
        """
        changes = {name: value for name, value in self.meta.items() if self._data.meta.get(name) != value}
        set_meta(self.fn, changes)
        self._read()

    def _read(self) -> None:
        self._data = read_d3data(self.fn)
        self.meta: dict[str, Any] = dict(self._data.meta)
        self.imageView = ImageView(self._data.stack)


class Arrange:
    """Arranges d3data files to a d3set.

    Attributes
    ----------
    files
        The files, in order.
    selected
        Rows of ``files`` that are selected.
    """

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.selected: list[int] = []

    def addData(self, *fns: FilePath) -> None:
        """Add d3data files.

        Parameters
        ----------
        *fns
            Files; each must be readable.
        """
        for path in [Path(fn) for fn in fns] or [choose_file("Training data (d3data)")]:
            read_d3data(path)
            self.files.append(path)

    def removeSelection(self) -> None:
        """Take the selected files off the list."""
        unknown = [row for row in self.selected if not 0 <= row < len(self.files)]
        if unknown:
            raise ParameterError(f"There is no row {unknown[0]}; the list has rows 0 to {len(self.files) - 1}.")
        self.files = [path for row, path in enumerate(self.files) if row not in self.selected]
        self.selected = []

    def keyPressEvent(self, a0: Any) -> None:
        """Take the selected files off the list with the Delete key."""
        if key_name(a0) == "delete":
            self.removeSelection()

    def createSet(self, fn: FilePath | None = None) -> Path:
        """Write the d3set.

        Parameters
        ----------
        fn
            The file.
        """
        target = Path(fn or choose_file("Save training set", save=True, default="training", suffix=".d3set"))
        arrange_training_data(self.files, target)
        return target


class Selector:
    """Opens the three windows."""

    def createTrainingData(self) -> addStackWidget:
        """Begin a d3data file."""
        return addStackWidget()

    def viewTrainingData(self, fn: FilePath | None = None) -> Viewer:
        """Look at a d3data file.

        Parameters
        ----------
        fn
            The file.
        """
        return Viewer(fn or choose_file("Training data (d3data)"))

    def arrangeTrainingData(self) -> Arrange:
        """Begin a d3set."""
        return Arrange()


def main(argv: Sequence[str] | None = None) -> int:
    """Open ImageJ with the menu of DeepD3; see :func:`deepd3_ij.service.programs.training`."""
    from deepd3_ij.service.programs import training

    return training(argv)
