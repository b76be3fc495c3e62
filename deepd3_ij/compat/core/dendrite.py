"""The guide's ``deepd3.core.dendrite``."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.compat.core.mask_files import write_mask
from deepd3_ij.compat.signals import Signal
from deepd3_ij.errors import AnnotationError, VoxelSizeError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.swc import read_swc
from deepd3_ij.stack import label_like
from deepd3_ij.stems import stem_of

if TYPE_CHECKING:
    import pandas as pd

_ISOTROPIC = (1, 1, 1)


class DendriteSWC:
    """Makes a stack of a traced dendrite.

    Parameters
    ----------
    spacing
        Pitch of x, y and z, x and y equal; the radii of the tracing are in its unit.

    Attributes
    ----------
    swc
        Nodes (:class:`pandas.DataFrame`): columns idx, kind, x, y, z, r, parent, labelled by their ids.
    stack
        uint8 0/255 in the shape of the reference stack.
    node
        Emits (segments done, segments).
    """

    node = Signal()

    def __init__(self, spacing: Sequence[float] = _ISOTROPIC) -> None:
        self.spacing = _checked_spacing(spacing)

    def open(self, swc_fn: str | PathLike[str], ref_fn: str | PathLike[str]) -> None:
        """Read the tracing and its stack.

        Any white space between columns and any ids are understood (the original needs single blanks and 1…N).

        Parameters
        ----------
        swc_fn
            SWC file; x, y in pixels and z in planes.
        ref_fn
            TIFF stack that was traced.
        """
        import pandas as pd

        self.swc_fn, self.ref_fn = swc_fn, ref_fn
        self.tracing = read_swc(swc_fn)
        self._reference = _open(ref_fn, self.spacing)
        self.stack = np.zeros(self._reference.shape, np.uint8)
        nodes = self.tracing
        self.swc: pd.DataFrame = pd.DataFrame(
            {"idx": nodes.ids, "kind": nodes.types, "x": nodes.xyz[:, 0], "y": nodes.xyz[:, 1], "z": nodes.xyz[:, 2],
             "r": nodes.radius, "parent": nodes.parents}, index=nodes.ids)

    def convert(self, target_fn: str | PathLike[str] | None = None) -> str:
        """Draw the tracing and write it, with a picture ``<target stem>_max.png`` of its maximum projection.

        Parameters
        ----------
        target_fn
            TIFF file; ``<stem of the stack>_dendrite.tif`` beside the stack if None.

        Returns
        -------
        str
            The file.
        """
        self._binarize_swc_w_spheres()
        target = Path(self.ref_fn).with_name(f"{stem_of(self.ref_fn)}_dendrite.tif") if target_fn is None else target_fn
        return write_mask(target, label_like(self.stack, self._reference))

    def _binarize_swc_w_spheres(self) -> None:
        """Draw all segments into ``stack``; see :func:`deepd3_ij.annotation.reconstruction.draw_tracing`.

        Nothing is rounded, the last node is drawn, and what lies outside of the stack is cut off (the original rounds
        positions and radii down, leaves out the last node, and draws some of the outside at the opposite border).
        """
        xy, _, z = self.spacing
        drawn = draw_tracing(self.tracing, self.stack.shape, xy_um=xy, z_um=z, units="px",
                             progress=lambda done, total, _: self.node.emit(done, total))
        self.stack = drawn.astype(np.uint8) * np.uint8(255)


def xyzr(swc: pd.DataFrame, i: int) -> tuple[tuple[int, int, int], int]:
    """Position and radius of a node in whole numbers, rounded down as in the original.

    Parameters
    ----------
    swc
        Nodes, as in :attr:`DendriteSWC.swc`.
    i
        Label of the row.

    Returns
    -------
    tuple
        ((y, x, z), r).
    """
    y, x, z, r = (int(swc[column].loc[i]) for column in ("y", "x", "z", "r"))
    return (y, x, z), r


def line_w_sphere(
    s: np.ndarray,
    p0: Sequence[float],
    p1: Sequence[float],
    r0: float,
    r1: float,
    color: int = 1,
    spacing: Sequence[float] = _ISOTROPIC,
) -> None:
    """Draw a line with round ends into a stack, whose radius changes evenly; what lies outside is cut off.

    Parameters
    ----------
    s
        Stack ``(z, y, x)``; changed in place.
    p0, p1
        Ends in pixels and planes, in the order of :func:`xyzr`: row, column, plane.
    r0, r1
        Radii at the ends, in the unit of `spacing`.
    color
        Value to draw.
    spacing
        Pitch of x, y and z, x and y equal.
    """
    xy, _, z = _checked_spacing(spacing)
    places = np.array([p0, p1], dtype=np.float64)[:, [1, 0, 2]]  # x, y, z
    reach = np.array([r0, r1])[:, None] / (xy, xy, z) + 1
    low = np.maximum(np.floor((places - reach).min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil((places + reach).max(axis=0)) + 1, s.shape[::-1]).astype(int)
    if (high <= low).any():
        return
    part = s[low[2]:high[2], low[1]:high[1], low[0]:high[0]]
    line = Tracing(ids=np.array([0, 1]), types=np.zeros(2, np.int64), xyz=places - low,
                   radius=np.array([r0, r1], dtype=np.float64), parents=np.array([ROOT, 0]))
    try:
        part[draw_tracing(line, part.shape, xy_um=xy, z_um=z, units="px")] = color
    except AnnotationError:  # it only touches the stack's surroundings
        return


def sphere(
    s: np.ndarray,
    p0: Sequence[float],
    d: float,
    spacing: Sequence[float] = _ISOTROPIC,
    color: int = 255,
    debug: bool = False,
) -> None:
    """Draw a ball into a stack; what lies outside is cut off (the original draws some at the opposite border).

    Parameters
    ----------
    s
        Stack ``(z, y, x)``; changed in place.
    p0
        Centre in pixels and planes: row, column, plane.
    d
        Diameter in the unit of `spacing`.
    spacing
        Pitch of x, y and z, x and y equal.
    color
        Value to draw.
    debug
        Print the radius in every plane.
    """
    xy, _, z = _checked_spacing(spacing)
    if debug:
        reach = int(d / 2 / z)
        for step in range(-reach, reach + 1):
            radius_px = np.sqrt((d / 2) ** 2 - (step * z) ** 2) / xy
            print(f"plane {p0[2] + step}: radius {radius_px:.2f} px")
    line_w_sphere(s, p0, p0, d / 2, d / 2, color, spacing)


def _checked_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    sizes = [float(size) for size in spacing]
    if len(sizes) != 3 or not all(0 < size < np.inf for size in sizes) or sizes[0] != sizes[1]:
        raise VoxelSizeError(f"spacing is {list(spacing)}; accepted: three positive numbers (x, y, z), x and y equal.")
    return sizes[0], sizes[1], sizes[2]


def _open(path: str | PathLike[str], spacing: tuple[float, float, float]) -> xr.DataArray:
    options: dict[str, Any] = {"lazy": True}
    try:
        return open_stack(path, **options)
    except VoxelSizeError:
        return open_stack(path, xy_um=spacing[0], z_um=spacing[2], **options)
