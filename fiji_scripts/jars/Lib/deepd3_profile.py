"""The light along a spine, from the shaft to the tip, as a plot.

Jython 2.7.
"""

from deepd3_names import ID, PROFILE, ROLE, SOURCE_ID
from ij.gui import Plot
from java.awt import Color, Font, GraphicsEnvironment
from java.util import Arrays

_SIZE = (560, 320)
_ROOM = 1.12  # above the highest point, for the names of the marks
_MARGIN = 1.06  # beyond the tip, for its name
_NAMES_Y = 0.05


def profile_plot(reply, array, title, image):
    """Plot of a profile as the service tells it, with its marks; shown where there are windows.

    image: the one with the spine; commands find its spines from the plot too.
    """
    columns = array.shape[1]
    distance_um, light = [Arrays.copyOfRange(array.planes[0], row * columns, (row + 1) * columns) for row in (0, 1)]
    low, high = min(0.0, min(light)), max(light)
    top = low + (high - low or 1.0) * _ROOM
    plot = Plot(title, u"Distance from the base along the spine (\u00b5m)", "Light above background")
    plot.setFrameSize(*_SIZE)
    span = (distance_um[-1] - distance_um[0]) * _MARGIN or 1.0
    plot.setLimits(distance_um[0], distance_um[0] + span, low, top)
    plot.setColor(Color(30, 80, 180))
    plot.setLineWidth(2)
    plot.add("line", distance_um, light)
    plot.setLineWidth(1)
    plot.setFont(Font.PLAIN, 12)
    for name, place_um in reply["marks"]:
        split = name == "split"
        plot.setColor(Color(200, 30, 30) if split else Color.GRAY)
        plot.setLineWidth(2 if split else 1)
        plot.drawLine(place_um, low, place_um, top)
        plot.addLabel((place_um - distance_um[0]) / span + 0.005, _NAMES_Y, name)
    if not GraphicsEnvironment.isHeadless():
        from deepd3_placement import place_where_free  # without windows, its classes cannot be loaded
        window = plot.show()
        place_where_free(window, (window.getWidth(), window.getHeight()))
    shown = plot.getImagePlus()
    for key, value in ((ROLE, PROFILE), (SOURCE_ID, image.getProp(SOURCE_ID) or image.getProp(ID))):
        shown.setProp(key, value)
    return shown
