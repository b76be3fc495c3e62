"""What an ImageJ image says about its size in space, and the coordinates that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from deepd3_ij.errors import VoxelSizeError
from deepd3_ij.files.calibration import unit_in_um
from deepd3_ij.stack import DIMS, label_stack


@dataclass(frozen=True)
class ImageDescription:
    """Title and calibration of an ImageJ image, without its pixels.

    Attributes
    ----------
    title
        Its title.
    pixel_size
        Width, height and depth of a voxel, in `units`.
    units
        Units of the three, as ImageJ names them.
    origin_px
        ImageJ's origin (z, y, x) in voxels.
    signed
        True if ImageJ shows its 16-bit pixels as signed numbers.
    source, voxel_size_um
        Properties that this package gave the image: file name and exact voxel size (``"z y x"``).
    """

    title: str
    pixel_size: tuple[float, float, float]
    units: tuple[str, str, str]
    origin_px: tuple[float, float, float] = (0.0, 0.0, 0.0)
    signed: bool = False
    source: str | None = None
    voxel_size_um: str | None = None

    remedy: ClassVar[str] = "set it with Image ▸ Properties…, or give xy_um and z_um."

    def size_um(self, xy_um: float | None = None, z_um: float | None = None) -> tuple[float, float]:
        """Distance between planes and size of a pixel, in µm.

        Parameters
        ----------
        xy_um, z_um
            Sizes that override the image's.

        Raises
        ------
        VoxelSizeError
            The image has no voxel size in a unit of length and none is given, or its pixels are no squares.
        """
        own = [_in_um(size, unit) for size, unit in zip(self.pixel_size, self.units, strict=True)]
        if xy_um is None:
            xy_um = self._known(own[0], 0, "pixel size")
            y_um = self._known(own[1], 1, "pixel size")
            if abs(xy_um - y_um) > 1e-6 * xy_um:
                raise VoxelSizeError(f"Pixels of {self.title!r} are {xy_um:g} × {y_um:g} µm; accepted: square pixels. "
                                     f"Scale the image, or {self.remedy}")
        if z_um is None:
            z_um = self._known(own[2], 2, "distance between planes")
        if self.voxel_size_um:
            # ImageJ's TIFF rounds to a millionth of a pixel per unit; the property holds the exact size.
            exact_z, _, exact_xy = (float(number) for number in self.voxel_size_um.split())
            if np.allclose((exact_z, exact_xy), (z_um, xy_um), rtol=1e-5, atol=0):
                return exact_z, exact_xy
        return z_um, xy_um

    def labelled(self, pixels: Any, xy_um: float | None = None, z_um: float | None = None) -> xr.DataArray:
        """Pixels ``(z, y, x)`` with coordinates in µm; raises as :meth:`size_um`."""
        z_um, xy_um = self.size_um(xy_um, z_um)
        stack = label_stack(pixels, xy_um=xy_um, z_um=z_um, source=self.source or self.title)
        shifts = zip(DIMS, self.origin_px, (z_um, xy_um, xy_um), strict=True)
        return stack.assign_coords({dim: stack.coords[dim] - origin * size for dim, origin, size in shifts if origin})

    def _known(self, length_um: float | None, axis: int, what: str) -> float:
        if length_um is None:
            raise VoxelSizeError(f"{self.title!r} has no {what} in a unit of length (its unit is "
                                 f"{self.units[axis]!r}); {self.remedy}")
        return length_um


def _in_um(size: float, unit: str) -> float | None:
    factor = unit_in_um(unit)
    return None if factor is None or not size > 0 else float(f"{float(size) * factor:.15g}")
