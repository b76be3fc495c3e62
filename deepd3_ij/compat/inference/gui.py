"""The guide's ``deepd3.inference.gui`` over ImageJ: actions of the inference window for scripts.

What a window asks for is an optional argument; without it, ImageJ's dialog asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from deepd3_ij.compat.core.roi_dictionary import RoiDictionary, roi_dictionary
from deepd3_ij.compat.imagej import ask, choose_file, choose_folder, imagej_progress
from deepd3_ij.compat.inference.interface import FilePath, ImageView, Interface, new_bench
from deepd3_ij.compat.inference.settings import (
    ROI2D,
    ROI3D,
    Cleaning,
    QHLine,
    Segment,
    Settings,
    askDimensions,
)
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, Dimensions, labelled, pitch_of
from deepd3_ij.compat.signals import Signal
from deepd3_ij.errors import FijiError
from deepd3_ij.files.roi_settings import parameters_of, settings_of, write_roi_settings
from deepd3_ij.parameters import CleaningParameters, Roi2DParameters, Roi3DParameters, VoxelSizeParameters, from_values
from deepd3_ij.probabilities import checked_probabilities
from deepd3_ij.rois.building_3d import build_rois_3d
from deepd3_ij.stack import label_prediction
from deepd3_ij.stems import beside

if TYPE_CHECKING:
    from deepd3_ij.compat.inference.workbench import Workbench

SettingsKind = TypeVar("SettingsKind", bound=Settings[Any])

__all__ = [
    "ROI2D",
    "ROI3D",
    "Cleaning",
    "DoubleSlider",
    "ImageView",
    "Interface",
    "Main",
    "QHLine",
    "Segment",
    "askDimensions",
    "main",
    "testROI",
]


class DoubleSlider:
    """A number between two ends that moves in steps.

    Parameters
    ----------
    decimals
        Digits behind the point to which the number is rounded.
    *args, **kwargs
        Not used; Qt's sliders take an orientation and a parent there.

    Attributes
    ----------
    doubleValueChanged
        Emits a new value.
    """

    doubleValueChanged = Signal()

    def __init__(self, decimals: int = 2, *args: Any, **kwargs: Any) -> None:
        self.decimals = decimals
        self._step = 10.0 ** -decimals
        self._low, self._high = 0.0, 99 * self._step  # Qt's ends, in steps
        self._value = 0.0

    def value(self) -> float:
        """The number."""
        return self._value

    def setValue(self, a0: float) -> None:
        """Change the number; what lies beyond an end becomes that end."""
        value = round(min(max(float(a0), self._low), self._high), self.decimals)
        if value != self._value:
            self._value = value
            self.doubleValueChanged.emit(value)

    def setMinimum(self, a0: float) -> None:
        """Change the lower end."""
        self._low = round(float(a0), self.decimals)
        self._high = max(self._low, self._high)
        self.setValue(self._value)

    def setMaximum(self, a0: float) -> None:
        """Change the upper end."""
        self._high = round(float(a0), self.decimals)
        self._low = min(self._low, self._high)
        self.setValue(self._value)

    def singleStep(self) -> float:
        """The step."""
        return self._step

    def setSingleStep(self, a0: float) -> None:
        """Change the step."""
        self._step = round(float(a0), self.decimals)


class testROI:
    """3-D ROIs of a part of a stack, to try settings.

    Parameters
    ----------
    stack
        Pixels ``(z, y, x)``.
    d, s
        Dendrite and spine probability of the same shape.
    settings
        Settings by DeepD3's names or parameters; what is missing is the test window's default.
    dimensions
        Voxel size; if omitted, the one that slices of ``Stack.prediction`` remember, else the guide's defaults. (The
        original always takes the latter.)

    Attributes
    ----------
    parameters
        Settings; replace them and call :meth:`do` again.
    data
        "spine prediction", or "intensity" for the pixels between their smallest and largest.
    roi_map, rois
        What :meth:`do` found.
    """

    __test__ = False  # no test for pytest

    def __init__(
        self,
        stack: np.ndarray,
        d: np.ndarray,
        s: np.ndarray,
        settings: Mapping[str, Any] | Roi3DParameters | None = None,
        dimensions: Dimensions | None = None,
    ) -> None:
        first = Roi3DParameters(area_threshold=0.2, seed_delta=0.5, min_voxels=10, min_planes=3)
        self.stack, self.d, self.s = stack, d, s
        self.parameters = settings if isinstance(settings, Roi3DParameters) else parameters_of(settings or {}, first)
        self.dimensions = dimensions or getattr(s, "dimensions", None) or DEFAULT_DIMENSIONS
        self.data = "spine prediction"
        self.roi_map = np.zeros(np.shape(s), np.int32)
        self.rois: RoiDictionary = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters by DeepD3's names."""
        return settings_of(self.parameters)

    def do(self) -> int:
        """Build the ROIs; gives their number."""
        grid = labelled(self.s, "test", self.dimensions)
        spine = grid.values if self.data == "spine prediction" else _stretched(np.asarray(self.stack))
        prediction = label_prediction(checked_probabilities(np.asarray(self.d), "dendrite"),
                                      checked_probabilities(spine, "spine"), grid, {})
        found = build_rois_3d(prediction, self.parameters)
        self.roi_map, self.rois = found.labels.values, roi_dictionary(found)
        return len(found)


