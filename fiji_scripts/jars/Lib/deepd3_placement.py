"""Where windows go.

Jython 2.7.
"""

from ij.gui import ImageWindow
from java.awt import Frame, Rectangle

PANEL = "deepd3.panel"
_STEP_PX = 40
_IN_THE_WAY = 20  # how much worse it is to cover an image or the spine panel than anything else


def place_beside(dialog, *windows):
    """Right of windows, so that it does not cover what it is about; else left of them, else where it covers least."""
    width = dialog.getToolkit().getScreenSize().width
    x = max(window.getX() + window.getWidth() for window in windows) + 10
    if x + dialog.getWidth() > width:
        x = min(window.getX() for window in windows) - dialog.getWidth() - 10
    if x >= 0:
        dialog.setLocation(x, min(window.getY() for window in windows))
    else:
        place_where_free(dialog, (dialog.getWidth(), dialog.getHeight()))


def place_clear_of(window, other):
    """Move a window that lies on another one: right of it, else below it, where the screen allows."""
    if not window.getBounds().intersects(other.getBounds()):
        return
    screen = window.getToolkit().getScreenSize()
    right, below = other.getX() + other.getWidth() + 10, other.getY() + other.getHeight() + 10
    if right + window.getWidth() <= screen.width:
        window.setLocation(right, other.getY())
    elif below + window.getHeight() <= screen.height:
        window.setLocation(other.getX(), below)


def place_where_free(window, size):
    """Give a window a size and a place where it covers least; images and the spine panel are covered last."""
    screen = window.getToolkit().getScreenSize()
    window.setSize(min(size[0], screen.width), min(size[1], screen.height))
    others = [(each.getBounds(), _IN_THE_WAY if isinstance(each, ImageWindow) or each.getName() == PANEL else 1)
              for each in Frame.getFrames() if each.isShowing() and each is not window]
    best = None
    for y in range(0, max(1, screen.height - window.getHeight()), _STEP_PX)[::-1]:
        for x in range(0, max(1, screen.width - window.getWidth()), _STEP_PX):
            here = Rectangle(x, y, window.getWidth(), window.getHeight())
            covered = sum(weight * _area(here.intersection(bounds)) for bounds, weight in others
                          if here.intersects(bounds))
            if best is None or covered < best[0]:
                best = covered, x, y
    window.setLocation(*best[1:])


def _area(rectangle):
    return rectangle.width * rectangle.height


def place_in_corner(window):
    """In the lower right corner of the screen, where it covers least."""
    screen = window.getToolkit().getScreenSize()
    window.setLocation(max(0, screen.width - window.getWidth() - 10), max(0, screen.height - window.getHeight() - 50))


def keep_on_screen(dialog):
    """Move it, if it reaches beyond the screen."""
    screen = dialog.getToolkit().getScreenSize()
    x = max(0, min(dialog.getX(), screen.width - dialog.getWidth()))
    y = max(0, min(dialog.getY(), screen.height - dialog.getHeight()))
    if (x, y) != (dialog.getX(), dialog.getY()):  # a move to the same place confuses some window managers
        dialog.setLocation(x, y)
