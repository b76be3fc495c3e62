"""One simulated field at several time points: it moves and warps, spines grow, shrink, vanish and appear."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.simulation import Anatomy, Float, Move, SimulatedScene, draw_anatomy, image_of

WARP_SCALE_UM = 15.0
WARP_GRID_UM = 3.0
LEAST_PLANES = 3
APART_UM = 0.8
"""A spine that grows nearer to the place of another one would be taken for it by everybody."""
SPARE_UM = 2.0
"""The anatomy reaches so far beyond what motion brings into view."""


@dataclass(frozen=True, eq=False)
class SimulatedTimePoint:
    """One time point of a series.

    Attributes
    ----------
    scene
        Image and masks; the ids of its spines are those of the tracks.
    day
        When it was imaged.
    truth
        One row per spine, also for those that never appear: ``track, session`` (from 1), ``alive`` (it is there),
        ``visible`` (it has voxels in the mask), ``inside`` (its place is inside the stack), ``cut_off`` (its place
        would be inside if no planes were missing), ``z_um, y_um, x_um`` of its head.
    """

    scene: SimulatedScene
    day: float
    truth: pd.DataFrame


def simulate_timepoints(parameters: SimulationParameters, series: TimeSeriesParameters, seed: int = 0
                        ) -> Iterator[SimulatedTimePoint]:
    """Simulate one field at several time points.

    Parameters
    ----------
    parameters
        The first time point.
    series
        What changes.
    seed
        The same seed and parameters give the same series.

    Yields
    ------
    SimulatedTimePoint

    Raises
    ------
    ParameterError
        Hardly a plane would be left.
    """
    if series.cut_planes > parameters.planes - LEAST_PLANES:
        raise ParameterError(f"cut_planes is {series.cut_planes} and planes {parameters.planes}; accepted: at least "
                             f"{LEAST_PLANES} planes that stay.")
    rng = np.random.default_rng(seed)
    margin = np.array([series.drift_z_um, series.drift_um, series.drift_um]) + SPARE_UM
    anatomy = _wide_anatomy(rng, parameters, series, margin)
    heads = np.array([spine.head for spine in anatomy.spines]).reshape(-1, 3)
    alive, unborn = _first_spines(rng, heads, series)
    size = np.array([parameters.planes * parameters.z_um, parameters.height_px * parameters.xy_um,
                     parameters.width_px * parameters.xy_um])
    for session in range(series.sessions):
        if session:
            alive, unborn = _turnover(rng, alive, unborn, series)
        move, own, below = _motion(rng, parameters, series, margin, size, still=session == 0)
        growth = np.exp(rng.normal(0, series.growth, len(anatomy.spines))) if session else np.ones(len(anatomy.spines))
        brightness = 1 + rng.uniform(-1, 1) * series.brightness_spread if session else 1.0
        # Diffuse light stays the same; only the noise is another one.
        scene = image_of(anatomy.moved(move, alive, growth[alive]), own, np.random.default_rng([seed, 1]),
                         np.random.default_rng([seed, 2, session]), seed=seed, brightness=brightness)
        scene = _with_tracks(scene, alive)
        truth = _truth(move(heads), alive, np.unique(scene.spine.values), session, own, parameters, below)
        yield SimulatedTimePoint(scene, session * series.interval_days, truth)


def _wide_anatomy(rng: np.random.Generator, parameters: SimulationParameters, series: TimeSeriesParameters,
                  margin: Float) -> Anatomy:
    """Anatomy that is larger than the stack, with enough spines for those that appear later."""
    wide = replace(parameters, planes=parameters.planes + 2 * math.ceil(margin[0] / parameters.z_um),
                   height_px=parameters.height_px + 2 * math.ceil(margin[1] / parameters.xy_um),
                   width_px=parameters.width_px + 2 * math.ceil(margin[2] / parameters.xy_um),
                   spine_density_per_um=min(5.0, parameters.spine_density_per_um
                                            * (1 + series.birth * (series.sessions - 1))))
    return draw_anatomy(rng, wide)


def _first_spines(rng: np.random.Generator, heads: Float, series: TimeSeriesParameters
                  ) -> tuple[np.ndarray, np.ndarray]:
    """Spines of the first time point, and those that can appear later: not where another one is or was."""
    order = rng.permutation(len(heads))
    first = round(len(heads) / (1 + series.birth * (series.sessions - 1)))
    place = {int(number): at for at, number in enumerate(order)}
    later = set(order[first:].tolist())
    for one, other in cKDTree(heads).query_pairs(APART_UM) if len(heads) else ():
        later.discard(max(one, other, key=lambda number: place[int(number)]))
    return np.sort(order[:first]), np.array([number for number in order[first:] if number in later], dtype=np.int64)


def _turnover(rng: np.random.Generator, alive: np.ndarray, unborn: np.ndarray, series: TimeSeriesParameters
              ) -> tuple[np.ndarray, np.ndarray]:
    """Spines that are there at the next time point, and those that are still to come."""
    born = min(int(rng.binomial(len(alive), series.birth)), len(unborn))
    staying = alive[rng.random(len(alive)) >= series.loss]
    return np.sort(np.concatenate([staying, unborn[:born]])), unborn[born:]


def _motion(rng: np.random.Generator, parameters: SimulationParameters, series: TimeSeriesParameters, margin: Float,
            size: Float, *, still: bool) -> tuple[Move, SimulationParameters, int]:
    """Where things are at a time point, the size of its stack, and how many planes are missing below it."""
    limits = np.array([series.drift_z_um, series.drift_um, series.drift_um])
    shift, angle = rng.uniform(-1, 1, 3) * limits, math.radians(rng.uniform(-1, 1) * series.turn_deg)
    warp = _warp(rng, size + 2 * margin, series.warp_um)
    below = series.cut_planes if rng.random() < 0.5 else 0
    if still:
        return lambda points: points - margin, parameters, 0
    centre = margin + size / 2
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    offset = shift - margin - np.array([below * parameters.z_um, 0, 0])

    def move(points: Float) -> Float:
        moved = points + warp(points) - centre
        moved[:, 1:] = moved[:, 1:] @ turn.T
        return np.asarray(moved + centre + offset)

    return move, replace(parameters, planes=parameters.planes - series.cut_planes), below


def _warp(rng: np.random.Generator, size: Float, warp_um: float) -> Move:
    """Smooth random displacements."""
    shape = np.ceil(size / WARP_GRID_UM).astype(int) + 1
    fields = []
    for _ in range(3):
        raw = gaussian_filter(rng.normal(0, 1, shape), WARP_SCALE_UM / WARP_GRID_UM / 2, mode="wrap")
        fields.append(raw / max(float(raw.std()), 1e-9) * warp_um)
    return lambda points: np.stack([map_coordinates(field, (points / WARP_GRID_UM).T, order=1, mode="nearest")
                                    for field in fields], axis=1)


def _with_tracks(scene: SimulatedScene, alive: np.ndarray) -> SimulatedScene:
    """The scene with numbers of tracks, from 1, as ids of its spines."""
    track = np.concatenate([[0], alive + 1]).astype(np.int32)
    spines = scene.spines.assign(id=track[scene.spines["id"].to_numpy(dtype=np.int64)])
    return replace(scene, spine=scene.spine.copy(data=track[scene.spine.values]), spines=spines)


def _truth(heads: Float, alive: np.ndarray, visible: np.ndarray, session: int, own: SimulationParameters,
           whole: SimulationParameters, below: int) -> pd.DataFrame:
    low = np.zeros(3)
    high = np.array([(own.planes - 1) * own.z_um, (own.height_px - 1) * own.xy_um, (own.width_px - 1) * own.xy_um])
    inside = ((heads >= low) & (heads <= high)).all(axis=1)
    more = low - np.array([below * own.z_um, 0, 0])
    rest = high + np.array([(whole.planes - own.planes - below) * own.z_um, 0, 0])
    imaginable = ((heads >= more) & (heads <= rest)).all(axis=1)
    return pd.DataFrame({"track": np.arange(1, len(heads) + 1), "session": session + 1,
                         "alive": np.isin(np.arange(len(heads)), alive),
                         "visible": np.isin(np.arange(1, len(heads) + 1), visible), "inside": inside,
                         "cut_off": imaginable & ~inside,
                         "z_um": heads[:, 0], "y_um": heads[:, 1], "x_um": heads[:, 2]})
