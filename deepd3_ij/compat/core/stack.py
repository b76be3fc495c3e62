"""``Stack`` of ``core.analysis``."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.cleaning import clean_dendrite, clean_spines_by_iterations, close_dendrite
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, Dimensions, PitchedArray, labelled, pitch_of
from deepd3_ij.compat.signals import Signal
from deepd3_ij.errors import ParameterError, VoxelSizeError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.stack import voxel_size_um

_DENDRITE, _SPINE, _DENDRITE_AGAIN = 0, 1, 2


class Stack:
    """A stack and its prediction.

    Parameters
    ----------
    fn
        TIFF file. Files of several channels or time points are refused (the original opens them as stacks of four
        dimensions); open those with :func:`deepd3_ij.open_stack`.
    pred_fn
        ``.prediction`` file to load, if it exists.
    dimensions
        ``{'xy': …, 'z': …}`` in µm. Without it, the file's own calibration counts, which the original ignores,
        and the defaults for a file that has none.

    Attributes
    ----------
    stack
        Pixels ``(z, y, x)`` in the file's type; indexing the object indexes them.
    prediction, preview
        float32 ``(z, y, x, 3)``: dendrite probability, spine probability, dendrite probability again. Zeros take no
        memory until they are written to.
    segmented
        Whether there is a prediction.
    dimensions
        ``{'xy': …, 'z': …}`` in µm.
    tileSignal
        Emits (done, total) while a prediction is computed.
    """

    tileSignal = Signal()

    def __init__(
        self,
        fn: str | PathLike[str],
        pred_fn: str | PathLike[str] | None = None,
        dimensions: Dimensions = DEFAULT_DIMENSIONS,
    ) -> None:
        self.fn = fn
        xy_um, z_um = (None, None) if dimensions is DEFAULT_DIMENSIONS else pitch_of(dimensions)
        opened = open_with_dimensions(fn, xy_um=xy_um, z_um=z_um)
        self.stack = np.asarray(opened.values)
        self._dimensions = dict(zip(("z", "xy"), voxel_size_um(opened)[:2], strict=True))
        shape = (*self.stack.shape, 3)
        self.prediction = PitchedArray(np.zeros(shape, np.float32), self._dimensions)
        self.preview = PitchedArray(np.zeros(shape, np.float32), self._dimensions)
        self.segmented = False
        if pred_fn is not None and Path(pred_fn).is_file():
            from deepd3_ij.files.hdf5 import read_prediction

            self._take(read_prediction(pred_fn, like=opened))

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.stack[key])

    @property
    def dimensions(self) -> dict[str, float]:
        """Size of a pixel and distance between planes in µm; may be set."""
        return self._dimensions

    @dimensions.setter
    def dimensions(self, dimensions: Dimensions) -> None:
        self._dimensions = dict(zip(("xy", "z"), pitch_of(dimensions), strict=True))
        self.prediction.dimensions = self.preview.dimensions = self._dimensions

    def predictWholeImage(self, model_fn: str | PathLike[str]) -> bool:
        """Predict whole planes, one by one; see :func:`deepd3_ij.predict` with the tiling 'plane'.

        A plane of equal pixels gets probability 0 (NaN in the original). Planes are resampled if the model's card
        names a resolution.

        Parameters
        ----------
        model_fn
            Model file, or the name of a model.

        Returns
        -------
        bool
            True.
        """
        return self._predict(model_fn, PredictionParameters(tiling="plane"))

    def predictInset(
        self,
        model_fn: str | PathLike[str],
        tile_size: int = 128,
        inset_size: int = 96,
        pad_op: Callable[[np.ndarray], Any] = np.mean,
        zmin: int | None = None,
        zmax: int | None = None,
        clean_dendrite: bool = True,
        dendrite_threshold: float = 0.7,
    ) -> bool:
        """Predict tiles and keep their centres; see :func:`deepd3_ij.predict` with the tiling 'inset'.

        Every plane is scaled by itself, as the networks were trained (the original scales a tile together with the
        same tile of all other planes, so a plane's result depends on the others). The dendrite map is cleaned
        as the guide says; the original takes both parameters without using them.

        Parameters
        ----------
        model_fn
            Model file, or the name of a model.
        tile_size, inset_size
            Side of a tile, and of its centre that is kept, in px.
        pad_op
            ``numpy.mean`` or ``numpy.min``: value around the stack.
        zmin, zmax
            First plane, and the plane after the last one.
        clean_dendrite
            Clean the dendrite map with :meth:`cleanDendrite`.
        dendrite_threshold
            Dendrite probability for the cleaning.

        Returns
        -------
        bool
            True.
        """
        self._predict(model_fn, _tiles("inset", tile_size, inset_size, pad_op), zmin, zmax)
        if clean_dendrite:
            self._set_dendrite(self.cleanDendrite(dendrite_threshold=dendrite_threshold))
        return True

    def predictFourFold(
        self,
        model_fn: str | PathLike[str],
        tile_size: int = 128,
        inset_size: int = 96,
        pad_op: Callable[[np.ndarray], Any] = np.mean,
        zmin: int | None = None,
        zmax: int | None = None,
    ) -> bool:
        """Average four shifted tile predictions; see :func:`deepd3_ij.predict` with the tiling 'fourfold'.

        All four passes reach every pixel (the original leaves out the bottom and the right of the image); scaled
        plane by plane, see :meth:`predictInset`, also for the parameters.

        Returns
        -------
        bool
            True.
        """
        return self._predict(model_fn, _tiles("fourfold", tile_size, inset_size, pad_op), zmin, zmax)

    def cleanDendrite(self, dendrite_threshold: float = 0.7, min_dendrite_size: int = 100) -> np.ndarray:
        """Keep dendrite pieces of single planes that have more than so many pixels.

        Parameters
        ----------
        dendrite_threshold
            Probability that dendrite exceeds.
        min_dendrite_size
            Pieces (8-connected) are kept if they are larger than this, in px.

        Returns
        -------
        numpy.ndarray
            Cleaned dendrite map, float32 ``(z, y, x)``; ``prediction`` is not changed.
        """
        return clean_dendrite(self._map(_DENDRITE), dendrite_threshold, min_dendrite_size, dimensions=2)

    def cleanDendrite3D(
        self, dendrite_threshold: float = 0.7, min_dendrite_size: int = 100, preview: bool = False
    ) -> np.ndarray:
        """Keep dendrite pieces that have at least so many voxels.

        Pieces of any size are counted right, and every small piece is removed (the original deletes some large
        ones and keeps the last one).

        Parameters
        ----------
        dendrite_threshold
            Probability that dendrite exceeds.
        min_dendrite_size
            Smallest piece (26-connected) that is kept, in voxels.
        preview
            Clean the map of ``preview`` instead of ``prediction``.

        Returns
        -------
        numpy.ndarray
            Cleaned dendrite map, float32 ``(z, y, x)``.
        """
        return clean_dendrite(self._map(_DENDRITE, preview), dendrite_threshold, min_dendrite_size, dimensions=3)

    def cleanSpines(
        self, dendrite_threshold: float = 0.7, dendrite_dilation_iterations: int = 12, preview: bool = False
    ) -> np.ndarray:
        """Set spine probability to 0 far from the dendrite.

        The guide calls this 2-D, yet the original dilates through planes as well (with the 6-neighbour cross,
        whatever the voxel size); so does this, to give the same maps. 0 iterations dilate not at all (until nothing
        changes in the original). :func:`deepd3_ij.clean` takes the distance in µm.

        Parameters
        ----------
        dendrite_threshold
            Probability that dendrite exceeds.
        dendrite_dilation_iterations
            Dilations of the dendrite.
        preview
            Clean the maps of ``preview`` instead of ``prediction``.

        Returns
        -------
        numpy.ndarray
            Cleaned spine map, float32 ``(z, y, x)``.
        """
        return clean_spines_by_iterations(self._map(_SPINE, preview), self._map(_DENDRITE, preview),
                                          dendrite_threshold=dendrite_threshold,
                                          iterations=int(dendrite_dilation_iterations))

    def closing(self, iterations: int = 1, preview: bool = False) -> np.ndarray:
        """Connect pieces of dendrite: so many dilations with a 3×3×3 window, then as many erosions.

        More iterations reach farther (in the original they change nothing).

        Parameters
        ----------
        iterations
            Dilations, and erosions.
        preview
            Take the map of ``preview`` instead of ``prediction``.

        Returns
        -------
        numpy.ndarray
            Dendrite map, float32 ``(z, y, x)``.
        """
        return close_dendrite(self._map(_DENDRITE, preview), iterations)

    def _map(self, channel: int, preview: bool = False) -> np.ndarray:
        return np.ascontiguousarray((self.preview if preview else self.prediction)[..., channel], dtype=np.float32)

    def _set_dendrite(self, dendrite: np.ndarray) -> None:
        self.prediction[..., _DENDRITE] = self.prediction[..., _DENDRITE_AGAIN] = dendrite

    def _take(self, prediction: xr.Dataset) -> None:
        self._set_dendrite(prediction["dendrite"].values)
        self.prediction[..., _SPINE] = prediction["spine"].values
        self.segmented = True

    def _predict(
        self, model_fn: str | PathLike[str], parameters: PredictionParameters, zmin: int | None = None,
        zmax: int | None = None,
    ) -> bool:
        from deepd3_ij.segmentation import predict

        self._take(predict(labelled(self.stack, str(self.fn), self.dimensions), model_fn, parameters,
                           z_range=(zmin, zmax), progress=lambda done, total, _: self.tileSignal.emit(done, total)))
        return True


def open_with_dimensions(
    fn: str | PathLike[str], *, xy_um: float | None = None, z_um: float | None = None
) -> xr.DataArray:
    """Open a stack; what is neither given nor in the file is the guide's default."""
    default_xy, default_z = pitch_of(DEFAULT_DIMENSIONS)
    # A file of a single plane often knows its pixel size alone.
    for sizes in ((xy_um, z_um), (xy_um, z_um or default_z)):
        try:
            return open_stack(fn, xy_um=sizes[0], z_um=sizes[1])
        except VoxelSizeError:
            continue
    return open_stack(fn, xy_um=xy_um or default_xy, z_um=z_um or default_z)


def _tiles(tiling: str, tile_size: int, inset_size: int, pad_op: Callable[[np.ndarray], Any]) -> PredictionParameters:
    paddings = {2.0: "mean", 0.0: "min"}  # of the values below
    padding = paddings.get(float(pad_op(np.array([0.0, 1.0, 5.0]))))
    if padding is None:
        raise ParameterError(f"pad_op is {pad_op!r}; accepted: numpy.mean, numpy.min.")
    return PredictionParameters(tiling=tiling, tile_px=tile_size, inset_px=inset_size, padding=padding)
