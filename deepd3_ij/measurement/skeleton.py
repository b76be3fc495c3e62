"""Centre line of an elongated volume, and lengths along it.

The line is found as in TEASAR (Sato, Bitter, Bender, Kaufman & Nakajima, Pacific Graphics 2000): shortest paths
through the volume that are the dearer the nearer they run to its surface. Unlike thinning voxel by voxel, distances
count in µm from the start, so that far apart planes do no harm. The steps of a path of voxels zig-zag, which makes
their sum too long; so each branch is smoothed before it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.voxel_graph import VoxelGraph
from deepd3_ij.runs import Runs

# A path costs its length times (1 / distance to the surface) to this power: high enough not to cut corners.
CENTRING_POWER = 4
# Larger volumes are traced on a coarser grid.
MAX_VOXELS = 300_000
# Length of an end in which its radius is looked for.
THICKEST_END_UM = 2.0
# Distance between the points at which a branch is resampled for smoothing.
RESAMPLING_UM = 0.05
# A branch of more than a millimetre, or smoothing over more than 100 µm, comes of a wrong voxel size; it must not take
# minutes.
MOST_RESAMPLED = 20_000
WIDEST_SMOOTHING = 2_000
WIDEST_DIRECT_SMOOTHING = 400
# Standard deviation of the smoothing along a branch, in voxel sizes: enough to blur the steps between planes or pixels.
SMOOTHING_PLANES = 1.0
SMOOTHING_PIXELS = 5.0
_TOLERANCE_UM = 1e-6


@dataclass(frozen=True, eq=False)
class CentreLine:
    """Tree of points along the middle of a volume.

    Attributes
    ----------
    zyx_um
        Positions of the points relative to the centre of the volume's first voxel, float64, shape ``(n, 3)``.
    position_um
        Length along the tree from its start (one end of the longest path) to each point, float64, shape ``(n,)``.
    radius_um
        Distance from each point to the nearest voxel outside, float64, shape ``(n,)``.
    longest_path_um
        Length of the longest path.
    total_um
        Summed length of all branches.
    branches
        Number of branches; 1 for an unbranched volume.
    """

    zyx_um: np.ndarray
    position_um: np.ndarray
    radius_um: np.ndarray
    longest_path_um: float
    total_um: float
    branches: int

    @cached_property
    def branch_starts(self) -> np.ndarray:
        """First point of each branch, int64; branches follow each other in the arrays.

        Along a branch the position grows by the distance between neighbours; where it does not, a new branch starts,
        with a copy of the point that it springs from.
        """
        steps = np.linalg.norm(np.diff(self.zyx_um, axis=0), axis=1)
        jumps = np.flatnonzero(np.abs(np.diff(self.position_um) - steps) > _TOLERANCE_UM) + 1
        return np.concatenate([[0], jumps])

    @cached_property
    def branch_of_points(self) -> np.ndarray:
        """Number of the branch of each point, from 0, int64."""
        starts = self.branch_starts
        return np.repeat(np.arange(len(starts)), np.diff(starts, append=len(self.zyx_um)))

    @cached_property
    def parents(self) -> np.ndarray:
        """Index of each point's parent, int64; −1 for the first. The parent of a copy is the point that was copied."""
        parents = np.arange(len(self.zyx_um)) - 1
        for start in self.branch_starts[1:]:
            parents[start] = np.linalg.norm(self.zyx_um[:start] - self.zyx_um[start], axis=1).argmin()
        return parents

    @cached_property
    def tree(self) -> cKDTree:
        """Finds the points that are nearest to others."""
        return cKDTree(self.zyx_um)

    def near(self, node: int, reach_um: float) -> np.ndarray:
        """Points of a point's branch within a length along it."""
        away = np.abs(self.position_um - self.position_um[node]) <= reach_um
        return np.flatnonzero(away & (self.branch_of_points == self.branch_of_points[node]))

    def moved(self, offset_um: np.ndarray) -> CentreLine:
        """The same line in other coordinates."""
        return replace(self, zyx_um=self.zyx_um + offset_um)


