"""Curves and pictures that a window draws anew while they grow.

Jython 2.7. Needs windows.
"""

import math

from java.awt import BasicStroke, Color, Dimension, RenderingHints
from java.awt.geom import Ellipse2D, Path2D
from javax.swing import JComponent

_BACKGROUND = Color.WHITE
_AXIS = Color(60, 60, 60)
_GRID = Color(225, 225, 225)
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 42, 36
_DOT_PX = 5.0
_TICKS = 5


class Chart(JComponent):
    """Curves over common axes that begin at 0.

    title, unit: what stands above it and below its horizontal axis.
    highest: end of the vertical axis; None for that of the values.
    """

    def __init__(self, title, unit, highest=None, empty=u""):
        self._title = title
        self._unit = unit
        self._highest = highest
        self._empty = empty
        self._width = 1.0
        self.curves = []
        self.setPreferredSize(Dimension(370, 220))

    def show_curves(self, curves, width):
        """Draw curves, each a label, a colour and points (x, y), over an axis from 0 to a width."""
        self.curves = curves
        self._width = float(max(1, width))
        self.repaint()

    def paintComponent(self, graphics):  # noqa: N802 - Java's name
        pen = _pen(graphics)
        pen.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON)
        pen.setColor(_BACKGROUND)
        pen.fillRect(0, 0, self.getWidth(), self.getHeight())
        values = [y for _, _, points in self.curves for _, y in points]
        top = self._highest or _round_up(max(values + [1e-6]))
        self._axes(pen, top)
        if values:
            self._lines(pen, top)
            self._legend(pen)
        else:
            self._centred(pen, self._empty, (self.getHeight() + _TOP - _BOTTOM) // 2)
        pen.dispose()

    def _place(self, x, y, top):
        wide, high = self.getWidth() - _LEFT - _RIGHT, self.getHeight() - _TOP - _BOTTOM
        return _LEFT + wide * x / self._width, _TOP + high * (1.0 - y / top)

    def _axes(self, pen, top):
        letters = pen.getFontMetrics()
        for value in _ticks(top):
            y = int(self._place(0, value, top)[1])
            pen.setColor(_GRID)
            pen.drawLine(_LEFT, y, self.getWidth() - _RIGHT, y)
            pen.setColor(_AXIS)
            text = u"%g" % value
            pen.drawString(text, _LEFT - 6 - letters.stringWidth(text), y + 4)
        for value in _ticks(self._width):
            x = int(self._place(value, 0, top)[0])
            pen.setColor(_AXIS)
            pen.drawLine(x, self.getHeight() - _BOTTOM, x, self.getHeight() - _BOTTOM + 3)
            text = u"%g" % value
            pen.drawString(text, min(x - letters.stringWidth(text) // 2, self.getWidth() - letters.stringWidth(text)),
                           self.getHeight() - _BOTTOM + 15)
        pen.drawLine(_LEFT, _TOP, _LEFT, self.getHeight() - _BOTTOM)
        pen.drawLine(_LEFT, self.getHeight() - _BOTTOM, self.getWidth() - _RIGHT, self.getHeight() - _BOTTOM)
        self._centred(pen, self._title, 15)
        self._centred(pen, self._unit, self.getHeight() - 6)

    def _centred(self, pen, text, y):
        pen.setColor(_AXIS)
        middle = (_LEFT + self.getWidth() - _RIGHT) // 2
        pen.drawString(text, middle - pen.getFontMetrics().stringWidth(text) // 2, y)

    def _lines(self, pen, top):
        pen.setStroke(BasicStroke(1.6))
        for _, colour, points in self.curves:
            pen.setColor(colour)
            path = Path2D.Double()
            for number, (x, y) in enumerate(points):
                place = self._place(x, min(y, top), top)
                (path.lineTo if number else path.moveTo)(*place)
                pen.fill(Ellipse2D.Double(place[0] - _DOT_PX / 2, place[1] - _DOT_PX / 2, _DOT_PX, _DOT_PX))
            pen.draw(path)

    def _legend(self, pen):
        """Below the title, in one line."""
        letters = pen.getFontMetrics()
        widths = [letters.stringWidth(label) + 36 for label, _, _ in self.curves]
        x = max(4, (_LEFT + self.getWidth() - _RIGHT - sum(widths) + 15) // 2)
        for (label, colour, _), width in zip(self.curves, widths):
            pen.setColor(colour)
            pen.drawLine(x, 28, x + 16, 28)
            pen.setColor(_AXIS)
            pen.drawString(label, x + 21, 32)
            x += width


class Pictures(JComponent):
    """Pictures beside each other that are parts of one, each with a heading, as large as the component allows."""

    def __init__(self, headings, empty):
        self._headings = headings
        self._empty = empty
        self.picture = None
        self.setPreferredSize(Dimension(750, 262))

    def show_picture(self, picture):
        """Draw another picture (java.awt.Image)."""
        self.picture = picture
        self.repaint()

    def paintComponent(self, graphics):  # noqa: N802 - Java's name
        pen = _pen(graphics)
        pen.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR)
        pen.setColor(_AXIS)
        letters, count = pen.getFontMetrics(), len(self._headings)
        if self.picture is None:
            pen.drawString(self._empty, (self.getWidth() - letters.stringWidth(self._empty)) // 2,
                           self.getHeight() // 2)
            pen.dispose()
            return
        wide, high = self.picture.getWidth(None) // count, self.picture.getHeight(None)
        room = self.getWidth() // count - 6, self.getHeight() - 18
        times = min(room[0] / float(wide), room[1] / float(high))
        shown = int(wide * times), int(high * times)
        for number, heading in enumerate(self._headings):
            left = number * self.getWidth() // count + (self.getWidth() // count - shown[0]) // 2
            pen.drawString(heading, left, 12)
            pen.drawImage(self.picture, left, 18, left + shown[0], 18 + shown[1], number * wide, 0, (number + 1) * wide,
                          high, None)
        pen.dispose()


def _pen(graphics):
    """Graphics of our own for small text."""
    pen = graphics.create()
    pen.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON)
    pen.setFont(pen.getFont().deriveFont(11.0))
    return pen


def _round_up(value):
    """The next of 1, 1.5, 2, 3, 5, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return [power * step for step in (1, 1.5, 2, 3, 5, 8, 10) if power * step >= value * 0.9999][0]


def _ticks(top):
    """About five round values from 0 to the top."""
    rough = top / float(_TICKS)
    power = 10.0 ** math.floor(math.log10(rough))
    step = [power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.9999][0]
    return [number * step for number in range(int(top / step + 1e-6) + 1)]
