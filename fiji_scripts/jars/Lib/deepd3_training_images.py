"""Training data as an image with their masks over it.

Jython 2.7. Needs windows.
"""

from deepd3_colours import DENDRITE, SPINE
from deepd3_images import calibrate, new_stack
from deepd3_maps import PlaneOverlay
from deepd3_texts import name_of

_OVERLAY = "deepd3.training_masks"
_OF = "deepd3.training_data"
_OPACITY = 0.5


def open_image_of(images, row):
    """The open image of a (path, number of the stack), or None."""
    return ([image for image in images.images() if image.getWindow() is not None
             and image.getProperty(_OF) == tuple(row)] or [None])[0]


def show_training_data(images, row, title, reply, arrays):
    """Show a stack with its masks, which follow the plane."""
    image = new_stack(arrays["stack"], reply, title)
    image.setProperty(_OF, tuple(row))
    images.display(image)
    layers = [(arrays["dendrite"], DENDRITE), (arrays["spine"], SPINE)]
    PlaneOverlay(image, _OVERLAY, _OPACITY,
                 lambda plane: ([(mask.planes[plane - 1], colour) for mask, colour in layers], [])).draw()
    return image


def calibrate_again(images, path, texts):
    """Give the open image of a d3data file the voxel size that its metadata say now."""
    image = open_image_of(images, (path, 0))
    if image is not None:
        calibrate(image, float(texts["Resolution_XY"]), float(texts["Resolution_Z"]))


def title_of(row, several):
    """Title of the image of a (path, number of the stack)."""
    return name_of(row[0]) + (u" %d" % (row[1] + 1) if several else u"")