def trace_centre_line(
    runs: Runs,
    voxel_um: tuple[float, float, float],
    min_branch_um: float,
    open_faces: np.ndarray | None = None,
) -> CentreLine:
    """Find the centre line of one connected volume.

    The line ends one radius before the surface, as the axis of a tube with round ends does; where the surface is the
    border of the image, it reaches the border, because there the dendrite goes on.

    Parameters
    ----------
    runs
        One piece, connected by faces, edges and corners, in its bounding box.
    voxel_um
        Voxel size z, y, x in µm.
    min_branch_um
        Side branches that stick out by less than this are no branches but bumps of the surface, and left out.
    open_faces
        Boolean, shape ``(3, 2)``: which faces (first and last, along z, y, x) of the box are borders of the image.

    Returns
    -------
    CentreLine
        Loops are opened at one place.
    """
    grid = _Grid.of(runs.filled(), voxel_um)
    paths = grid.paths(min_branch_um)
    sigma_um = np.array([max(SMOOTHING_PLANES * voxel_um[0], SMOOTHING_PIXELS * voxel_um[1]),
                         SMOOTHING_PIXELS * voxel_um[1], SMOOTHING_PIXELS * voxel_um[2]])
    faces = _face_positions(runs.shape, np.asarray(voxel_um), open_faces)
    joined: dict[int, tuple[np.ndarray, float]] = {}  # smoothed place and position of the voxels that have them
    points, positions, radii = [], [], []
    for index, path in enumerate(paths):
        line = np.column_stack([grid.height_um[path], grid.points_um[path, 1:]])
        first = 0.0
        if index:
            line[0], first = joined[int(path[0])]
        line = smooth_path(line, sigma_um)
        ends = _way_to_border(line, faces, sigma_um[0], float(grid.radius_um[path[-1]]))
        nodes = np.concatenate([line, ends])
        radius = grid.radius_um[np.concatenate([path, path[-1:].repeat(len(ends))])]
        if not index:
            start = _way_to_border(line[::-1], faces, sigma_um[0], float(grid.radius_um[path[0]]))
            nodes = np.concatenate([start, nodes])
            radius = np.concatenate([radius[:1].repeat(len(start)), radius])
        position = first + np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
        offset = len(nodes) - len(ends) - len(path)
        joined |= {int(voxel): (place, float(along)) for voxel, place, along in
                   zip(path, line, position[offset:offset + len(path)], strict=True)}
        points.append(nodes)
        positions.append(position)
        radii.append(radius)
    return CentreLine(zyx_um=np.concatenate(points), position_um=np.concatenate(positions),
                      radius_um=np.concatenate(radii), longest_path_um=float(positions[0][-1]),
                      total_um=float(sum(position[-1] - position[0] for position in positions)), branches=len(paths))


