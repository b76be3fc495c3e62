"""The guide's ``deepd3.core.export``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.compat.core.roi_dictionary import roi_set_of
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, Dimensions, labelled, pitch_of
from deepd3_ij.errors import DeepD3Error, ParameterError
from deepd3_ij.files.contour_folder import write_contour_folder
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.files.tables import write_table
from deepd3_ij.files.tiff import write_prediction_maps
from deepd3_ij.outputs.registry import write_roi_map
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_prediction
from deepd3_ij.stems import stem_of

FilePath = str | PathLike[str]
Rois = Mapping[int, Sequence[Mapping[str, Any]]]


class ExportImageJ:
    """ROIs as a zip for ImageJ's ROI Manager.

    Parameters
    ----------
    rois
        ``rois`` of a ROI creator.
    """

    def __init__(self, rois: Rois) -> None:
        self.rois = rois

    def export(self, fn: FilePath) -> None:
        """Write the zip; an older one is replaced (the original adds to it).

        One entry per ROI and plane, named by both (random names in the original), along pixel edges in ImageJ's
        coordinates (half a pixel off in the original). Without ROIs, the zip is empty.

        Parameters
        ----------
        fn
            Zip file.
        """
        write_roi_zip(fn, roi_set_of(self.rois))


class ExportFolder:
    """Outlines as CSV files.

    Parameters
    ----------
    rois
        ``rois`` of a ROI creator.
    """

    def __init__(self, rois: Rois) -> None:
        self.rois = rois

    def export(self, fn: FilePath, folder: FilePath) -> None:
        """Write ``<folder>/<stem of fn>/<plane>/<ROI id>.csv`` (planes 0-based; the original fails here).

        Parameters
        ----------
        fn
            File name of the stack.
        folder
            Target folder; made if missing.
        """
        write_contour_folder(check_output_folder(folder), stem_of(fn), roi_set_of(self.rois))


class ExportCentroids:
    """Centroids as a CSV table.

    Parameters
    ----------
    roi_centroids
        ``roi_centroids`` of :class:`~deepd3_ij.compat.core.analysis.ROI3D_Creator`: ``(N + 1, 3)``, columns z, y, x
        in voxels; row 0, the background, is not written (the original writes it).
    """

    def __init__(self, roi_centroids: np.ndarray) -> None:
        if np.ndim(roi_centroids) != 2 or np.shape(roi_centroids)[1] != 3 or len(roi_centroids) == 0:
            raise ParameterError(f"roi_centroids has shape {np.shape(roi_centroids)}; accepted: (N + 1, 3).")
        self.roi_centroids = roi_centroids

    def export(self, fn: FilePath) -> None:
        """Write the table: ROI id, ``Pos`` (plane, 0-based), ``Y``, ``X`` in voxels, and the same in µm.

        Parameters
        ----------
        fn
            CSV file.
        """
        xy_um, z_um = pitch_of(getattr(self.roi_centroids, "dimensions", None) or DEFAULT_DIMENSIONS)
        voxels = np.asarray(self.roi_centroids, dtype=np.float64)[1:]
        values = np.concatenate([voxels, voxels * (z_um, xy_um, xy_um)], axis=1)
        write_table(fn, pd.DataFrame(values, index=np.arange(1, len(voxels) + 1),
                                     columns=["Pos", "Y", "X", "Z_um", "Y_um", "X_um"]), index_label="")


class ExportPredictions:
    """Probability maps as 8-bit TIFF stacks.

    Parameters
    ----------
    pred_spines, pred_dendrites
        Probabilities ``(z, y, x)``.
    dimensions
        Voxel size; if omitted, the one that slices of ``Stack.prediction`` remember, else the guide's defaults.
    """

    def __init__(
        self, pred_spines: np.ndarray, pred_dendrites: np.ndarray, dimensions: Dimensions | None = None
    ) -> None:
        self.pred_spines, self.pred_dendrites, self.dimensions = pred_spines, pred_dendrites, dimensions

    def export(self, fn: FilePath, folder: FilePath) -> tuple[bool, str | DeepD3Error]:
        """Write ``<stem>_spines.tif`` and ``<stem>_dendrites.tif``, ImageJ stacks of 255 × probability.

        They are calibrated and rounded. (The original writes single planes without calibration, and cuts decimals off.)

        Parameters
        ----------
        fn
            File name of the stack.
        folder
            Target folder; made if missing.

        Returns
        -------
        tuple
            (True, both paths, a line each) or (False, the error).
        """
        try:
            grid = labelled(self.pred_spines, str(fn), self.dimensions)
            prediction = label_prediction(np.asarray(self.pred_dendrites), grid.values, grid, {})
            dendrites, spines = write_prediction_maps(check_output_folder(folder), stem_of(fn), prediction,
                                                      eight_bit=True)
        except DeepD3Error as error:
            return False, error
        return True, f"{spines}\n{dendrites}"


class ExportROIMap:
    """ROI map as a TIFF stack.

    Parameters
    ----------
    roi_map
        Integer labels ``(z, y, x)``.
    binarize
        Write 255 inside of ROIs and 0 elsewhere, instead of ids.
    dimensions
        Voxel size; if omitted, the one that the map of a ROI creator remembers, else the guide's defaults.
    """

    def __init__(self, roi_map: np.ndarray, binarize: bool = False, dimensions: Dimensions | None = None) -> None:
        self.roi_map, self.binarize, self.dimensions = roi_map, binarize, dimensions

    def export(self, fn: FilePath) -> tuple[bool, str | DeepD3Error]:
        """Write the map as a calibrated ImageJ stack.

        Ids need 16 bits, or, above 65,535, a 32-bit image. The guide lists a parameter ``folder`` too, which neither
        the original nor this takes.

        Parameters
        ----------
        fn
            TIFF file.

        Returns
        -------
        tuple
            (True, the path) or (False, the error).
        """
        try:
            grid = labelled(self.roi_map, "ROIs", self.dimensions)
            rois = RoiSet.from_labels(grid.values, grid)
            write_roi_map(Path(fn), rois, binary=self.binarize)
        except DeepD3Error as error:
            return False, error
        return True, str(fn)
