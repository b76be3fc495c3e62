"""Where a time point lies in the frame of another one: a rotation about z and a shift, from lines and spines.

The coarse place is the peak of the cross-correlation of the two scenes, drawn as densities of centre lines and of
spines on a grid of micrometres; the fine one is found by iterative closest points (Besl & McKay, IEEE TPAMI 14 (1992)
239–256) with Huber's weights. Lines fix what is across them, spines what is along them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from deepd3_ij.timelapse.lines import LinePoints
from deepd3_ij.timelapse.timepoint import TimePoint

Z_WEIGHT = 1 / 3
"""What a µm along z counts beside one in the plane: planes are far apart, and the blur is long."""
GRID_UM = (4.0, 1.5, 1.5)
BLUR_UM = (4.0, 1.5, 1.5)
LARGEST_Z_SHIFT_UM = 30.0
ANGLES_DEG = (0.0, 3.0, -3.0, 6.0, -6.0, 9.0, -9.0, 12.0, -12.0, 15.0, -15.0)
LARGEST_ANGLE_DEG = 20.0
GOOD_SHARE = 0.8
"""Share of the line that has to meet the other one for no further angle to be tried, ..."""
GOOD_SPINE_SHARE = 0.55
"""... and share of the spines."""
LINE_GATES_UM = (5.0, 4.0, 3.0, 2.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
SPINE_GATES_UM = (3.0, 3.0, 2.5, 2.0, 2.0, 1.5, 1.5, 1.5, 1.5, 1.5)
PARALLEL = math.cos(math.radians(30))
HUBER_UM = 0.7
NEAR_UM = 1.5
OTHER_PEAK_UM = 6.0
LEAST_COMMON_UM = 5.0


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """Rotation about z and shift, from µm of a time point to µm of the reference.

    Attributes
    ----------
    angle_rad
        From y towards x.
    centre_yx
        Point about which it turns, float64, shape ``(2,)``.
    shift_zyx
        Added afterwards, float64, shape ``(3,)``.
    """

    angle_rad: float
    centre_yx: np.ndarray
    shift_zyx: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """Homogeneous matrix of columns z, y, x, 1, float64, shape ``(4, 4)``."""
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        turn = np.array([[cos, -sin], [sin, cos]])
        matrix = np.eye(4)
        matrix[1:3, 1:3] = turn
        matrix[:3, 3] = self.shift_zyx
        matrix[1:3, 3] += self.centre_yx - turn @ self.centre_yx
        return matrix

    def __call__(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions, shape ``(n, 3)``."""
        return zyx_um @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        """Turn directions, shape ``(n, 3)``."""
        return vectors @ self.matrix[:3, :3].T

    def inverse(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions of the reference back, shape ``(n, 3)``."""
        return (zyx_um - self.matrix[:3, 3]) @ self.matrix[:3, :3]

    @classmethod
    def identity(cls) -> RigidTransform:
        """No motion."""
        return cls(0.0, np.zeros(2), np.zeros(3))


@dataclass(frozen=True)
class RegistrationQuality:
    """How well a time point lies on the reference; distances along z count a third.

    Attributes
    ----------
    line_share
        Share of the centre lines inside both fields that lie within 1.5 µm of the other one's: of the time point's or
        of the reference's, whichever is larger, as one may show less of a dendrite than the other. 0 if there is
        hardly a line inside both.
    common_um
        Length of the reference's centre lines inside both fields.
    line_rms_um
        Root mean square of the distance between lines that meet.
    common_spines
        Number of spines inside both fields, of the time point that has fewer.
    spine_share
        Share of them with a partner within 1.5 µm.
    peak_ratio
        Agreement at the place that was found over the best one elsewhere (at least 6 µm away); near 1, the place is one
        of many.
    """

    line_share: float
    common_um: float
    line_rms_um: float
    common_spines: int
    spine_share: float
    peak_ratio: float


@dataclass(frozen=True, eq=False)
class _Scene:
    """Lines and spines of a time point."""

    lines: LinePoints
    spines: np.ndarray
    box_um: np.ndarray

    @classmethod
    def of(cls, point: TimePoint) -> _Scene:
        return cls(point.lines, point.zyx_um, point.box_um)


class Registrar:
    """Lays time points on one reference.

    Parameters
    ----------
    reference
        The time point in whose frame everything is.
    points
        All time points that will be laid on it; their fields decide the size of the grid.
    """

    def __init__(self, reference: TimePoint, points: Sequence[TimePoint]) -> None:
        self._reference = reference
        self._correlation = _Correlation(_Scene.of(reference), [point.box_um for point in points])

    def __call__(self, moving: TimePoint) -> tuple[RigidTransform, RegistrationQuality]:
        """Find where a time point lies.

        Returns
        -------
        RigidTransform, RegistrationQuality
            The best place and how good it is; whether that is good enough is for the caller to say.
        """
        own, other = _Scene.of(moving), _Scene.of(self._reference)
        best: tuple[float, RigidTransform, RegistrationQuality] | None = None
        for angle in ANGLES_DEG:
            start, height, ratio = self._correlation.peak(own, math.radians(angle))
            transform = _refined(start, own, other)
            quality = agreement(transform, moving, self._reference, ratio)
            score = height * (0.25 + quality.line_share + quality.spine_share)
            if best is None or score > best[0]:
                best = score, transform, quality
            if best[2].line_share >= GOOD_SHARE and best[2].spine_share >= GOOD_SPINE_SHARE:
                break
        assert best is not None
        return best[1], best[2]


def agreement(transform: RigidTransform, moving: TimePoint, reference: TimePoint, peak_ratio: float
              ) -> RegistrationQuality:
    """How well a time point lies on the reference after a transform."""
    weight = np.array([Z_WEIGHT, 1.0, 1.0])
    shares, squares, common_um = [], [], 0.0
    for points, box, length, targets in (
            (transform(moving.lines.zyx_um), reference.box_um, moving.lines.length_um, reference.lines.zyx_um),
            (transform.inverse(reference.lines.zyx_um), moving.box_um, reference.lines.length_um,
             moving.lines.zyx_um)):
        inside = is_inside(points, box)
        common_um = float(length[inside].sum())
        if common_um < LEAST_COMMON_UM or not len(targets):
            return RegistrationQuality(0.0, common_um, math.nan, 0, 0.0, peak_ratio)
        distance, _ = cKDTree(targets * weight).query(points[inside] * weight)
        near = distance <= NEAR_UM
        shares.append(float(length[inside][near].sum() / common_um))
        squares += (distance[near] ** 2).tolist()
    spines = transform(moving.zyx_um)
    spines = spines[is_inside(spines, reference.box_um)]
    others = reference.zyx_um[is_inside(transform.inverse(reference.zyx_um), moving.box_um)]
    fewer = min(len(spines), len(others))
    met = len(_mutual(spines, others, NEAR_UM)[0])
    rms = math.sqrt(float(np.mean(squares))) if squares else math.nan
    return RegistrationQuality(max(shares), common_um, rms, fewer, met / fewer if fewer else 0.0, peak_ratio)


def is_inside(zyx_um: np.ndarray, box_um: np.ndarray, margin_um: float | np.ndarray = 0.0) -> np.ndarray:
    """Which positions lie in a box, at least `margin_um` from its sides."""
    return np.asarray(((zyx_um >= box_um[0] + margin_um) & (zyx_um <= box_um[1] - margin_um)).all(axis=1))


class _Correlation:
    """Cross-correlation of scenes with the reference: lines in the real part, spines in the imaginary one."""

    def __init__(self, reference: _Scene, boxes: Sequence[np.ndarray]) -> None:
        self._grid = np.array(GRID_UM)
        self._origin = reference.box_um[0]
        extent = np.ceil((reference.box_um[1] - reference.box_um[0]) / self._grid).astype(int) + 1
        # Others may be turned a little, so they need more room in the plane.
        size = np.max([box[1] - box[0] for box in boxes], axis=0)
        other = np.ceil(size * np.array([1.0, 1.2, 1.2]) / self._grid).astype(int) + 1
        self._shape = tuple(fft.next_fast_len(int(n)) for n in extent + other + 6)
        blur = np.array(BLUR_UM) / self._grid
        lines = np.minimum(_smooth(self._drawn(reference.lines.zyx_um, reference.lines.length_um), blur), 1.0)
        spines = np.minimum(_smooth(self._drawn(reference.spines, np.ones(len(reference.spines))), blur), 1.0)
        self._scale = np.array([_one_over(float(lines.sum())), _one_over(float(spines.sum()))])
        self._reference = np.conj(fft.fftn((lines + 1j * spines).astype(np.complex64)))
        self._lines_um, self._spines = reference.lines.total_um, len(reference.spines)

    def peak(self, scene: _Scene, angle_rad: float) -> tuple[RigidTransform, float, float]:
        """Place of the largest correlation after a turn, its height, and its ratio to the largest one elsewhere."""
        centre = scene.box_um.mean(axis=0)
        turned = RigidTransform(angle_rad, centre[1:], self._origin + (self._size_um() / 2) - centre)
        lines = self._drawn(turned(scene.lines.zyx_um), scene.lines.length_um, wrap=True)
        spines = self._drawn(turned(scene.spines), np.ones(len(scene.spines)), wrap=True)
        lines *= _one_over(min(self._lines_um, scene.lines.total_um))
        spines *= _one_over(min(self._spines, len(scene.spines)))
        moving = fft.fftn((lines + 1j * spines).astype(np.complex64))
        score = fft.ifftn(self._reference * moving).real
        lag = [fft.fftfreq(n, 1 / n) * step for n, step in zip(self._shape, self._grid, strict=True)]
        own_shift = turned.shift_zyx
        far = np.abs(own_shift[0] - lag[0]) > LARGEST_Z_SHIFT_UM
        score[far] = 0
        place = np.unravel_index(int(np.argmax(score)), score.shape)
        height = float(score[place])
        found = np.array([axis[at] for axis, at in zip(lag, place, strict=True)])
        near = [np.abs(axis - at) <= OTHER_PEAK_UM for axis, at in zip(lag, found, strict=True)]
        score[np.ix_(*near)] = 0
        rest = float(score.max())
        return (RigidTransform(angle_rad, centre[1:], own_shift - found), height,
                height / rest if rest > 0 else math.inf)

    def _size_um(self) -> np.ndarray:
        return np.array(self._shape) * self._grid * 0.5

    def _drawn(self, zyx_um: np.ndarray, weight: np.ndarray, *, wrap: bool = False) -> np.ndarray:
        """Points on the grid; those outside wrap around or are left out."""
        index = np.rint((zyx_um - self._origin) / self._grid).astype(int)
        volume = np.zeros(self._shape, dtype=np.float32)
        if wrap:
            index = np.mod(index, self._shape)
        else:
            inside = ((index >= 0) & (index < self._shape)).all(axis=1)
            index, weight = index[inside], weight[inside]
        np.add.at(volume, tuple(index.T), weight.astype(np.float32))
        return volume


def _one_over(value: float) -> float:
    return 1 / value if value > 0 else 0.0


def _smooth(volume: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Blur whose peak on a straight line or at a single point is about one."""
    blurred = gaussian_filter(volume, sigma, mode="constant")
    peak = float(np.percentile(blurred[blurred > 0], 99)) if (blurred > 0).any() else 0.0
    return blurred / peak if peak > 0 else blurred


def _refined(start: RigidTransform, own: _Scene, other: _Scene) -> RigidTransform:
    """Iterative closest points: lines across their direction, spines in all directions."""
    transform = start
    weight = np.array([Z_WEIGHT, 1.0, 1.0])
    if not len(own.lines) or not len(other.lines):
        return start
    tree = cKDTree(other.lines.zyx_um * weight)
    for line_gate, spine_gate in zip(LINE_GATES_UM, SPINE_GATES_UM, strict=True):
        moved = transform(own.lines.zyx_um)
        distance, row = tree.query(moved * weight)
        tangent = other.lines.tangent[row] * weight
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        turned = transform.turned(own.lines.tangent) * weight
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        kept = (distance <= line_gate) & (np.abs((tangent * turned).sum(axis=1)) >= PARALLEL)
        across = np.eye(3)[None] - tangent[kept][:, :, None] * tangent[kept][:, None, :]
        rows = [_equations(own.lines.zyx_um[kept], moved[kept], other.lines.zyx_um[row[kept]], transform, weight,
                           across, own.lines.length_um[kept])]
        spines = transform(own.spines)
        first, second = _mutual(spines, other.spines, spine_gate)
        whole = np.broadcast_to(np.eye(3), (len(first), 3, 3))
        rows.append(_equations(own.spines[first], spines[first], other.spines[second], transform, weight, whole,
                               np.ones(len(first))))
        left, right = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        # A little pull towards what is there keeps directions that nothing fixes.
        left = np.concatenate([left, np.diag([1.0, 0.1, 0.1, 0.1])])
        step = np.linalg.lstsq(left, np.concatenate([right, np.zeros(4)]), rcond=None)[0]
        transform = RigidTransform(transform.angle_rad + float(step[0]), transform.centre_yx,
                                   transform.shift_zyx + step[1:])
    return transform


def _equations(points: np.ndarray, moved: np.ndarray, targets: np.ndarray, transform: RigidTransform,
               weight: np.ndarray, across: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear equations for a small turn and shift, as ``(rows, 4)`` and ``(rows,)``, with Huber's weights."""
    if not len(points):
        return np.zeros((0, 4)), np.zeros(0)
    gap = np.einsum("nij,nj->ni", across, (targets - moved) * weight)
    size = np.linalg.norm(gap, axis=1)
    trust = np.sqrt(share * np.minimum(1.0, HUBER_UM / np.maximum(size, 1e-9)))
    arm = moved - transform.shift_zyx
    arm[:, 1:] -= transform.centre_yx
    turn = np.stack([np.zeros(len(arm)), -arm[:, 2], arm[:, 1]], axis=1)
    slopes = np.concatenate([turn[:, :, None], np.broadcast_to(np.eye(3), (len(arm), 3, 3))], axis=2)
    slopes = np.einsum("nij,njk->nik", across, slopes * weight[None, :, None])
    return (slopes * trust[:, None, None]).reshape(-1, 4), (gap * trust[:, None]).ravel()


def _mutual(first: np.ndarray, second: np.ndarray, gate_um: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of points that are each other's nearest, within a gate."""
    if not len(first) or not len(second):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    weight = np.array([Z_WEIGHT, 1.0, 1.0])
    there, back = cKDTree(second * weight), cKDTree(first * weight)
    distance, row = there.query(first * weight)
    own = np.arange(len(first))
    kept = (back.query(second * weight)[1][row] == own) & (distance <= gate_um)
    return own[kept], row[kept]


def is_registered(transform: RigidTransform, quality: RegistrationQuality) -> bool:
    """Whether lines and, if there are enough of them, spines meet well enough to be the same ones.

    A larger turn than those that are tried comes of lines of another field that meet where they are laid across.
    """
    return (abs(transform.angle_rad) <= math.radians(LARGEST_ANGLE_DEG) and quality.line_share >= 0.5
            and (quality.common_spines < 4 or quality.spine_share >= 0.4))