def smooth_path(points: np.ndarray, sigma_um: np.ndarray) -> np.ndarray:
    """Smooth a path with a Gaussian along its length; its two ends stay where they are.

    Parameters
    ----------
    points
        Positions in µm, float64, shape ``(n, 3)``.
    sigma_um
        Standard deviation of the Gaussian, in µm along the path, for the z, y and x of the positions.

    Returns
    -------
    numpy.ndarray
        Smoothed positions, same shape.
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    place = np.concatenate([[0.0], np.cumsum(steps)])
    if place[-1] <= 0 or len(points) < 3:
        return points
    count = min(int(np.ceil(place[-1] / RESAMPLING_UM)), MOST_RESAMPLED) + 1
    even = np.linspace(0.0, place[-1], max(3, count))
    sampled = np.stack([np.interp(even, place, column) for column in points.T], axis=1)
    # Extending the path by its point reflection at both ends keeps the ends in place.
    reach = len(even) - 1
    before, after = 2 * sampled[0] - sampled[:0:-1], 2 * sampled[-1] - sampled[-2::-1]
    extended = np.concatenate([before, sampled, after])
    spacing = even[1] - even[0]
    widths = np.minimum(sigma_um / spacing, WIDEST_SMOOTHING)
    filtered = [_blurred(column, float(width))[reach:reach + len(even)]
                for column, width in zip(extended.T, widths, strict=True)]
    return np.stack([np.interp(place, even, column) for column in filtered], axis=1)


def _blurred(column: np.ndarray, width: float) -> np.ndarray:
    """Gaussian average with a standard deviation in samples; a very wide one by Fourier transform."""
    if width <= WIDEST_DIRECT_SMOOTHING:
        return np.asarray(gaussian_filter1d(column, width, mode="nearest"))
    reach = int(4 * width + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return np.asarray(fftconvolve(np.pad(column, reach, mode="edge"), kernel / kernel.sum(), mode="valid"))


@dataclass(frozen=True, eq=False)
class _Grid:
    """Voxels of a volume, their distances to the surface, and the graph of neighbours.

    ``height_um`` is the middle of the voxels above and below each: the distance to the surface says nothing about the
    height in a volume that blur has made deeper than wide.

    ``reach_um`` is how far the surface may be from the line beside a voxel: microscopes blur along z, so that the
    height of the column of voxels counts where it is more than the distance to the nearest surface.
    """

    points_um: np.ndarray
    height_um: np.ndarray
    radius_um: np.ndarray
    reach_um: np.ndarray
    graph: VoxelGraph

    @classmethod
    def of(cls, runs: Runs, voxel_um: tuple[float, float, float]) -> _Grid:
        binning = 1
        while runs.lengths.sum() > MAX_VOXELS:
            runs = runs.halved()
            binning *= 2
        voxel = np.array(voxel_um) * (1, binning, binning)
        graph = VoxelGraph.of(runs, voxel)
        columns = graph.zyx[:, 1].astype(np.int64) * runs.shape[2] + graph.zyx[:, 2]
        column_um = np.bincount(columns)[columns] * voxel_um[0]
        radius_um = graph.depths_um()
        centre_of_bin = np.array((0, 1, 1)) * (binning - 1) / 2 * voxel_um
        return cls(points_um=graph.zyx * voxel + centre_of_bin, height_um=_middle_heights(graph.zyx) * voxel[0],
                   radius_um=radius_um, reach_um=np.maximum(radius_um, column_um), graph=graph)

    def paths(self, min_branch_um: float) -> list[np.ndarray]:
        """Rows of the voxels along each branch: the longest path, then branches, each from a voxel of an earlier one.

        Ends are one radius before the surface.
        """
        if len(self.points_um) < 2:
            return [np.array([0])]
        start = int(np.argmax(self.graph.shortest_paths(0)[0]))
        far = self.graph.shortest_paths(start)[0]
        parent = self.graph.shortest_paths(start, 1.0 / self.radius_um ** CENTRING_POWER)[1]
        paths: list[np.ndarray] = []
        joint = np.full(len(far), -1)  # where a branch through a voxel near earlier paths begins
        while (joint < 0).any():
            free = np.flatnonzero(joint < 0)
            tip = int(free[np.argmax(far[free])])
            path = [tip]
            while path[-1] != start and joint[path[-1]] < 0:
                path.append(int(parent[path[-1]]))
            if paths:
                path[-1] = int(joint[path[-1]])
            branch = self._trimmed(np.array(path)[::-1], both_ends=not paths)
            kept = not paths or (len(branch) > 1 and self._sticks_out_um(path[0], path[-1]) >= min_branch_um)
            if kept:
                paths.append(branch)
            line = branch if kept else np.array(path)
            # Nearest by the shape of the tube: a line may lie anywhere in the height of what is blurred along z.
            flat = (np.median(self.radius_um[line] / self.reach_um[line]), 1, 1)
            nearest = line[_nearest_points(self.points_um[free] * flat, self.points_um[line] * flat)]
            near = self._sticks_out_um(free, nearest) <= min_branch_um / 2
            joint[free[near]] = nearest[near] if kept else path[-1]
            for end in (tip, start):  # cut off by trimming, so possibly not near
                if joint[end] < 0:
                    joint[end] = branch[0] if kept else path[-1]
        return paths

    def _sticks_out_um(self, voxels: np.ndarray | int, line: np.ndarray | int) -> np.ndarray:
        """How far voxels lie outside of a line's tube, which is as wide as the radius and as high as the reach."""
        away = np.abs(self.points_um[voxels] - self.points_um[line])
        beside = np.hypot(away[..., 1], away[..., 2]) - self.radius_um[line]
        return np.asarray(np.maximum(beside, away[..., 0] - self.reach_um[line]))

    def _trimmed(self, path: np.ndarray, *, both_ends: bool) -> np.ndarray:
        """Path without the part at its end (or ends) that is nearer to the tip than one radius."""
        end = self._first_inside(path[::-1])
        begin = self._first_inside(path) if both_ends else 0
        if begin + end >= len(path):
            middle = (begin + len(path) - 1 - end) // 2
            return path[[min(max(middle, 0), len(path) - 1)]]
        return path[begin:len(path) - end]

    def _first_inside(self, path: np.ndarray) -> int:
        away = np.linalg.norm(self.points_um[path] - self.points_um[path[0]], axis=1)
        thickest = self.radius_um[path][away <= THICKEST_END_UM].max()
        inside = np.flatnonzero(away >= thickest - self.radius_um[path[0]] / 2)
        return int(inside[0]) if len(inside) else len(path) - 1


