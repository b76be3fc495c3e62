"""One stack in ImageJ and everything that is made of it, for the guide's classes.

Each step takes what is there, computes, and shows.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from deepd3_ij.errors import FijiError
from deepd3_ij.fiji import hyperstacks as images
from deepd3_ij.fiji import roi_manager as rois
from deepd3_ij.fiji import table_windows as results
from deepd3_ij.fiji import view
from deepd3_ij.fiji.java import java_class
from deepd3_ij.fiji.kept_parameters import keep_roi_parameters, kept_roi_parameters
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.names import TEST_AT
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    resolve,
)
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stack import MAPS, label_like, label_stack, voxel_size_um
from deepd3_ij.stems import beside, stem_of

if TYPE_CHECKING:
    from deepd3_ij import Measurements, RoiSet
    from deepd3_ij.fiji.session import Session
    from deepd3_ij.model.loading import DeepD3Model

P = TypeVar("P", bound=Parameters)


class Workbench:
    """A stack on the display and its analysis.

    Parameters
    ----------
    session
        A visible session.

    Attributes
    ----------
    path
        File of the stack.
    stack, prediction, rois, measurements
        What there is, else None.
    image
        The ImageJ image that shows it: the stack, later the merged view.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.path: Path | None = None
        self.stack: xr.DataArray | None = None
        self.prediction: xr.Dataset | None = None
        self.rois: RoiSet | None = None
        self.measurements: Measurements | None = None
        self.image: Any = None
        self._labels_image: Any = None
        self._projection: Any = None
        self._model: DeepD3Model | None = None

    # What there is

    def open(self, path: str | PathLike[str], *, xy_um: float | None = None, z_um: float | None = None,
             channel: int | None = None, frame: int | None = None, prediction: str | PathLike[str] | None = None,
             rois: str | PathLike[str] | None = None) -> None:
        """Open a stack, and ``.prediction`` and ``.rois`` if they exist: files given, or of its name beside it."""
        from deepd3_ij.files.hdf5 import read_prediction, read_rois

        stack = open_stack(path, xy_um=xy_um, z_um=z_um, channel=channel, frame=frame)
        map_file, roi_file = Path(prediction or beside(path, ".prediction")), Path(rois or beside(path, ".rois"))
        maps = read_prediction(map_file, like=stack) if map_file.is_file() else None
        found = read_rois(roi_file, like=stack) if roi_file.is_file() else None
        self.close()
        self.path, self.stack = Path(path), stack
        self._show_stack()
        if maps is not None:
            self._set_prediction(maps)
        if found is not None:
            self._set_rois(found)

    def close(self) -> None:
        """Close the images of this stack; nothing is saved."""
        for image in (self.image, self._labels_image, self._projection):
            _close_image(image)
        self.path = self.stack = self.prediction = self.rois = self.measurements = None
        self.image = self._labels_image = self._projection = None

    def need_stack(self) -> xr.DataArray:
        """The stack; FijiError without one."""
        if self.stack is None:
            raise FijiError("There is no stack yet; call open first.")
        return self.stack

    def need_prediction(self) -> xr.Dataset:
        """The prediction; FijiError without one."""
        self.need_stack()
        if self.prediction is None:
            raise FijiError("There is no prediction yet; call segment first.")
        return self.prediction

    def need_rois(self) -> RoiSet:
        """The ROIs as they are in ImageJ now, with the user's corrections; FijiError without any."""
        self.need_prediction()
        if self.rois is None:
            raise FijiError("There are no ROIs yet; call roi3d or roi2d first.")
        self.take_corrections()
        return self.rois

    # Analyze

    def set_dimensions(self, *, xy_um: float, z_um: float) -> None:
        """Change the voxel size of everything there is; the tables are measured anew."""
        stack = self.need_stack()
        self.take_corrections()
        self.stack = label_stack(stack.data, xy_um=xy_um, z_um=z_um, source=str(stack.attrs.get("source", "stack")))
        if self.prediction is not None:
            maps = {name: label_like(self.prediction[name].data, self.stack) for name in MAPS}
            self.prediction = xr.Dataset(maps, attrs={**self.prediction.attrs, **self.stack.attrs})
        if self.rois is not None:
            self.rois = type(self.rois)(label_like(self.rois.labels.data, self.stack), self.rois.dimensions,
                                        self.rois.provenance)
        for image in (self.image, self._labels_image, self._projection):
            if image is not None:
                images.set_voxel_size(image, xy_um=xy_um, z_um=z_um)
        if self.measurements is not None:
            self.measure(self.recommended(MeasureParameters))

    def segment(self, model: str | None, parameters: PredictionParameters, *,
                progress: Progress = no_progress) -> None:
        """Predict dendrites and spines and show the merged view; a model (name or file) stays loaded."""
        from deepd3_ij.model import load_model
        from deepd3_ij.segmentation import predict

        stack = self.need_stack()
        loaded = self._model
        if loaded is None or model not in (loaded.name, str(loaded.path)):
            progress(0, 1, "Loading the model")
            loaded = load_model(model)
        self._set_prediction(predict(stack, loaded, parameters, progress=progress))
        self._model = loaded

    def recommended(self, cls: type[P]) -> P:
        """Parameters of a step: those of the live test, else those of the model's card, else the defaults."""
        tested = kept_roi_parameters(self.image) if cls is Roi3DParameters and self.image is not None else {}
        recommended = {} if self._model is None else self._model.card.recommended
        return resolve(cls, kept=tested, recommended=recommended,
                       voxel_size_um=voxel_size_um(self.need_stack())).parameters

    def clean(self, parameters: CleaningParameters, *, progress: Progress = no_progress) -> None:
        """Clean the prediction."""
        from deepd3_ij.cleaning import clean

        self._set_prediction(clean(self.need_prediction(), parameters, progress))

    def preview_cleaning(self, parameters: CleaningParameters | None) -> None:
        """Show the cleaned maps without keeping them; None shows the kept ones again."""
        from deepd3_ij.cleaning import clean

        kept = self.need_prediction()
        self._show_maps(kept if parameters is None else clean(kept, parameters))

    def build_rois(self, parameters: Roi2DParameters | Roi3DParameters, *, progress: Progress = no_progress) -> None:
        """Build ROIs, show them in the ROI Manager and measure them."""
        from deepd3_ij.rois import build_rois_2d, build_rois_3d

        prediction = self.need_prediction()
        if isinstance(parameters, Roi3DParameters):
            found = build_rois_3d(prediction, parameters, progress)
            keep_roi_parameters(self.image, parameters.to_dict())
        else:
            found = build_rois_2d(prediction, parameters, progress)
        self._set_rois(found)
        self.measure(self.recommended(MeasureParameters), progress=progress)

    def measure(self, parameters: MeasureParameters, *, progress: Progress = no_progress) -> None:
        """Measure the ROIs as they are now and show the tables."""
        from deepd3_ij.measurement import measure

        found = self.need_rois()
        self.measurements = measure(found, self.need_prediction(), self.stack, parameters, progress)
        results.push_measurements(self.session, self.measurements, self.image)

    def take_corrections(self) -> bool:
        """Take over what the user changed in the ROI Manager; True if something had changed."""
        # Without its window there is nothing to take: closing the manager is no deletion.
        if self.rois is None or java_class("ij.plugin.frame.RoiManager").getInstance() is None:
            return False
        now = rois.pull_rois(self.session, self.image, source="manager")
        if np.array_equal(now.labels.values, self.rois.labels.values):
            return False
        self.rois = now
        if self._labels_image is not None:
            images.replace_channels(self._labels_image, [now.labels])
        return True

    def apply_corrections(self, *, progress: Progress = no_progress) -> None:
        """Take over the user's changes everywhere: ROIs with their new ids, labels, tables."""
        found = self.need_rois()
        rois.push_rois(self.session, found, self.image)
        self.measure(self.recommended(MeasureParameters), progress=progress)

    def test_rois_at(self, z: int, y: int, x: int) -> None:
        """Open the live test of 3-D ROI parameters around a pixel (0-based), as a double click there does."""
        from deepd3_ij.service.in_process import publish, start_command

        self.need_stack()
        publish(self.session)
        self.image.setProp(TEST_AT, f"{z} {y} {x}")
        start_command(self.session, "Test 3D ROIs", ask=True, image=self.image)

    def delete_selected(self) -> int:
        """Delete the spines that are selected in the ROI Manager, in all planes; gives their number."""
        ids = view.selected_ids(self.session)
        if ids:
            view.delete_spines(self.session, ids)
            self.apply_corrections()
        return len(ids)

    # View

    def show_segmentation(self, visible: bool) -> None:
        self.need_prediction()
        view.show_segmentation(self.session, self.image, visible)

    def show_rois(self, visible: bool) -> None:
        view.show_rois(self.session, self.image, visible)

    def show_labels(self, visible: bool) -> None:
        """Show the label volume in a window of its own; hides the segmentation meanwhile."""
        if visible:
            found = self.need_rois()
            self._labels_image = self.session.push(found.labels, source=self.image)
        else:
            _close_image(self._labels_image)
            self._labels_image = None
        self.show_segmentation(not visible)

    def show_projection(self, visible: bool) -> None:
        """Show the maximum projection of the stack, or of the prediction once there is one."""
        _close_image(self._projection)
        self._projection = None
        if visible:
            data = self.prediction if self.prediction is not None else self.need_stack()
            self._projection = self.session.push_projection(data, "max", source=self.image)

    def project(self) -> None:
        """Maximum and sum projection of the prediction."""
        for method in ("max", "sum"):
            self.session.push_projection(self.need_prediction(), method, source=self.image)

    def import_annotations(self, path: str | PathLike[str]) -> int:
        self.need_stack()
        return view.import_annotations(self.session, self.image, path)

    # Files

    def save(self) -> list[Path]:
        """Write ``.prediction`` and ``.rois`` beside the stack, with the corrections."""
        from deepd3_ij.outputs.registry import Results, write_outputs

        prediction = self.need_prediction()
        assert self.path is not None
        measured = None if self.rois is None or self.take_corrections() else self.measurements
        kinds = ("prediction_file",) if self.rois is None else ("prediction_file", "rois_file")
        return write_outputs(Results(self.stack, prediction, self.rois, measured), self.path.parent,
                             stem_of(self.path), kinds)

    def export(self, what: str, folder: str | PathLike[str]) -> list[Path]:
        """Write results into a folder.

        Parameters
        ----------
        what
            Name of a kind of :data:`deepd3_ij.outputs.registry.OUTPUTS`.
        folder
            Existing folder.
        """
        from deepd3_ij.outputs.registry import Results, output_of, write_outputs

        needs = output_of(what).needs
        prediction = self.need_prediction()
        found = self.need_rois() if set(needs) & {"rois", "measurements"} else None
        if "measurements" in needs:
            self.measure(self.recommended(MeasureParameters))
        stem = stem_of(self.path) if self.path is not None else "stack"
        return write_outputs(Results(self.stack, prediction, found, self.measurements), Path(folder), stem, (what,))

    # Showing

    def _show_stack(self) -> None:
        self.image = self.session.push(self.need_stack())

    def _set_prediction(self, prediction: xr.Dataset) -> None:
        self.prediction = prediction
        self._show_maps(prediction)

    def _show_maps(self, prediction: xr.Dataset) -> None:
        """Put maps into the merged view, which takes the place of the stack's window at the first time."""
        if self.image.getNChannels() == 3:
            stack = self.need_stack()
            images.replace_channels(self.image, [stack, prediction["dendrite"], prediction["spine"]])
            return
        before, place = self.image, self.image.getWindow().getLocation()
        overlay, plane = before.getOverlay(), before.getZ() - 1
        self.image = self.session.push_merged(self.need_stack(), prediction, plane=plane)
        self.image.setOverlay(overlay)
        self.image.getWindow().setLocation(place)
        _close_image(before)

    def _set_rois(self, found: RoiSet) -> None:
        self.rois, self.measurements = found, None
        rois.push_rois(self.session, found, self.image)
        if self._labels_image is not None:
            images.replace_channels(self._labels_image, [found.labels])

    def voxel_size(self) -> tuple[float, float]:
        """Size of a pixel and distance of planes in µm."""
        z_um, xy_um, _ = voxel_size_um(self.need_stack())
        return xy_um, z_um


def _close_image(image: Any) -> None:
    if image is not None:
        image.changes = False
        image.close()
