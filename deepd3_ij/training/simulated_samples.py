"""Training samples straight from the simulator."""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from types import TracebackType

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.segmentation.resampling import resample, resampled_shape
from deepd3_ij.segmentation.smoothing import smooth_along_z

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]

HELD_OUT_SEED = 1_000_000_000
"""Scenes from this number on are never trained on."""


def varied_parameters(rng: np.random.Generator, hard_share: float = 0.0) -> SimulationParameters:
    """Draw a microscope, a voxel size and a kind of tissue for one training scene.

    Half of the scenes have the voxel size 0.12 × 1.0 µm, the others 0.06–0.2 × 0.3–1.2 µm; a
    fifth is confocal; two thirds are as noisy as in-vivo two-photon stacks.

    Parameters
    ----------
    rng
        Source of the random numbers.
    hard_share
        Probability that the stack is dim or hazy, and, apart from that, that the tissue moved. The other draws are
        the same whatever it is.
    """
    parameters = _usual_parameters(rng)
    apart = rng.spawn(1)[0]
    if apart.random() < hard_share:
        photons = apart.uniform(0.4, 1.0)
        parameters = replace(parameters, gain=min(60.0, parameters.gain * apart.uniform(1.0, 1.8)),
                             head_peak=parameters.head_peak * photons, background=parameters.background
                             * apart.uniform(1.0, 2.5), halo=apart.uniform(0.0, 0.25))
    if apart.random() < hard_share:
        parameters = replace(parameters, plane_shift_um=apart.uniform(0.0, 0.3), line_shift_um=apart.uniform(0.0, 0.15))
    return parameters


def _usual_parameters(rng: np.random.Generator) -> SimulationParameters:
    xy_um = 0.12 if rng.random() < 0.5 else math.exp(rng.uniform(math.log(0.06), math.log(0.2)))
    z_um = 1.0 if rng.random() < 0.5 else rng.uniform(0.3, 1.2)
    side_um = float(np.interp(xy_um, (0.06, 0.12), (26.0, 38.0)))
    confocal = rng.random() < 0.2
    noisy = rng.random() < 0.66
    return SimulationParameters(
        planes=int(np.clip(round(10 / z_um), 9, 16)),
        height_px=round(side_um / xy_um),
        width_px=round(side_um / xy_um),
        xy_um=xy_um,
        z_um=z_um,
        psf_xy_um=rng.uniform(0.25, 0.38) if confocal else rng.uniform(0.34, 0.50),
        psf_z_um=rng.uniform(0.8, 1.5) if confocal else rng.uniform(1.7, 2.6),
        dendrites=int(rng.integers(1, 4)),
        dendrite_radius_um=rng.uniform(0.25, 0.55),
        branching=0.3,
        spine_density_per_um=math.exp(rng.uniform(math.log(0.3), math.log(1.9))),
        head_diameter_um=rng.uniform(0.44, 0.62),
        neck_length_um=rng.uniform(0.45, 0.75),
        axons=int(rng.integers(0, 5)),
        blob_clusters=int(rng.integers(3, 15)),
        clouds=int(rng.integers(0, 9)),
        cloud_peak=rng.uniform(3, 25),
        halo=rng.uniform(0.0, 0.1),
        head_peak=105 * math.exp(rng.normal(0, 0.3)),
        background=rng.uniform(1.5, 8.0),
        gain=rng.uniform(12, 32) if noisy else math.exp(rng.uniform(0.0, math.log(12))),
        pulse_spread=rng.uniform(0.3, 1.0),
        line_smear=rng.uniform(0.3, 0.65) if noisy else rng.uniform(0.0, 0.6),
        read_noise=rng.uniform(0.3, 2.0),
        offset=rng.uniform(-2.0, 1.0) if rng.random() < 0.8 else rng.uniform(1.0, 15.0),
    )


@dataclass(frozen=True)
class ScenePlanes:
    """Planes of one scene at the training resolution.

    ``image`` uint16 ``(z, y, x)``: every plane scaled to 0…65535 by its minimum and maximum;
    ``dendrite`` and ``spine`` int8: 1 foreground, 0 background, −1 does not count; ``spots``
    float64 ``(n, 3)``: centres (z, y, x) of the visible spines in voxels; ``z_um``: distance
    between planes.
    """

    image: npt.NDArray[np.uint16]
    dendrite: npt.NDArray[np.int8]
    spine: npt.NDArray[np.int8]
    spots: npt.NDArray[np.float64]
    z_um: float