def _nearest_points(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Row of the point of a line that is nearest to each point."""
    axis = int(np.argmax(np.ptp(line, axis=0)))
    order = np.argsort(line[:, axis], kind="stable")
    return order[_nearest_sorted(points, line[order], axis)]


@compiled
def _nearest_sorted(points, line, axis):  # type: ignore[no-untyped-def]  # numba types
    """The same for a line that is sorted along an axis: from the place of the point outwards, as far as needed."""
    nearest = np.empty(len(points), np.int64)
    middles = np.searchsorted(line[:, axis], points[:, axis])
    for row in range(len(points)):
        best, chosen = np.inf, 0
        for way in (-1, 1):
            other = middles[row] - (way < 0)
            while 0 <= other < len(line) and (line[other, axis] - points[row, axis]) ** 2 < best:
                square = ((points[row, 0] - line[other, 0]) ** 2 + (points[row, 1] - line[other, 1]) ** 2
                          + (points[row, 2] - line[other, 2]) ** 2)
                if square < best:
                    best, chosen = square, other
                other += way
        nearest[row] = chosen
    return nearest


def _middle_heights(indices: np.ndarray) -> np.ndarray:
    """Middle of the run along z to which each voxel belongs, in planes."""
    order = np.lexsort((indices[:, 0], indices[:, 2], indices[:, 1]))
    z, y, x = indices[order].T
    begins = np.concatenate([[True], (np.diff(y) != 0) | (np.diff(x) != 0) | (np.diff(z) != 1)])
    run = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(z)) - 1
    middle = np.empty(len(z))
    middle[order] = ((z[first] + z[last]) / 2)[run]
    return middle


def _face_positions(shape: tuple[int, ...], voxel_um: np.ndarray, open_faces: np.ndarray | None) -> np.ndarray:
    """Coordinates in µm of the open faces, float64, shape ``(3, 2)``; NaN where a face is not open."""
    faces = np.stack([np.zeros(3), (np.array(shape) - 1) * voxel_um], axis=1)
    if open_faces is None:
        return np.full((3, 2), np.nan)
    return np.where(open_faces, faces, np.nan)


def _way_to_border(path: np.ndarray, faces: np.ndarray, reach_um: float, radius_um: float) -> np.ndarray:
    """Point where a path meets an open face if it ends near one, shape ``(0 or 1, 3)``."""
    away = np.linalg.norm(path - path[-1], axis=1)
    far = np.flatnonzero(away >= reach_um)
    direction = path[-1] - (path[far[-1]] if len(far) else path[0])
    length = np.linalg.norm(direction)
    if length == 0:
        return np.empty((0, 3))
    direction = direction / length
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (faces - path[-1][:, None]) / direction[:, None]
    # A face belongs to this end if the end was cut back from it: within the radius, seen along the face's normal.
    gap = np.abs(faces - path[-1][:, None])
    candidates = distance[(gap <= 2 * radius_um) & (distance > 0) & (distance <= 4 * radius_um)]
    return (path[-1] + candidates.min() * direction)[None] if len(candidates) else np.empty((0, 3))