class Main:
    """The steps of the inference window.

    Parameters
    ----------
    bench
        Where the stack is shown; a new one in the running (else a new, visible) session if None.

    Attributes
    ----------
    interface
        The open stack, None before :meth:`open`.
    """

    def __init__(self, bench: Workbench | None = None) -> None:
        self._bench = bench
        self._model_fn: str | None = None
        self.interface: Interface | None = None
        self._shown = {"segmentation": True, "projection": False, "labels": False, "rois": True}

    def open(self, fn: FilePath | None = None, dimensions: Dimensions | None = None) -> None:
        """Open a stack, with the ``.prediction`` and ``.rois`` of its name beside it.

        Parameters
        ----------
        fn
            TIFF file.
        dimensions
            ``{'xy': …, 'z': …}`` in µm; the file's own, else the guide's defaults, if None.
        """
        path = fn or choose_file("Open a stack")
        if self._bench is None:
            self._bench = new_bench()
        self.interface = Interface(path, beside(path, ".prediction"), beside(path, ".rois"), beside(path, ".log"),
                                   dimensions or DEFAULT_DIMENSIONS, bench=self._bench)
        if fn is None and dimensions is None:
            self.setDimensions()

    def importAnnotations(self, fn: FilePath | None = None) -> int:
        """Draw annotated positions as blue points; gives their number.

        Parameters
        ----------
        fn
            CSV table with the columns X, Y and Z or Pos.
        """
        bench = self._opened().bench
        return bench.import_annotations(fn or choose_file("Import annotations"))

    def save(self) -> list[Path]:
        """Write ``.prediction`` and ``.rois`` beside the stack; gives the files."""
        return self._logged(self._opened().bench.save(), "saved")

    def segment(self, settings: Segment | None = None) -> None:
        """Predict dendrites and spines.

        Parameters
        ----------
        settings
            Model and tiling; asked for if None. A model once chosen stays for the next time.
        """
        interface = self._opened()
        if settings is None:
            settings = Segment(self._model_fn)
            if self._model_fn is None:
                settings.findModel()
            settings = self._asked(settings)
        self._model_fn = settings.model_fn
        interface.bench.segment(settings.model_fn, settings.parameters, progress=imagej_progress)
        interface.log(f"segmented: {settings.parameters}")

    def cleaning(self, settings: Cleaning | CleaningParameters | Mapping[str, Any] | None = None) -> None:
        """Clean the prediction.

        Parameters
        ----------
        settings
            How; asked for if None. A mapping has the names of :class:`deepd3_ij.CleaningParameters`.
        """
        interface = self._opened()
        parameters = _cleaning(self._asked(Cleaning()) if settings is None else settings)
        interface.bench.clean(parameters, progress=imagej_progress)
        interface.preview = None
        interface.log(f"cleaned: {parameters}")

    def previewCleaning(self, settings: Cleaning | CleaningParameters | Mapping[str, Any]) -> None:
        """Show the prediction as these settings would clean it, without keeping it.

        Parameters
        ----------
        settings
            As in :meth:`cleaning`.
        """
        interface = self._opened()
        interface.preview = _cleaning(settings)
        interface.bench.preview_cleaning(interface.preview)

    def roi2d(self, settings: ROI2D | Roi2DParameters | None = None) -> int:
        """Build 2-D ROIs; gives their number.

        Parameters
        ----------
        settings
            How; asked for if None.
        """
        self._opened()
        chosen = self._asked(ROI2D()) if settings is None else settings
        return self._build(chosen if isinstance(chosen, Roi2DParameters) else chosen.parameters)

    def roi3d(self, settings: ROI3D | Roi3DParameters | dict[str, Any] | None = None) -> int:
        """Build 3-D ROIs, and write their settings beside the stack (``.roi3d_settings``); gives their number.

        Parameters
        ----------
        settings
            How, see :class:`ROI3D`; asked for if None.
        """
        if settings is None:
            settings = self._asked(ROI3D(self._opened().bench.recommended(Roi3DParameters)))
        parameters = settings.parameters if isinstance(settings, ROI3D) else ROI3D(settings).parameters
        count = self._build(parameters)
        write_roi_settings(beside(self._opened().fn, ".roi3d_settings"), parameters)
        return count

    def zprojection(self) -> None:
        """Show the maximum and the sum of the prediction along z in windows of their own."""
        self._opened().bench.project()

    def setDimensions(self, dimensions: Dimensions | None = None) -> None:
        """Change the voxel size of stack, prediction and ROIs.

        Parameters
        ----------
        dimensions
            ``{'xy': …, 'z': …}`` in µm; asked for if None.
        """
        bench = self._opened().bench
        if dimensions is None:
            xy_um, z_um = bench.voxel_size()
            size = ask("Set dimensions", VoxelSizeParameters(xy_um=xy_um, z_um=z_um))
            dimensions = (size.xy_um, size.z_um)
        xy_um, z_um = pitch_of(dimensions)
        bench.set_dimensions(xy_um=xy_um, z_um=z_um)

    def setShowSegmentation(self, visible: bool | None = None) -> None:
        """Show or hide the segmentation; toggle it if nothing is said."""
        self._opened().bench.show_segmentation(self._toggled("segmentation", visible))

    def setShowMaxProjection(self, visible: bool | None = None) -> None:
        """Show or hide the maximum projection, in a window of its own; toggle it if nothing is said."""
        self._opened().bench.show_projection(self._toggled("projection", visible))

    def setShowLabels(self, visible: bool | None = None) -> None:
        """Show or hide the labels, in a window of their own; toggle them if nothing is said."""
        self._opened().bench.show_labels(self._toggled("labels", visible))
        self._shown["segmentation"] = not self._shown["labels"]

    def setShowROIs(self, visible: bool | None = None) -> None:
        """Show or hide the ROIs; toggle them if nothing is said."""
        self._opened().bench.show_rois(self._toggled("rois", visible))

    def exportPredictions(self, folder: FilePath | None = None) -> list[Path]:
        """Write the maps as 32-bit TIFF stacks into a folder, which is asked for if None; gives the files."""
        return self._export("maps", folder)

    def exportImageJ(self, folder: FilePath | None = None) -> list[Path]:
        """Write ``<stem>_rois.zip`` for ImageJ's ROI Manager; see :meth:`exportPredictions`."""
        return self._export("roi_zip", folder)

    def exportToFolderStructure(self, folder: FilePath | None = None) -> list[Path]:
        """Write outlines as CSV files, a folder per plane; see :meth:`exportPredictions`."""
        return self._export("roi_folder", folder)

    def exportRoiMap(self, folder: FilePath | None = None, binarize: bool = False) -> list[Path]:
        """Write the ROI map as a TIFF stack, of ids or of 0 and 255; see :meth:`exportPredictions`."""
        return self._export("roi_map_binary" if binarize else "roi_map", folder)

    def exportRoiCentroids(self, folder: FilePath | None = None) -> list[Path]:
        """Write the ROIs' centroids as a CSV table, also of 2-D and of loaded ROIs; see :meth:`exportPredictions`."""
        return self._export("centroids", folder)

    def _opened(self) -> Interface:
        if self.interface is None:
            raise FijiError("There is no stack yet; call open first.")
        return self.interface

    def _build(self, parameters: Roi2DParameters | Roi3DParameters) -> int:
        interface = self._opened()
        interface.bench.build_rois(parameters, progress=imagej_progress)
        count = len(interface.bench.need_rois())
        interface.log(f"{count} ROIs: {parameters}")
        interface.populateTable()
        return count

    def _export(self, what: str, folder: FilePath | None) -> list[Path]:
        bench = self._opened().bench
        place = folder or choose_folder("Folder for the export")
        return self._logged(bench.export(what, place), "exported")

    def _logged(self, files: list[Path], what: str) -> list[Path]:
        self._opened().log(f"{what}: {', '.join(path.name for path in files)}")
        return files

    def _toggled(self, name: str, visible: bool | None) -> bool:
        self._shown[name] = not self._shown[name] if visible is None else visible
        return self._shown[name]

    def _asked(self, settings: SettingsKind) -> SettingsKind:
        settings.parameters = ask(settings.title, settings.parameters)
        settings.close()
        return settings


def main(argv: Sequence[str] | None = None) -> int:
    """Open ImageJ with the menu of DeepD3; see :func:`deepd3_ij.service.programs.inference`."""
    from deepd3_ij.service.programs import inference

    return inference(argv)


def _cleaning(settings: Cleaning | CleaningParameters | Mapping[str, Any]) -> CleaningParameters:
    if isinstance(settings, Cleaning):
        return settings.parameters
    return settings if isinstance(settings, CleaningParameters) else from_values(CleaningParameters, settings)


def _stretched(pixels: np.ndarray) -> np.ndarray:
    low, high = float(pixels.min()), float(pixels.max())
    return ((pixels - low) / max(high - low, 1e-9)).astype(np.float32)