def resample_planes(image: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """Resize every plane by `factor` in the way that prediction does."""
    shape = resampled_shape((image.shape[1], image.shape[2]), (factor, factor), 1.0)
    return image if shape is None else np.stack([resample(plane, shape) for plane in image])


def scale_planes(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Scale every plane to 0…65535 by its minimum and maximum."""
    low = image.min((1, 2), keepdims=True)
    span = np.maximum(image.max((1, 2), keepdims=True) - low, 1e-6)
    return np.rint((image - low) / span * 65535).astype(np.uint16)


def make_scene(seed: int, resolution_um: float, z_sigma_um: float, hard_share: float = 0.0) -> ScenePlanes:
    """Simulate a scene with varied parameters and bring it to the training resolution."""
    from deepd3_ij.simulation import simulate

    rng = np.random.default_rng([seed, 1])
    parameters = varied_parameters(rng, hard_share)
    scene = simulate(parameters, seed)
    sigma = z_sigma_um if rng.random() < 0.75 else rng.uniform(0, z_sigma_um)
    image = smooth_along_z(scene.stack.values, sigma, parameters.z_um)
    factor = parameters.xy_um / resolution_um

    def target(present: npt.NDArray[np.bool_], doubtful: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
        known = resample_planes(present.astype(np.float32), factor) >= 0.5
        unsure = resample_planes(doubtful.astype(np.float32), factor) >= 0.5
        return np.where(known, 1, np.where(unsure, -1, 0)).astype(np.int8)

    label = scene.spine.values
    ids = np.unique(label)[1:]
    spots = np.array(ndimage.center_of_mass(label > 0, label, ids)).reshape(-1, 3)
    spots[:, 1:] = (spots[:, 1:] + 0.5) * factor - 0.5
    return ScenePlanes(
        scale_planes(resample_planes(image, factor)),
        target(scene.dendrite.values, scene.doubtful_dendrite.values),
        target(scene.spine.values > 0, scene.doubtful_spine.values),
        spots,
        parameters.z_um,
    )


def _end_with_parent() -> None:
    """End this process when the one that trains has been killed and could not say so."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


class SceneSampler:
    """Batches of augmented tiles from scenes that are simulated in the background.

    A pool of scenes is renewed one by one. What a batch contains depends on its number and the
    seed alone, so a training that is resumed sees what it would have seen.

    Parameters
    ----------
    seed
        Seed of everything.
    resolution_um
        Pixel size of the training.
    z_sigma_um
        Standard deviation of the average over planes; a quarter of the scenes get less.
    tile_px
        Side of a tile.
    pool
        Number of scenes in memory.
    batches_per_scene
        A scene is exchanged after this many batches.
    workers
        Processes that simulate.
    hard_share
        See :func:`varied_parameters`.
    """

    def __init__(self, seed: int = 1, *, resolution_um: float = 0.12, z_sigma_um: float = 0.7, tile_px: int = 128,
                 pool: int = 100, batches_per_scene: int = 5, workers: int = 1, hard_share: float = 0.0) -> None:
        self.seed = seed
        self.resolution_um = resolution_um
        self.z_sigma_um = z_sigma_um
        self.tile_px = tile_px
        self.pool = pool
        self.batches_per_scene = batches_per_scene
        self.hard_share = hard_share
        self._executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
        self._scenes: OrderedDict[int, Future[ScenePlanes]] = OrderedDict()

    def __enter__(self) -> SceneSampler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the background processes."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _scene(self, number: int) -> ScenePlanes:
        return self._scenes[number].result()

    def _prepare(self, index: int) -> range:
        first = index // self.batches_per_scene
        wanted = range(first, first + self.pool)
        for number in [n for n in self._scenes if n < first]:
            del self._scenes[number]
        for number in range(first, first + self.pool + 12):
            if number not in self._scenes:
                self._scenes[number] = self._executor.submit(
                    make_scene, self.seed * 10_000_000 + number, self.resolution_um, self.z_sigma_um,
                    self.hard_share)
        return wanted

    def batch(self, index: int, size: int) -> Batch:
        """Make batch `index`: image (−1…1), dendrite and spine targets, float32 ``(size, tile, tile, 1)``."""
        wanted = self._prepare(index)
        if index < 200:
            wanted = range(wanted.start, wanted.start + min(self.pool, 24 + index // 2))
        rng = np.random.default_rng([self.seed, 2, index])
        side = self.tile_px
        out = np.empty((3, size, side, side, 1), np.float32)
        for k in range(size):
            out[:, k, :, :, 0] = self._sample(rng, self._scene(int(rng.integers(wanted.start, wanted.stop))))
        return out[0], out[1], out[2]

    def _sample(self, rng: np.random.Generator, scene: ScenePlanes) -> npt.NDArray[np.float32]:
        spots = np.argwhere(scene.spine == 1) if rng.random() < 0.85 else ()
        around = spots[rng.integers(len(spots))] if len(spots) else None
        return cut_tile(rng, scene, self.tile_px, around)


def cut_tile(rng: np.random.Generator, scene: ScenePlanes, side: int, around: npt.NDArray[np.int64] | None = None
             ) -> npt.NDArray[np.float32]:
    """Cut and augment a tile: image (−1…1), dendrite and spine target, float32 ``(3, side, side)``.

    The tile lies anywhere, or anywhere so that it contains the voxel `around` (z, y, x).
    """
    depth, height, width = scene.image.shape
    if around is None:
        z, y, x = (int(rng.integers(n)) for n in (depth, height - side + 1, width - side + 1))
    else:
        z = int(around[0])
        y, x = (int(rng.integers(max(0, at - side + 1), min(at, n - side) + 1))
                for at, n in zip(around[1:], (height, width), strict=True))
    box = (z, slice(y, y + side), slice(x, x + side))
    tile = np.stack([scene.image[box].astype(np.float32) / 65535, scene.dendrite[box].astype(np.float32),
                     scene.spine[box].astype(np.float32)])
    tile = np.rot90(tile, int(rng.integers(4)), (1, 2))
    if rng.random() < 0.5:
        tile = tile[:, :, ::-1]
    tile = tile.copy()
    tile[0] = vary_brightness(rng, tile[0])
    return tile


def vary_brightness(rng: np.random.Generator, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn an image of 0…1 into network input of −1…1 whose range is set by other parts of a larger plane."""
    if rng.random() < 0.6:
        image = np.minimum(image * np.float32(math.exp(rng.normal(-0.25, 0.45))), 1)
    if rng.random() < 0.3:
        image = image ** np.float32(math.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.3:
        image = image + rng.normal(0, 1, image.shape).astype(np.float32) * np.float32(rng.uniform(0.002, 0.03))
    return (np.clip(image, 0, 1) * 2 - 1).astype(np.float32)
