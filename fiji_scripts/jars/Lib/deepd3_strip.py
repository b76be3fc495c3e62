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


def strip(image, series, track):
    """A picture: a crop of the registered image for each time point, in a frame of its state's colour."""
    points, states = series.reply["time_points"], series.tracks[track]["states"]
    cell = _CELL_PX + 2 * _EDGE_PX
    canvas = ColorProcessor(cell * len(points), cell + _TEXT_PX)
    canvas.setColor(Color.BLACK)
    canvas.fill()
    canvas.setFont(Font(Font.SANS_SERIF, Font.PLAIN, 12))
    canvas.setAntialiasedText(True)
    side = max(4, int(round(_SIDE_UM / image.getCalibration().pixelWidth)))
    for number, point in enumerate(points):
        left = number * cell
        canvas.setColor(Color.decode(series.reply["state_colours"][states[number]]))
        canvas.fillRect(left + 1, _TEXT_PX + 1, cell - 2, cell - 2)
        mark = series.nearest(track, number)
        if mark is not None:
            canvas.insert(_crop(image, mark, number, side), left + _EDGE_PX, _TEXT_PX + _EDGE_PX)
        canvas.setColor(Color.WHITE)
        canvas.drawString(u"day %g: %s" % (point["time"], states[number]), left + _EDGE_PX, _TEXT_PX - 2)
    return ImagePlus(u"Track %d" % track, canvas)


def _crop(image, mark, time_point, side):
    plane = image.getStack().getProcessor(image.getStackIndex(1, mark["z_plane"] + 1, time_point + 1))
    plane.setMinAndMax(image.getDisplayRangeMin(), image.getDisplayRangeMax())
    grey = plane.convertToByte(True)
    framed = grey.createProcessor(side, side)
    framed.setColor(Color.BLACK)
    framed.fill()
    framed.insert(grey, side // 2 - int(mark["x_px"]), side // 2 - int(mark["y_px"]))
    framed.setInterpolationMethod(framed.BILINEAR)
    return framed.resize(_CELL_PX, _CELL_PX).convertToRGB()
