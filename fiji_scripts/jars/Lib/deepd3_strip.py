"""One followed spine at all time points, beside each other.

Jython 2.7.
"""

from ij import ImagePlus
from ij.process import ColorProcessor
from java.awt import Color, Font

_SIDE_UM = 4.0
_CELL_PX = 160
_EDGE_PX = 4
_TEXT_PX = 18


def strip(image, marks, track, points, colours, states):
    """A picture: a crop of the registered image for each time point, in a frame of its state's colour.

    points: name and time of each; colours: of the states; states: of the track at each time point.
    """
    cell = _CELL_PX + 2 * _EDGE_PX
    canvas = ColorProcessor(cell * len(points), cell + _TEXT_PX)
    canvas.setColor(Color.BLACK)
    canvas.fill()
    canvas.setFont(Font(Font.SANS_SERIF, Font.PLAIN, 12))
    side = max(4, int(round(_SIDE_UM / image.getCalibration().pixelWidth)))
    known = marks.detected(track, range(len(points)))
    for number, point in enumerate(points):
        left = number * cell
        canvas.setColor(Color.decode(colours[states[number]]))
        canvas.fillRect(left + 1, _TEXT_PX + 1, cell - 2, cell - 2)
        spine = marks.of(track, number) or known
        canvas.insert(_crop(image, spine, number, side), left + _EDGE_PX, _TEXT_PX + _EDGE_PX)
        canvas.setColor(Color.WHITE)
        canvas.drawString(u"day %g: %s" % (point["time"], states[number]), left + _EDGE_PX, _TEXT_PX - 2)
    return ImagePlus(u"Track %d" % track, canvas)


def _crop(image, spine, time_point, side):
    index = image.getStackIndex(1, spine["z_plane"] + 1, time_point + 1)
    plane = image.getStack().getProcessor(index)
    plane.setMinAndMax(image.getDisplayRangeMin(), image.getDisplayRangeMax())
    grey = plane.convertToByte(True)
    framed = grey.createProcessor(side, side)
    framed.insert(grey, side // 2 - int(spine["x_px"]), side // 2 - int(spine["y_px"]))
    framed.setInterpolationMethod(framed.BILINEAR)
    return framed.resize(_CELL_PX, _CELL_PX).convertToRGB()
