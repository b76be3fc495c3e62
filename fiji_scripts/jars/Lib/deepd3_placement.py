"""Where windows go.

Jython 2.7.
"""


def place_beside(dialog, *windows):
    """Right of windows, so that it does not cover what it is about; left of them where the screen ends."""
    width = dialog.getToolkit().getScreenSize().width
    x = max(window.getX() + window.getWidth() for window in windows) + 10
    if x + dialog.getWidth() > width:
        x = min(window.getX() for window in windows) - dialog.getWidth() - 10
    dialog.setLocation(x if x >= 0 else width - dialog.getWidth(), min(window.getY() for window in windows))


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
