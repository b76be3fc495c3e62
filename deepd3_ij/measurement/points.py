"""Positions of spines, detected or annotated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepd3_ij.errors import ParameterError, VoxelSizeError


@dataclass(frozen=True, eq=False)
class SpinePoints:
    """One position per spine.

    Attributes
    ----------
    ids
        Ids or row numbers of the spines, int64, shape ``(n,)``.
    zyx_px
        Positions in planes and pixels (0-based, fractions allowed), float64, shape ``(n, 3)``.
    z_um, xy_um
        Distance between planes and size of a pixel in µm.
    """

    ids: np.ndarray
    zyx_px: np.ndarray
    z_um: float
    xy_um: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", np.asarray(self.ids, dtype=np.int64))
        object.__setattr__(self, "zyx_px", np.asarray(self.zyx_px, dtype=np.float64).reshape(len(self.ids), 3))
        if not np.isfinite(self.zyx_px).all():
            raise ParameterError("Positions of spines hold values that are no finite numbers; remove those rows.")
        for name, size in (("z_um", self.z_um), ("xy_um", self.xy_um)):
            if not (np.isfinite(size) and size > 0):
                raise VoxelSizeError(f"{name} is {size}; a voxel size must be a positive number of µm.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def zyx_um(self) -> np.ndarray:
        """Positions in µm, float64, shape ``(n, 3)``."""
        return self.zyx_px * np.array([self.z_um, self.xy_um, self.xy_um])
