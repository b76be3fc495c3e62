"""Places for windows, so that none covers what a user works on."""

from __future__ import annotations

from typing import Any

_GAP_PX = 10
_TASK_BAR_PX = 40


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
        place_at_foot(window)


def place_at_foot(window: Any, *, right: bool = False) -> None:
    """Put a window into the lower left (or right) corner of the screen."""
    screen = window.getToolkit().getScreenSize()
    x = int(screen.width) - int(window.getWidth()) if right else 0
    window.setLocation(max(0, x), max(0, int(screen.height) - int(window.getHeight()) - _TASK_BAR_PX))
