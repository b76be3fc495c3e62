"""A volume and the plane of it that is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepd3_ij.compat.keys import key_name

_STEPS = {"left": -1, "right": 1}


class PlaneView:
    """What the guide's image viewers show, as plain data.

    Parameters
    ----------
    image
        Volume ``(z, y, x)``, or None to set it later.

    Attributes
    ----------
    currentIndex
        Plane that is looked at, 0-based.
    """

    def __init__(self, image: np.ndarray | None = None) -> None:
        self.currentIndex = 0
        self.image: np.ndarray | None = None
        if image is not None:
            self.setImage(image)

    def setImage(self, image: np.ndarray) -> None:
        """Show another volume, from its first plane."""
        self.image, self.currentIndex = image, 0

    def setCurrentIndex(self, index: int) -> None:
        """Look at a plane; the nearest one there is."""
        planes = 0 if self.image is None else len(self.image)
        self.currentIndex = max(0, min(int(index), planes - 1))

    def plane(self) -> np.ndarray | None:
        """Pixels of the plane, ``(y, x)``."""
        return None if self.image is None else np.asarray(self.image[self.currentIndex])

    def keyPressEvent(self, a0: Any) -> None:
        """Go one plane back or on with the arrow keys."""
        self.setCurrentIndex(self.currentIndex + _STEPS.get(key_name(a0), 0))
