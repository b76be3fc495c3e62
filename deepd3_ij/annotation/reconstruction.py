"""From a traced centre line to the volume that it fills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.compiled import compiled
from deepd3_ij.errors import AnnotationError, VoxelSizeError
from deepd3_ij.notes import note
from deepd3_ij.progress import Progress, no_progress

UNITS = ("um", "px")
SEGMENTS_PER_STEP = 500
_LARGEST_COORDINATE = 1e9


def draw_tracing(
    tracing: Tracing,
    shape: Sequence[int],
    *,
    xy_um: float,
    z_um: float,
    units: str = "um",
    progress: Progress = no_progress,
) -> np.ndarray:
    """Draw a tracing as tapered tubes.

    Every segment is the union of all balls whose centre moves from one node to the next while the radius changes
    linearly (a cone with round ends). A voxel is set if its centre lies in a tube. So are voxels along the centre
    line, so that a tube thinner than a voxel, or of unknown radius (0), stays a connected line. What lies outside of
    the volume is cut off; a note tells if nodes lie there.

    Parameters
    ----------
    tracing
        Nodes; radii in µm.
    shape
        Size of the volume (z, y, x) in voxels.
    xy_um, z_um
        Size of a pixel and distance between planes in µm.
    units
        Unit of the nodes' positions: "um", or "px" for pixels and planes. Position 0 is the centre of voxel 0.
    progress
        Called after each few hundred segments.

    Returns
    -------
    numpy.ndarray
        Boolean, shape ``(z, y, x)``.

    Raises
    ------
    AnnotationError
        Unknown unit, coordinates that no microscope reaches, or a tracing that lies outside of the volume
        altogether (most often a wrong unit).
    VoxelSizeError
        A voxel size that is not positive.
    """
    if units not in UNITS:
        raise AnnotationError(f"units is {units!r}; accepted: {', '.join(UNITS)}.")
    for name, size in (("xy_um", xy_um), ("z_um", z_um)):
        if not (np.isfinite(size) and size > 0):
            raise VoxelSizeError(f"{name} is {size}; a voxel size must be a positive number of µm.")
    placed = tracing if units == "um" else tracing.pixels_to_um(xy_um=xy_um, z_um=z_um)
    volume = np.zeros(tuple(shape), dtype=np.bool_)
    voxel = np.array([z_um, xy_um, xy_um])
    nodes = placed.xyz[:, ::-1].copy()
    _check_range(placed, voxel)
    segments = placed.segments
    alone = np.setdiff1d(np.arange(len(placed)), segments)
    segments = np.concatenate([segments, np.stack([alone, alone], axis=1)])
    progress(0, len(segments), "Drawing the tracing")
    for first in range(0, len(segments), SEGMENTS_PER_STEP):
        _draw_segments(volume, nodes, placed.radius, segments[first:first + SEGMENTS_PER_STEP], voxel)
        progress(min(first + SEGMENTS_PER_STEP, len(segments)), len(segments), "Drawing the tracing")
        if volume.all():  # nothing can be added; many wide tubes would take for ever
            break
    if not volume.any():
        # Position 0 is the centre of voxel 0, so the volume begins half a voxel before it.
        low, high, begin, end = (", ".join(f"{value:.2f}" for value in place) for place in (
            placed.xyz.min(axis=0), placed.xyz.max(axis=0), -voxel[::-1] / 2,
            (np.array(volume.shape[::-1]) - 0.5) * voxel[::-1]))
        raise AnnotationError(f"The tracing lies outside of the volume: it spans x, y, z from ({low}) to ({high}) µm, "
                              f"the volume from ({begin}) to ({end}) µm. Check the voxel size and whether the units "
                              f"are {' or '.join(UNITS)}.")
    _tell_outside(placed, tracing, volume.shape, voxel)
    return volume


def _check_range(tracing: Tracing, voxel: np.ndarray) -> None:
    """Refuse what compiled code cannot count in, and what no microscope reaches."""
    for row, values in enumerate(np.column_stack([tracing.xyz / voxel[::-1], tracing.radius / voxel.min()])):
        if not (np.abs(values) <= _LARGEST_COORDINATE).all():
            x, y, z = tracing.xyz[row]
            raise AnnotationError(f"The tracing's node {tracing.ids[row]} lies at x, y, z = {x:g}, {y:g}, {z:g} µm "
                                  f"with radius {tracing.radius[row]:g} µm; accepted: at most "
                                  f"{_LARGEST_COORDINATE:g} voxels from the origin. Mend this node.")


def _tell_outside(placed: Tracing, tracing: Tracing, shape: tuple[int, ...], voxel: np.ndarray) -> None:
    """Say how much of a tracing is cut off; positions in pixels that are read as µm are the most frequent reason."""
    end = np.array(shape)[::-1]
    in_voxels = placed.xyz / voxel[::-1]
    # A node a little outside, such as on the border of the last pixel, is nothing to speak of.
    outside = ((in_voxels < -1) | (in_voxels > end)).any(axis=1)
    if not outside.any():
        return
    as_pixels = tracing is placed and ((tracing.xyz > -1) & (tracing.xyz < end)).all()
    guess = " As pixels and planes all would lie inside: are they pixels (units px)?" if as_pixels else ""
    low, high = (", ".join(f"{value:.1f}" for value in place)
                 for place in (placed.xyz.min(axis=0), placed.xyz.max(axis=0)))
    note(f"{np.count_nonzero(outside)} of the tracing's {len(placed)} nodes lie outside of the volume and are cut off: "
         f"it spans x, y, z from ({low}) to ({high}) µm, the volume ends at "
         f"({', '.join(f'{value:.1f}' for value in end * voxel[::-1])}) µm.{guess}")


@compiled
def _draw_segments(
    volume: np.ndarray, nodes: np.ndarray, radius: np.ndarray, segments: np.ndarray, voxel: np.ndarray
) -> None:
    low = np.empty(3, dtype=np.int64)
    high = np.empty(3, dtype=np.int64)
    for row in range(len(segments)):
        begin, end = segments[row, 0], segments[row, 1]
        a, b = nodes[begin], nodes[end]
        ra, rb = radius[begin], radius[end]
        for axis in range(3):
            # Limited as floats: beyond the range of whole numbers a conversion is undefined.
            first = min(max(np.ceil(min(a[axis] - ra, b[axis] - rb) / voxel[axis]), 0.0), float(volume.shape[axis]))
            last = min(max(np.floor(max(a[axis] + ra, b[axis] + rb) / voxel[axis]), -1.0), volume.shape[axis] - 1.0)
            low[axis], high[axis] = int(first), int(last)
        for z in range(low[0], high[0] + 1):
            for y in range(low[1], high[1] + 1):
                for x in range(low[2], high[2] + 1):
                    if not volume[z, y, x] and _inside(z * voxel[0], y * voxel[1], x * voxel[2], a, b, ra, rb):
                        volume[z, y, x] = True
        _draw_line(volume, a / voxel, b / voxel)


@compiled
def _inside(z: float, y: float, x: float, a: np.ndarray, b: np.ndarray, ra: float, rb: float) -> bool:
    """Whether a point lies in one of the balls between a and b.

    The distance to a ball's surface is convex in the ball's place t, so its minimum is where the derivative
    vanishes, or at an end.
    """
    dz, dy, dx = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    pz, py, px = z - a[0], y - a[1], x - a[2]
    length2 = dz * dz + dy * dy + dx * dx
    taper = rb - ra
    if taper * taper >= length2:  # one end holds all the others
        if taper > 0:
            pz, py, px = pz - dz, py - dy, px - dx
        return bool(pz * pz + py * py + px * px <= max(ra, rb) ** 2)
    length = np.sqrt(length2)
    along = (pz * dz + py * dy + px * dx) / length
    across = np.sqrt(max(pz * pz + py * py + px * px - along * along, 0.0))
    slope = taper / length
    t = (along + slope * across / np.sqrt(1.0 - slope * slope)) / length
    t = min(max(t, 0.0), 1.0)
    return bool((along - t * length) ** 2 + across * across <= (ra + t * taper) ** 2)


@compiled
def _draw_line(volume: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Set the voxels along a line between two points in voxel coordinates."""
    steps = 1 + int(np.ceil(2.0 * np.abs(b - a).max()))
    first, last = 0.0, float(steps)
    for axis in range(3):  # only the steps inside of the volume, and some around
        move = (b[axis] - a[axis]) / steps
        low, high = -1.0 - a[axis], volume.shape[axis] - a[axis]
        if move == 0.0:
            if low > 0.0 or high < 0.0:
                return
        else:
            first = max(first, np.floor(min(low / move, high / move)) - 1.0)
            last = min(last, np.ceil(max(low / move, high / move)) + 1.0)
    if first > last:
        return
    for step in range(int(first), int(last) + 1):
        place = a + (b - a) * (step / steps)
        z, y, x = int(np.floor(place[0] + 0.5)), int(np.floor(place[1] + 0.5)), int(np.floor(place[2] + 0.5))
        if 0 <= z < volume.shape[0] and 0 <= y < volume.shape[1] and 0 <= x < volume.shape[2]:
            volume[z, y, x] = True
