"""Places for windows, so that none covers what a user works on."""

from __future__ import annotations

from typing import Any

_GAP_PX = 10


def place_beside(window: Any, other: Any) -> None:
    """Put a window right of another one, left of it where the screen ends, else into the lower left corner."""
    screen = window.getToolkit().getScreenSize()
    width, left = int(window.getWidth()), int(other.getX())
    right = left + int(other.getWidth())
    if right + _GAP_PX + width <= int(screen.width):
        window.setLocation(right + _GAP_PX, int(other.getY()))
    elif left - _GAP_PX - width >= 0:
        window.setLocation(left - _GAP_PX - width, int(other.getY()))
    else:
        window.setLocation(0, max(0, int(screen.height) - int(window.getHeight()) - 4 * _GAP_PX))
