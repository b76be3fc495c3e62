"""``ROI2D_Creator`` and ``ROI3D_Creator`` of ``core.analysis``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deepd3_ij.compat.core.label_functions import centroids3D_from_labels
from deepd3_ij.compat.core.roi_dictionary import RoiDictionary, roi_dictionary
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, Dimensions, PitchedArray, labelled, pitch_of
from deepd3_ij.compat.signals import Signal
from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import Roi2DParameters, Roi3DParameters
from deepd3_ij.probabilities import checked_probabilities
from deepd3_ij.rois.building_2d import clean_rois_2d, label_spines_2d
from deepd3_ij.rois.building_3d import label_spines_3d
from deepd3_ij.rois.roiset import RoiSet

_MODES = {"floodfill": "floodfill", "connected components": "connected", "connected": "connected"}


def roi_mode(mode: str) -> str:
    """Name of a mode in this package; an unknown one is an error (the original takes it as connected components).

    Raises
    ------
    ParameterError
        The mode is unknown.
    """
    name = str(mode).strip().lower().replace("_", " ").replace("-", " ")
    if name not in _MODES:
        raise ParameterError(f"mode is {mode!r}; accepted: {', '.join(_MODES)}.")
    return _MODES[name]


class ROI2D_Creator:
    """Builds ROIs in single planes.

    Parameters
    ----------
    dendrite_prediction, spine_prediction
        Probabilities ``(z, y, x)``.
    threshold
        Spine probability that a pixel of a ROI exceeds.

    Attributes
    ----------
    roi_map
        int32 ``(z, y, x)``. Ids are unique through the stack and those of ``rois`` (in the original the map counts
        anew in every plane, and cleaning makes it binary).
    rois
        Outlines, see :mod:`deepd3_ij.compat.core.roi_dictionary`.
    zSignal
        Emits (plane, planes).
    """

    zSignal = Signal()

    def __init__(self, dendrite_prediction: np.ndarray, spine_prediction: np.ndarray, threshold: float) -> None:
        self.dendrite_prediction = checked_probabilities(np.asarray(dendrite_prediction), "dendrite")
        self.spine_prediction = checked_probabilities(np.asarray(spine_prediction), "spine")
        self.threshold = threshold
        self._dimensions = getattr(spine_prediction, "dimensions", None) or DEFAULT_DIMENSIONS
        self.rois: RoiDictionary = {}
        self._take(np.zeros(self.spine_prediction.shape, np.int32))

    def create(self, applyWatershed: bool = False, maskSize: int = 3, minDistance: int = 3) -> int:
        """Build ROIs; see :func:`deepd3_ij.rois.building_2d.label_spines_2d`.

        Parameters
        ----------
        applyWatershed
            Split touching ROIs by shape. (ROIs at the border of the image are kept; the original loses them.)
        maskSize
            Mask of the distance transform, 3, 5, or 0 for exact.
        minDistance
            Smallest distance between the centres of split ROIs, in px.

        Returns
        -------
        int
            Number of ROIs.
        """
        parameters = Roi2DParameters(spine_threshold=self.threshold, watershed=applyWatershed, mask_size_px=maskSize,
                                     min_distance_px=minDistance)
        return self._take(label_spines_2d(self.spine_prediction, parameters,
                                          lambda done, total, _: self.zSignal.emit(done, total)))

    def clean(self, maxD: int, minS: int, dendrite_threshold: float = 0.7) -> tuple[int, int]:
        """Remove small ROIs and ROIs far from the dendrite; the others keep their ids, also when cleaned again.

        Parameters
        ----------
        maxD
            Largest distance to the dendrite in px.
        minS
            Smallest ROI that is kept, in px.
        dendrite_threshold
            Probability that dendrite exceeds.

        Returns
        -------
        tuple of int
            Number of ROIs before and after.
        """
        parameters = Roi2DParameters(max_dendrite_distance_px=maxD, min_area_px=minS,
                                     near_dendrite_threshold=dendrite_threshold)
        before = len(self.roi_set)
        return before, self._take(clean_rois_2d(np.asarray(self.roi_map), self.dendrite_prediction, parameters))

    def _take(self, labels: np.ndarray) -> int:
        self.roi_map = PitchedArray(labels, self._dimensions)
        self.roi_set = RoiSet(labelled(labels, "ROIs", self._dimensions), dimensions=2)
        self.rois = roi_dictionary(self.roi_set)
        return len(self.roi_set)


class ROI3D_Creator:
    """Builds ROIs through planes.

    Parameters
    ----------
    dendrite_prediction
        Not used, as in the original.
    spine_prediction
        Probabilities ``(z, y, x)``.
    mode
        'floodfill' or 'connected components'.
    areaThreshold
        Spine probability that a voxel of a ROI exceeds.
    peakThreshold
        Spine probability from which a voxel can seed a ROI (floodfill).
    seedDelta
        Largest difference to the seed's probability, relative to it (floodfill).
    distanceToSeed
        A ROI stays nearer to its seed than this, in µm (floodfill).
    dimensions
        ``{'xy': …, 'z': …}`` in µm. The distance takes the pitch of each axis (the original takes that of z for
        columns).

    Attributes
    ----------
    roi_map
        int32 ``(z, y, x)``.
    rois
        Outlines, see :mod:`deepd3_ij.compat.core.roi_dictionary`; no entries if ``computeContours`` is False.
    roi_centroids
        float32 ``(N + 1, 3)``, columns z, y, x in voxels; the row is the ROI's id, row 0 the background.
    computeContours
        Whether :meth:`create` fills ``rois``.
    zSignal, log
        Emit (plane, planes) and a text.
    """

    zSignal = Signal()
    log = Signal()

    def __init__(
        self,
        dendrite_prediction: np.ndarray,
        spine_prediction: np.ndarray,
        mode: str = "floodfill",
        areaThreshold: float = 0.25,
        peakThreshold: float = 0.8,
        seedDelta: float = 0.1,
        distanceToSeed: float = 10,
        dimensions: Dimensions = DEFAULT_DIMENSIONS,
    ) -> None:
        self.dendrite_prediction = dendrite_prediction
        self.spine_prediction = checked_probabilities(np.asarray(spine_prediction), "spine")
        self.mode = mode
        self._parameters = Roi3DParameters(mode=roi_mode(mode), area_threshold=areaThreshold,
                                           peak_threshold=peakThreshold, seed_delta=seedDelta,
                                           distance_um=distanceToSeed)
        self.dimensions = dimensions
        self.computeContours = True
        self.rois: RoiDictionary = {}
        self._take(np.zeros(self.spine_prediction.shape, np.int32))

    def create(
        self, minPx: int, maxPx: int, minPlanes: int, applyWatershed: bool = False, dilation: int = 0
    ) -> int:
        """Build ROIs; see :func:`deepd3_ij.rois.building_3d.label_spines_3d`.

        Parameters
        ----------
        minPx, maxPx
            Smallest and largest ROI that is kept, in voxels.
        minPlanes
            A kept ROI spans at least this many planes.
        applyWatershed
            Split touching ROIs by shape. (ROIs at the border and in the first and last plane are kept; the original
            loses them. Distances are in µm.)
        dilation
            Dilations of what exceeds the area threshold, in the mode 'connected components' alone. (The guide
            calls it a dilation of the dendrite map; the original does what this does.)

        Returns
        -------
        int
            Number of ROIs.
        """
        parameters = replace(self._parameters, min_voxels=max(1, minPx), max_voxels=maxPx, min_planes=max(1, minPlanes),
                             watershed=applyWatershed, dilation=dilation)
        xy_um, z_um = pitch_of(self.dimensions)
        return self._take(label_spines_3d(self.spine_prediction, (z_um, xy_um, xy_um), parameters,
                                          lambda done, total, message: self.log.emit(message)))

    def _take(self, labels: np.ndarray) -> int:
        self.roi_map = PitchedArray(labels, self.dimensions)
        self.roi_set = RoiSet(labelled(labels, "ROIs", self.dimensions))
        sums, voxels, _ = centroids3D_from_labels(labels)
        self.roi_centroids = PitchedArray((sums / np.maximum(voxels, 1)[:, None]).astype(np.float32), self.dimensions)
        self.rois = (roi_dictionary(self.roi_set, self.zSignal.emit) if self.computeContours
                     else {plane: [] for plane in range(len(labels))})
        return len(self.roi_set)
