"""Simulated microscope stacks of spiny dendrites with exact truth.

Everything that glows is a cloud of small balls of dye. Each ball is drawn with the
point-spread function at once (a Gaussian whose variance is the PSF's plus r²/5, the second
moment of a ball), so that any voxel size costs about the same and no fine grid is needed.
Sources of the distributions: docs/simulator.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import ndimage

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.optics import FWHM_PER_SIGMA, HALF_LIGHT
from deepd3_ij.measurement.orientation import azimuth_deg, side_of
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.scan_motion import draw_motion, move_lines
from deepd3_ij.stack import DIMS, label_like, label_stack

Float = npt.NDArray[np.float64]
Volume = npt.NDArray[np.float32]
Move = Callable[[Float], Float]

STEP_UM = 0.12
"""Spacing of the nodes of a dendrite or an axon."""
BEAM_REACH = 3.0
"""Defocus, in Rayleigh lengths, beyond which light is neglected."""
SEEN_SNR = 7.0
"""A spine counts as visible if an ideal observer who knows its place sees it with this signal-to-noise ratio."""
SPINE_CLASSES = ("mushroom", "thin", "stubby", "filopodium")
SPINE_SHARES = (0.36, 0.32, 0.25, 0.07)


@dataclass(frozen=True)
class SimulatedScene:
    """A simulated stack and all that is known about it.

    Attributes
    ----------
    stack
        Image, uint8 (8 bit) or uint16 (12 and 16 bit), dimensions ``(z, y, x)``.
    dendrite
        bool, same coordinates: the dendrites as wide as they are and as deep as they can be seen.
    spine
        int32, same coordinates: number of the spine at each voxel, 0 elsewhere.
    doubtful_dendrite, doubtful_spine
        bool: structures too dim to be called present or absent.
    tracing
        Nodes of all dendrites: columns ``id, type, x_um, y_um, z_um, radius_um, parent`` (−1: root).
    spines
        One row per spine: ``id, kind, z_um, y_um, x_um`` (middle of the head), ``base_*_um`` (on the axis of the
        shaft), ``surface_*_um`` (where the spine leaves the shaft), ``tip_*_um`` (end of the head, seen from there),
        ``neck_length_um, neck_diameter_um`` (NaN without neck), ``head_diameter_um, head_volume_um3`` (of the ball
        whose volume of dye the head holds), ``head_extent_um`` (diameter of the ball that is as wide in the plane as
        the head, by the second moment), ``dye_factor`` (concentration of dye relative to the shaft's),
        ``dendrite_radius_um`` (of the shaft there), ``azimuth_deg, side`` (as
        :mod:`deepd3_ij.measurement.orientation` defines them, along the tracing), ``peak`` (grey levels above its
        surroundings without noise) and ``visible`` (has voxels in `spine`).
    parameters, seed
        What it was made from.

    Notes
    -----
    If the tissue moves while it is scanned, stack and masks show it as it was at each line; the tracing and the table
    have where it is at rest.
    """

    stack: xr.DataArray
    dendrite: xr.DataArray
    spine: xr.DataArray
    doubtful_dendrite: xr.DataArray
    doubtful_spine: xr.DataArray
    tracing: pd.DataFrame
    spines: pd.DataFrame
    parameters: SimulationParameters
    seed: int

    @property
    def neurites(self) -> Tracing:
        """The same tracing as tracing programs have it; x, y, z and radius in µm."""
        nodes = self.tracing
        return Tracing(ids=nodes["id"].to_numpy(), types=nodes["type"].to_numpy(),
                       xyz=nodes[["x_um", "y_um", "z_um"]].to_numpy(), radius=nodes["radius_um"].to_numpy(),
                       parents=nodes["parent"].to_numpy())


@dataclass
class _Balls:
    """Balls of dye: centre (z, y, x) in µm, radius in µm, amount of dye in µm³."""

    centres: list[Float] = field(default_factory=list)
    radii: list[Float] = field(default_factory=list)
    amounts: list[Float] = field(default_factory=list)

    def add(self, centres: npt.ArrayLike, radii: npt.ArrayLike, amounts: npt.ArrayLike) -> None:
        points = np.atleast_2d(np.asarray(centres, dtype=np.float64))
        self.centres.append(points)
        self.radii.append(np.broadcast_to(np.asarray(radii, dtype=np.float64), len(points)))
        self.amounts.append(np.broadcast_to(np.asarray(amounts, dtype=np.float64), len(points)))

    def arrays(self) -> tuple[Float, Float, Float]:
        if not self.centres:
            return np.zeros((0, 3)), np.zeros(0), np.zeros(0)
        return np.concatenate(self.centres), np.concatenate(self.radii), np.concatenate(self.amounts)

    def moved(self, move: Move, growth: float = 1.0) -> _Balls:
        """The same balls elsewhere, with `growth` times the volume and the dye."""
        return _Balls([move(points) for points in self.centres], [radii * growth ** (1 / 3) for radii in self.radii],
                      [amounts * growth for amounts in self.amounts])


@dataclass
class _Neurite:
    """A line of nodes every STEP_UM µm."""

    nodes: Float
    radius: Float
    concentration: float
    parent: int = -1
    parent_node: int = -1


@dataclass
class _Spine:
    kind: str
    head: Float
    base: Float
    surface: Float
    tangent: Float
    neck_length_um: float
    neck_radius_um: float
    head_radius_um: float
    head_extent_um: float
    dye_factor: float
    dendrite_radius_um: float
    balls: _Balls

    @property
    def tip(self) -> Float:
        """End of the head that is farthest from the shaft's surface."""
        away = self.head - self.surface
        return np.asarray(self.head + self.head_radius_um * away / np.linalg.norm(away))

    def moved(self, move: Move, growth: float) -> _Spine:
        """The same spine elsewhere, with `growth` times the volume."""
        head, base, surface, ahead = move(np.stack([self.head, self.base, self.surface, self.base + self.tangent]))
        wider = growth ** (1 / 3)
        return replace(self, head=head, base=base, surface=surface,
                       tangent=(ahead - base) / np.linalg.norm(ahead - base),
                       neck_radius_um=self.neck_radius_um * wider, head_radius_um=self.head_radius_um * wider,
                       head_extent_um=self.head_extent_um * wider, balls=self.balls.moved(move, growth))


@dataclass
class Anatomy:
    """What there is to image: neurites, spines and other things that glow, in µm."""

    dendrites: list[_Neurite]
    spines: list[_Spine]
    axons: _Balls
    blobs: _Balls

    def moved(self, move: Move, spines: npt.NDArray[np.int64], growth: Float) -> Anatomy:
        """The same things elsewhere.

        Parameters
        ----------
        move
            Gives the new positions of positions z, y, x in µm, shape ``(n, 3)``.
        spines
            Numbers of the spines that are there, from 0.
        growth
            Volume of each of them, relative to now.
        """
        return Anatomy([replace(neurite, nodes=move(neurite.nodes)) for neurite in self.dendrites],
                       [self.spines[number].moved(move, float(factor))
                        for number, factor in zip(spines, growth, strict=True)],
                       self.axons.moved(move), self.blobs.moved(move))


@compiled
def _splat(volume, centres, radii, amounts, voxel, rayleigh, sigma_xy):  # type: ignore[no-untyped-def]  # numba types
    """Add balls, blurred by the PSF, to `volume` (float32, z y x); voxel = (z, y, x) in µm.

    The PSF is that of a focused Gaussian beam: a plane at distance d from the focus receives
    light in proportion to 1 / (1 + (d / rayleigh)²), spread by sigma_xy · sqrt(1 + (d / rayleigh)²).
    """
    planes, height, width = volume.shape
    wx = np.empty(width, np.float32)
    for i in range(len(radii)):
        extra = radii[i] * radii[i] / 5.0
        cz, cy, cx = centres[i, 0] / voxel[0], centres[i, 1] / voxel[1], centres[i, 2] / voxel[2]
        depth = BEAM_REACH * rayleigh / voxel[0]
        for z in range(max(0, math.ceil(cz - depth)), min(planes - 1, math.floor(cz + depth)) + 1):
            widening = 1.0 + ((z - cz) * voxel[0] / rayleigh) ** 2
            variance = (sigma_xy * sigma_xy * widening + extra) / (voxel[1] * voxel[1])
            reach = 3.2 * math.sqrt(variance)
            y0, y1 = max(0, math.ceil(cy - reach)), min(height - 1, math.floor(cy + reach))
            x0, x1 = max(0, math.ceil(cx - reach)), min(width - 1, math.floor(cx + reach))
            if y0 > y1 or x0 > x1:
                continue
            peak = amounts[i] / (widening * variance * voxel[1] * voxel[2])
            for x in range(x0, x1 + 1):
                wx[x] = math.exp(-0.5 * (x - cx) ** 2 / variance)
            for y in range(y0, y1 + 1):
                wy = np.float32(peak * math.exp(-0.5 * (y - cy) ** 2 / variance))
                for x in range(x0, x1 + 1):
                    volume[z, y, x] += wy * wx[x]


@compiled
def _paint_tubes(mask, nodes, radii, half_depth, margin, voxel):  # type: ignore[no-untyped-def]  # numba types
    """Mark voxels within `radius + margin` of a node in the plane and `radius + half_depth` along z."""
    planes, height, width = mask.shape
    for i in range(len(radii)):
        reach = radii[i] + margin
        depth = radii[i] + half_depth
        z0 = max(0, math.ceil((nodes[i, 0] - depth) / voxel[0]))
        z1 = min(planes - 1, math.floor((nodes[i, 0] + depth) / voxel[0]))
        y0 = max(0, math.ceil((nodes[i, 1] - reach) / voxel[1]))
        y1 = min(height - 1, math.floor((nodes[i, 1] + reach) / voxel[1]))
        for z in range(z0, z1 + 1):
            for y in range(y0, y1 + 1):
                dy = y * voxel[1] - nodes[i, 1]
                half = math.sqrt(max(0.0, reach * reach - dy * dy))
                x0 = max(0, math.ceil((nodes[i, 2] - half) / voxel[2]))
                x1 = min(width - 1, math.floor((nodes[i, 2] + half) / voxel[2]))
                for x in range(x0, x1 + 1):
                    mask[z, y, x] = True


def _walk(rng: np.random.Generator, start: Float, heading: float, extent: Float, margin_um: float,
          wobble: float, longest_um: float, slope: float) -> Float:
    """Follow a smooth random path from `start` until it has left the volume by `margin_um`."""
    steps = int(longest_um / STEP_UM)
    turn = 0.0
    turns = rng.normal(0, 1, steps)
    climbs = rng.normal(0, 1, steps)
    nodes = np.empty((steps, 3))
    position, climb = start.copy(), slope
    for i in range(steps):
        nodes[i] = position
        turn = 0.97 * turn + 0.03 * wobble * turns[i]
        heading += turn
        climb = np.clip(slope + 0.985 * (climb - slope) + 0.02 * climbs[i], -0.6, 0.6)
        flat = math.sqrt(1 - climb * climb)
        position = position + STEP_UM * np.array([climb, flat * math.sin(heading), flat * math.cos(heading)])
        lateral = position[1:]
        if (lateral < -margin_um).any() or (lateral > extent[1:] + margin_um).any() \
                or not -2 * margin_um < position[0] < extent[0] + 2 * margin_um:
            return nodes[:i + 1]
    return nodes


def _smooth_noise(rng: np.random.Generator, n: int, scale: float) -> Float:
    """Noise of unit variance that is smooth over `scale` samples."""
    raw = ndimage.gaussian_filter1d(rng.normal(0, 1, n + 8 * int(scale) + 8), scale)[:n]
    return raw * math.sqrt(2 * scale * math.sqrt(math.pi))


def _dendrites(rng: np.random.Generator, p: SimulationParameters, extent: Float) -> list[_Neurite]:
    """Draw dendrites that run through the volume, some with branches."""
    neurites: list[_Neurite] = []
    brightness = math.exp(rng.normal(0, 0.25))
    for _ in range(p.dendrites):
        start = rng.uniform((0.1, 0.15, 0.15), (0.9, 0.85, 0.85)) * extent
        heading = rng.uniform(0, 2 * math.pi)
        slope = float(np.clip(rng.normal(0, 0.1), -0.35, 0.35))
        ahead = _walk(rng, start, heading, extent, 2.0, 0.07, 200, slope)
        behind = _walk(rng, start, heading + math.pi, extent, 2.0, 0.07, 200, -slope)
        nodes = np.concatenate([behind[:0:-1], ahead])
        radius = float(np.clip(rng.lognormal(math.log(p.dendrite_radius_um), 0.32), 0.15, 0.9))
        concentration = brightness * math.exp(rng.normal(0, 0.45))
        neurites.append(_Neurite(nodes, _radii(rng, len(nodes), radius), concentration))
        if rng.random() < p.branching and len(nodes) > 60:
            at = int(rng.integers(20, len(nodes) - 20))
            direction = nodes[at + 1] - nodes[at]
            angle = math.atan2(direction[1], direction[2]) + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
            branch = _walk(rng, nodes[at], angle, extent, 2.0, 0.07, 200, rng.normal(0, 0.1))
            thin = max(0.15, radius * rng.uniform(0.55, 0.85))
            neurites.append(_Neurite(branch, _radii(rng, len(branch), thin), concentration,
                                     parent=len(neurites) - 1, parent_node=at))
    return neurites


def _radii(rng: np.random.Generator, n: int, radius: float) -> Float:
    """Radius along a dendrite: taper, slow variation and a few varicosities."""
    along = np.arange(n) * STEP_UM
    taper = 1 - np.clip(rng.normal(0.004, 0.003), 0, 0.01) * (along - along.mean())
    varicosity = 0.07 * _smooth_noise(rng, n, 3) + 0.09 * _smooth_noise(rng, n, 8) + 0.08 * _smooth_noise(rng, n, 40)
    radii = radius * taper * np.exp(varicosity)
    for _ in range(rng.poisson(n * STEP_UM * 0.03)):
        radii *= 1 + rng.uniform(0.2, 0.6) * np.exp(-0.5 * ((along - rng.uniform(0, along[-1])) / 0.4) ** 2)
    return np.clip(radii, 0.12, 1.3)


def _tube_balls(rng: np.random.Generator, neurite: _Neurite, resolution_um: float) -> _Balls:
    """Fill a tube with balls small enough not to show under the PSF."""
    balls = _Balls()
    nodes, radius = neurite.nodes, neurite.radius
    if len(nodes) < 2:
        return balls
    tangent = np.gradient(nodes, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.stack([np.zeros(len(nodes)), tangent[:, 2], -tangent[:, 1]], 1)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(tangent, side)
    rings = max(1, round(float(radius.max()) / resolution_um))
    amount = np.pi * radius ** 2 * STEP_UM * neurite.concentration
    for ring in range(rings):
        inner, outer = ring / rings, (ring + 1) / rings
        count = max(1, round(2 * math.pi * (ring + 0.5) / 1.4)) if rings > 1 else 1
        share = (outer ** 2 - inner ** 2) / count
        distance = 0.0 if rings == 1 else math.sqrt((inner ** 2 + outer ** 2) / 2)
        for k in range(count):
            angle = 2 * math.pi * (k + rng.random()) / count
            centre = nodes + (distance * radius)[:, None] * (math.cos(angle) * side + math.sin(angle) * up)
            ball = radius if rings == 1 else radius * 0.6 / rings
            balls.add(centre, ball, amount * share)
    return balls


def _spine_at(rng: np.random.Generator, node: Float, tangent: Float, radius: float, concentration: float,
              p: SimulationParameters) -> _Spine:
    """Draw one spine that leaves the shaft at `node`."""
    kind = SPINE_CLASSES[rng.choice(4, p=SPINE_SHARES)]
    side = np.array([0.0, tangent[2], -tangent[1]])
    side /= max(float(np.linalg.norm(side)), 1e-9)
    up = np.cross(tangent, side)
    azimuth = rng.uniform(-math.pi, math.pi) if rng.random() < 0.35 else rng.normal(0, 0.45)
    across = math.cos(azimuth) * side * rng.choice([-1, 1]) + math.sin(azimuth) * up
    lean = math.tan(float(np.clip(rng.normal(0, 0.35), -1, 1)))
    direction = across + lean * tangent
    direction /= np.linalg.norm(direction)
    head = float(np.clip(rng.lognormal(math.log(p.head_diameter_um / 2), 0.30), 0.12, 0.55))
    neck = float(np.clip(rng.lognormal(math.log(p.neck_length_um), 0.55), 0.15, 2.2))
    neck_radius = rng.uniform(0.05, 0.15)
    if kind == "mushroom":
        head = min(0.6, head * 1.12)
    elif kind == "thin":
        head *= 0.82
    elif kind == "stubby":
        neck, head = 0.0, float(np.clip(head, 0.18, 0.45))
    else:
        neck, head = float(np.clip(neck * 2.5, 1.0, 3.0)), rng.uniform(0.08, 0.16)
    dye_factor = math.exp(rng.normal(-0.3, p.spine_dye_spread))
    dye = concentration * dye_factor
    base = node + radius * direction
    balls = _Balls()
    bend = rng.normal(0, 0.18) * neck * (tangent + 0.5 * up)
    tip = base + neck * direction
    if neck > 0:
        along = np.linspace(0, 1, max(3, round(neck / 0.08)))[:, None]
        balls.add(base + along * (tip - base) + along ** 2 * bend, neck_radius,
                  dye * math.pi * neck_radius ** 2 * neck / len(along))
    centre = tip + bend + direction * head * (0.35 if kind == "stubby" else 0.8)
    lumps = rng.normal(0, 1, (5, 3)) * head * 0.32
    shares = rng.dirichlet(np.full(5, 6.0))
    lumps -= (shares[:, None] * lumps).sum(0)
    balls.add(centre + lumps, head * 0.85, dye * 4 / 3 * math.pi * head ** 3 * shares)
    variance = (shares[:, None] * lumps[:, 1:] ** 2).sum() / 2 + (head * 0.85) ** 2 / 5
    return _Spine(kind, centre, node, base, tangent, neck, neck_radius, head, 2 * math.sqrt(5 * variance), dye_factor,
                  radius, balls)


def _spines(
    rng: np.random.Generator, p: SimulationParameters, dendrites: list[_Neurite], extent: Float
) -> list[_Spine]:
    spines = []
    for neurite in dendrites:
        if len(neurite.nodes) < 3:
            continue
        density = p.spine_density_per_um * math.exp(rng.normal(0, 0.35))
        tangent = np.gradient(neurite.nodes, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        count = rng.poisson(density * len(neurite.nodes) * STEP_UM)
        for at in rng.integers(0, len(neurite.nodes), count):
            node = neurite.nodes[at]
            if (node < -1).any() or (node > extent + 1).any():
                continue
            spines.append(_spine_at(rng, node, tangent[at], float(neurite.radius[at]), neurite.concentration, p))
    return spines


def _axons(rng: np.random.Generator, count: int, extent: Float) -> _Balls:
    """Draw thin neurites with boutons; they are neither dendrite nor spine."""
    balls = _Balls()
    for _ in range(count):
        start = rng.uniform((-0.1, 0, 0), (1.1, 1, 1)) * extent
        nodes = _walk(rng, start, rng.uniform(0, 2 * math.pi), extent, 1.0, 0.35,
                      float(rng.choice([8, 15, 60])), rng.normal(0, 0.15))
        radius = rng.uniform(0.06, 0.15)
        dye = math.exp(rng.normal(-0.2, 0.6))
        weights = np.exp(0.5 * _smooth_noise(rng, len(nodes), 5))
        balls.add(nodes, radius, dye * math.pi * radius ** 2 * STEP_UM * weights)
        for at in rng.integers(0, len(nodes), 1 + rng.poisson(len(nodes) * STEP_UM * 0.2)):
            bouton = rng.uniform(0.18, 0.45)
            balls.add(nodes[at], bouton, dye * 4 / 3 * math.pi * bouton ** 3)
    return balls


def _blobs(rng: np.random.Generator, count: int, extent: Float, shafts: Float) -> _Balls:
    """Draw clusters of bright blobs that are no spines, away from the dendrites."""
    from scipy.spatial import cKDTree

    balls = _Balls()
    tree = cKDTree(shafts[:, 1:]) if len(shafts) else None
    for _ in range(count):
        centre = rng.uniform((-0.1, 0, 0), (1.1, 1, 1)) * extent
        spread = rng.uniform(0.3, 1.3)
        dye = math.exp(rng.normal(-0.5, 0.8))
        for _ in range(1 + rng.poisson(2.5)):
            at = centre + rng.normal(0, 1, 3) * spread
            if tree is not None and tree.query(at[1:])[0] < 1.5:
                continue
            size = float(np.clip(rng.lognormal(math.log(0.3), 0.4), 0.12, 0.9))
            balls.add(at, size, dye * 4 / 3 * math.pi * size ** 3 * math.exp(rng.normal(0, 0.4)))
    return balls


def _clouds(rng: np.random.Generator, count: int, extent: Float, shape: tuple[int, ...], voxel: Float) -> Volume:
    """Draw smooth patches of diffuse light (cell bodies and neuropil), 0…1, some with a dark core."""
    clouds = np.zeros(shape, np.float32)
    axes = [np.arange(n) * v for n, v in zip(shape, voxel, strict=True)]
    for _ in range(count):
        centre = rng.uniform((-0.3, 0, 0), (1.3, 1, 1)) * extent
        size = np.array([rng.uniform(1.5, 4), *rng.uniform(1.0, 4.5, 2)])
        gz, gy, gx = (np.exp(-0.5 * ((axis - c) / s) ** 2).astype(np.float32)
                      for axis, c, s in zip(axes, centre, size, strict=True))
        patch = gz[:, None, None] * gy[None, :, None] * gx[None, None, :]
        if rng.random() < 0.4:
            patch = patch * (1 - 0.95 * patch)
        clouds += patch * np.float32(rng.uniform(0.2, 1.0))
    return clouds


def _detect(rng: np.random.Generator, light: Volume, p: SimulationParameters) -> npt.NDArray[np.uint8 | np.uint16]:
    """Turn expected grey levels into what a photomultiplier and its digitiser give.

    Photons are Poisson, every photon gives a pulse of exponentially distributed height (mean
    `gain` grey levels), the pulse is smeared along the scan line, read noise is added, the
    offset shifts it and the range of the digitiser clips it.
    """
    photons = rng.poisson(light / np.float32(p.gain))
    signal = np.zeros(light.shape, np.float32)
    hit = photons > 0
    signal[hit] = rng.standard_gamma(photons[hit].astype(np.float32) / np.float32(p.pulse_spread),
                                     dtype=np.float32) * np.float32(p.gain * p.pulse_spread)
    if p.line_smear > 0:
        kernel = (1 - p.line_smear) * p.line_smear ** np.arange(6)
        kernel /= kernel.sum()
        signal = ndimage.correlate1d(signal, np.concatenate([kernel[::-1], np.zeros(5)]), axis=2, mode="nearest")
    if p.read_noise > 0:
        signal += rng.standard_normal(signal.shape, dtype=np.float32) * np.float32(p.read_noise)
    top = 2 ** p.bits - 1
    dtype = np.uint8 if p.bits == 8 else np.uint16
    return np.clip(np.rint(signal + np.float32(p.offset)), 0, top).astype(dtype)


def simulate(parameters: SimulationParameters = SimulationParameters(), seed: int = 0) -> SimulatedScene:
    """Make a stack of spiny dendrites as a microscope would show it, with its truth.

    Parameters
    ----------
    parameters
        Size, voxel size, microscope, amount and shape of structures.
    seed
        The same seed and parameters give the same scene, bit for bit, on one version of numpy.

    Returns
    -------
    SimulatedScene
        Stack, masks, tracing and spine table.
    """
    rng = np.random.default_rng(seed)
    return image_of(draw_anatomy(rng, parameters), parameters, rng, seed=seed)


def draw_anatomy(rng: np.random.Generator, p: SimulationParameters) -> Anatomy:
    """Draw what there is to image."""
    extent = _extent_um(p)
    dendrites = _dendrites(rng, p, extent)
    spines = _spines(rng, p, dendrites, extent)
    shafts = np.concatenate([n.nodes for n in dendrites]) if dendrites else np.zeros((0, 3))
    axons = _axons(rng, p.axons, extent)
    return Anatomy(dendrites, spines, axons, _blobs(rng, p.blob_clusters, extent, shafts))


def _extent_um(p: SimulationParameters) -> Float:
    return np.array([p.planes * p.z_um, p.height_px * p.xy_um, p.width_px * p.xy_um])


def image_of(
    anatomy: Anatomy, p: SimulationParameters, rng: np.random.Generator, noise: np.random.Generator | None = None, *,
    seed: int, brightness: float = 1.0,
) -> SimulatedScene:
    """Image an anatomy.

    Parameters
    ----------
    anatomy
        What there is.
    p
        The microscope, and how much light there is around.
    rng, noise
        For diffuse light and for the noise; the same one if `noise` is None.
    seed
        What it was made from.
    brightness
        Factor for all light.
    """
    shape = (p.planes, p.height_px, p.width_px)
    voxel = np.array([p.z_um, p.xy_um, p.xy_um])
    extent = _extent_um(p)
    sigma_xy, rayleigh = p.psf_xy_um / FWHM_PER_SIGMA, p.psf_z_um / 2 / HALF_LIGHT
    dendrites, spines = anatomy.dendrites, anatomy.spines

    # One grey level scale: a head of the median size and unit concentration peaks at `head_peak`.
    head = p.head_diameter_um / 2
    scale = p.head_peak * (sigma_xy ** 2 + head ** 2 / 5) / (4 / 3 * math.pi * head ** 3)

    def lit(balls: _Balls, volume: Volume | None = None) -> Volume:
        out = np.zeros(shape, np.float32) if volume is None else volume
        centres, radii, amounts = balls.arrays()
        _splat(out, centres, radii, amounts * scale, voxel, rayleigh, sigma_xy)
        return out

    shaft_light = np.zeros(shape, np.float32)
    for neurite in dendrites:
        lit(_tube_balls(rng, neurite, max(0.16, 0.8 * sigma_xy)), shaft_light)
    label, doubtful, spine_light, peaks = _label_spines(spines, shaft_light, voxel, rayleigh, sigma_xy, scale, p)
    light = shaft_light + spine_light
    lit(anatomy.axons, light)
    lit(anatomy.blobs, light)
    light += _clouds(rng, p.clouds, extent, shape, voxel) * np.float32(p.cloud_peak)
    light += _halo(light, voxel, p.halo)
    light *= np.exp(0.12 * ndimage.zoom(rng.normal(0, 1, (4, 4, 4)), np.array(shape) / 4, order=1)).astype(np.float32)
    light += np.float32(p.background)
    light *= np.float32(brightness)
    bright, dim = _label_dendrites(dendrites, shaft_light, voxel, p)
    detected = rng if noise is None else noise
    if p.plane_shift_um or p.line_shift_um:
        motion = draw_motion(detected, p.planes, p.height_px, p.plane_shift_um / p.xy_um, p.line_shift_um / p.xy_um)
        light = move_lines(light, motion)
        label, doubtful, bright, dim = (move_lines(mask, motion, nearest=True)
                                        for mask in (label, doubtful, bright, dim))
    image = _detect(detected, light, p)
    stack = label_stack(image, xy_um=p.xy_um, z_um=p.z_um, source=f"simulation, seed {seed}")
    return SimulatedScene(
        stack=stack,
        dendrite=label_like(bright, stack),
        spine=label_like(label, stack),
        doubtful_dendrite=label_like(dim, stack),
        doubtful_spine=label_like(doubtful, stack),
        tracing=_trace(dendrites, extent),
        spines=_spine_table(spines, peaks, label, extent),
        parameters=p,
        seed=seed,
    )


def _halo(light: Volume, voxel: Float, strength: float) -> Volume:
    """Scattered light around bright structures: a wide, weak second PSF."""
    if strength <= 0:
        return np.zeros_like(light)
    coarse = light[:, ::4, ::4]
    blurred = ndimage.gaussian_filter(coarse, (0.8 / voxel[0], 1.2 / voxel[1] / 4, 1.2 / voxel[2] / 4))
    factors = (1, light.shape[1] / coarse.shape[1], light.shape[2] / coarse.shape[2])
    return np.float32(strength) * ndimage.zoom(blurred, factors, order=1)


def _label_spines(
    spines: list[_Spine], shaft_light: Volume, voxel: Float, rayleigh: float, sigma_xy: float, scale: float,
    p: SimulationParameters,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_], Volume, Float]:
    """Draw the spines one by one and mark where each can be seen."""
    shape = shaft_light.shape
    label = np.zeros(shape, np.int32)
    doubtful = np.zeros(shape, bool)
    light = np.zeros(shape, np.float32)
    strongest = np.zeros(shape, np.float32)
    peaks = np.zeros(len(spines))
    for number, spine in enumerate(spines, 1):
        centres, radii, amounts = spine.balls.arrays()
        blur = 3.3 * math.sqrt(sigma_xy ** 2 * (1 + BEAM_REACH ** 2) + spine.head_radius_um ** 2 / 5)
        reach = np.array([BEAM_REACH * rayleigh, blur, blur])
        low = np.clip(np.floor((centres.min(0) - reach) / voxel).astype(int), 0, shape)
        high = np.clip(np.ceil((centres.max(0) + reach) / voxel).astype(int) + 1, 0, shape)
        if (low >= high).any():
            continue
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        own = np.zeros(tuple(high - low), np.float32)
        _splat(own, centres - low * voxel, radii, amounts * scale, voxel, rayleigh, sigma_xy)
        light[box] += own
        peak = float(own.max())
        peaks[number - 1] = peak
        if peak < 0.06 * p.head_peak:
            continue
        seen = (own > 0.42 * peak) & (own > 0.8 * shaft_light[box])
        noise = (p.background + shaft_light[box] + own) * p.gain * (1 + p.pulse_spread) + p.read_noise ** 2
        if peak < 0.22 * p.head_peak or float((own * own / noise).sum()) < SEEN_SNR ** 2:
            doubtful[box] |= seen
            continue
        seen &= own > strongest[box]
        label[box][seen] = number
        strongest[box][seen] = own[seen]
    doubtful &= label == 0
    return label, doubtful, light, peaks


def _label_dendrites(
    dendrites: list[_Neurite], shaft_light: Volume, voxel: Float, p: SimulationParameters
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Mark dendrites that can be seen, and those too dim to tell."""
    tube = np.zeros(shaft_light.shape, bool)
    for neurite in dendrites:
        _paint_tubes(tube, neurite.nodes, neurite.radius, 0.55 * p.psf_z_um, 0.14, voxel)
    reach = max(1, round(0.4 / voxel[1]))
    local = ndimage.maximum_filter(shaft_light, (1, 2 * reach + 1, 2 * reach + 1))
    bright = tube & (local > 0.22 * p.head_peak)
    dim = tube & ~bright & (local > 0.05 * p.head_peak)
    return bright, dim


def _trace(dendrites: list[_Neurite], extent: Float) -> pd.DataFrame:
    """Nodes of all dendrites inside the volume as an SWC-like table."""
    rows: list[tuple[int, int, float, float, float, float, int]] = []
    numbers: dict[tuple[int, int], int] = {}
    for which, neurite in enumerate(dendrites):
        parent = numbers.get((neurite.parent, neurite.parent_node), -1) if neurite.parent >= 0 else -1
        for at in range(0, len(neurite.nodes), 1):
            z, y, x = neurite.nodes[at]
            if not ((neurite.nodes[at] >= 0).all() and (neurite.nodes[at] <= extent).all()):
                parent = -1
                continue
            number = len(rows) + 1
            numbers[which, at] = number
            rows.append((number, 3, x, y, z, float(neurite.radius[at]), parent))
            parent = number
    return pd.DataFrame(rows, columns=["id", "type", "x_um", "y_um", "z_um", "radius_um", "parent"])


def _spine_table(spines: list[_Spine], peaks: Float, label: npt.NDArray[np.int32], extent: Float) -> pd.DataFrame:
    counts = np.bincount(label.ravel(), minlength=len(spines) + 1)
    inside = [(number, s) for number, s in enumerate(spines, 1) if (s.head >= 0).all() and (s.head < extent).all()]
    columns: dict[str, npt.NDArray[Any] | list[Any]] = {
        "id": np.array([number for number, _ in inside], dtype=np.int64), "kind": [s.kind for _, s in inside]}
    for name, points in (("", [s.head for _, s in inside]), ("base_", [s.base for _, s in inside]),
                         ("surface_", [s.surface for _, s in inside]), ("tip_", [s.tip for _, s in inside])):
        columns |= dict(zip((f"{name}{dim}_um" for dim in DIMS), np.reshape(points, (-1, 3)).T, strict=True))
    away = np.reshape([s.head - s.surface for _, s in inside], (-1, 3))
    azimuth = azimuth_deg(away, np.reshape([s.tangent for _, s in inside], (-1, 3)))
    columns |= {
        "neck_length_um": [s.neck_length_um for _, s in inside],
        "neck_diameter_um": [2 * s.neck_radius_um if s.neck_length_um else math.nan for _, s in inside],
        "head_diameter_um": [2 * s.head_radius_um for _, s in inside],
        "head_volume_um3": [4 / 3 * math.pi * s.head_radius_um ** 3 for _, s in inside],
        "head_extent_um": [s.head_extent_um for _, s in inside],
        "dye_factor": [s.dye_factor for _, s in inside],
        "dendrite_radius_um": [s.dendrite_radius_um for _, s in inside],
        "azimuth_deg": azimuth, "side": side_of(azimuth),
        "peak": [peaks[number - 1] for number, _ in inside],
        "visible": np.array([counts[number] > 0 for number, _ in inside], dtype=np.bool_),
    }
    return pd.DataFrame(columns)
