"""Where windows go.

Jython 2.7.
"""


def place_beside(dialog, window):
    """Right of a window, so that it does not cover what it is about; left of it where the screen ends."""
    width = dialog.getToolkit().getScreenSize().width
    x = window.getX() + window.getWidth() + 10
    if x + dialog.getWidth() > width:
        x = window.getX() - dialog.getWidth() - 10
    dialog.setLocation(x if x >= 0 else width - dialog.getWidth(), window.getY())


def keep_on_screen(dialog):
    """Move it, if it reaches beyond the screen."""
    screen = dialog.getToolkit().getScreenSize()
    x = max(0, min(dialog.getX(), screen.width - dialog.getWidth()))
    y = max(0, min(dialog.getY(), screen.height - dialog.getHeight()))
    if (x, y) != (dialog.getX(), dialog.getY()):  # a move to the same place confuses some window managers
        dialog.setLocation(x, y)
