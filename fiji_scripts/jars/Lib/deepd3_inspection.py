"""What can be said about an image: by the service about its file, else by the image itself.

Jython 2.7.
"""

from deepd3_errors import DeepD3Error
from deepd3_images import file_of, is_calibrated
from deepd3_names import PREDICTION, ROLE, SOURCE
from deepd3_texts import name_of, quoted
from java.io import File

_ROLES = {"stack": "a stack that DeepD3 opened", "prediction": "a prediction: channel 1 dendrite, channel 2 spines"}


def about(fiji, image):
    """Lines about an image."""
    calibration = image.getCalibration()
    source = fiji.images.stack_of(image)
    sizes = [u"%d x %d pixels" % (image.getWidth(), image.getHeight())] + [
        u"%d %s" % (count, what) for count, what in (
            (image.getNSlices(), u"planes"), (image.getNChannels(), u"channels"), (image.getNFrames(), u"time points"))
        if count > 1] + [u"%d bit" % image.getBitDepth()]
    lines = [u"Image %s: %s" % (quoted(image), u", ".join(sizes)),
             u"It is %s." % _ROLES.get(image.getProp(ROLE), _role(image))]
    if source is not None:
        lines.append(u"It was made of %s." % quoted(source))
    elif image.getProp(SOURCE):
        lines.append(u"It was made of %s." % name_of(image.getProp(SOURCE).replace("\\", "/")))
    if is_calibrated(image):
        lines.append(u"Voxel size: %.6g x %.6g x %.6g %s" % (
            calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth, calibration.getUnit()))
    else:
        lines.append(u"It has no voxel size in a unit of length: Set DeepD3 Voxel Size...")
    lines += _about_values(image)
    path = _path_of(image) or (_path_of(source) if source is not None else None)
    if path is not None:
        seen, _ = fiji.call("inspect", {"path": path})
        lines += [u"", u"File %s: %s" % (name_of(path), seen["kind"])] + seen["lines"]
        if seen["problem"]:
            lines.append(u"It cannot be used: " + seen["problem"])
    return lines


def _role(image):
    role = image.getProp(ROLE)
    return u"a %s that DeepD3 made" % role if role else u"an image that DeepD3 did not make"


def _about_values(image):
    """Range, and what speaks against a good result."""
    low, high, flat = float("inf"), float("-inf"), 0
    for channel in range(image.getNChannels()):
        for plane in range(image.getNSlices()):
            number = image.getStackIndex(channel + 1, plane + 1, image.getT())
            statistics = image.getStack().getProcessor(number).getStats()
            low, high = min(low, statistics.min), max(high, statistics.max)
            flat += statistics.min == statistics.max
    lines = [u"Values: %g to %g" % (low, high)]
    if flat and image.getProp(ROLE) != PREDICTION:
        lines.append(u"In %d planes all pixels are equal; nothing is found there." % flat)
    return lines


def _path_of(image):
    """Path of the image's file, None if there is none any more."""
    try:
        path = file_of(image)
    except DeepD3Error:
        return None
    return path if File(path).isFile() else None
