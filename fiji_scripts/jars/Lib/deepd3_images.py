"""Images: finding those that belong together, pixels to and from the service, new images.

Jython 2.7.
"""

import jarray
from deepd3_colours import DENDRITE, DISTINCT, SPINE
from deepd3_errors import DeepD3Error
from deepd3_names import (
    CHANNEL,
    FRAME,
    ID,
    LABELS,
    MERGED,
    PREDICTION,
    PROFILE,
    PROJECTION,
    PROVENANCE,
    ROLE,
    SOURCE,
    SOURCE_ID,
    STACK,
    VOXEL_SIZE,
)
from deepd3_placement import keep_on_screen, place_beside
from deepd3_texts import name_of, quoted, without_ending
from deepd3_transport import Array
from ij import IJ, CompositeImage, ImagePlus, ImageStack, WindowManager
from ij.io import FileInfo
from ij.macro import Interpreter
from ij.plugin import ZProjector
from ij.process import LUT, ColorProcessor
from java.awt import Color, GraphicsEnvironment
from java.io import File
from java.lang import System
from java.lang.ref import WeakReference
from java.util import UUID
from java.util.concurrent import ConcurrentHashMap
from org.scijava.object import ObjectService

_IMAGES = "deepd3.images"
_NO_LENGTHS = ("", "pixel", "pixels", "px")
_DTYPES = {8: "uint8", 16: "uint16", 32: "float32"}


class Images(object):
    """All images that DeepD3 knows, and which was made of which."""

    def __init__(self, context):
        self._context = context
        self._objects = context.service(ObjectService)

    def current(self, given=None):
        """The image to work on: the given one, the active one, or without windows the last one shown; or None."""
        found = given or WindowManager.getCurrentImage()
        if found is None:
            last = self._known().get("last")
            found = last.get() if last is not None else None
        if found is not None:
            self.remember(found)
        return found

    def stack(self, shown):
        """The stack to work on: the image itself, or the one that the image was made of."""
        role = shown.getProp(ROLE)
        if role not in (PREDICTION, LABELS, PROJECTION, PROFILE, MERGED):
            return shown
        source = self.stack_of(shown)
        if source is None:
            raise DeepD3Error(u"%s is a %s that DeepD3 made, and its stack is not open; open the stack."
                              % (quoted(shown), role))
        return source

    def family(self, image):
        """An image and all that were made of the same stack."""
        root = image.getProp(SOURCE_ID) or image.getProp(ID)
        return [image] + [other for other in self.images() if other is not image
                          and root in (other.getProp(ID), other.getProp(SOURCE_ID))]

    def remember(self, image):
        """Keep a weak link to an image, and give it an id, so that images find each other without windows too."""
        if not image.getProp(ID):
            image.setProp(ID, _new_id())
        self._known().put(image.getProp(ID), WeakReference(image))
        if not GraphicsEnvironment.isHeadless():
            from deepd3_clicks import listen  # without windows, its classes cannot be loaded
            listen(self._context, self)

    def display(self, image):
        """Show an image where there are windows or a macro holds images; it becomes the active one."""
        self.remember(image)
        self._known().put("last", WeakReference(image))
        if not GraphicsEnvironment.isHeadless() or Interpreter.isBatchMode():
            image.show()
            _show_plane_on_slider(image)
            # In batch mode this thread would remember the image, and a later command might run in this thread.
            WindowManager.setTempCurrentImage(None)

    def display_prediction(self, prediction, stack):
        """Show the prediction of a stack; an earlier one of the same planes gets its maps and keeps its window.

        Returns the image that shows it.
        """
        earlier = [] if stack is None else [each for each in self.linked(stack, PREDICTION)
                                            if shape_of(each) == shape_of(prediction)
                                            and each.getCalibration().zOrigin == prediction.getCalibration().zOrigin]
        if not earlier:
            self.display(prediction)
            if stack is not None and stack.getWindow() is not None and prediction.getWindow() is not None:
                place_beside(prediction.getWindow(), stack.getWindow())
                keep_on_screen(prediction.getWindow())
            return prediction
        shown = earlier[-1]
        shown.setStack(prediction.getStack())
        for key in (PROVENANCE, CHANNEL, FRAME, VOXEL_SIZE):
            shown.setProp(key, prediction.getProp(key))
        shown.setCalibration(prediction.getCalibration())
        shown.updateAndDraw()
        self.display(shown)
        return shown

    def images(self):
        """All images that are open or were made by DeepD3."""
        found = [WindowManager.getImage(number) for number in WindowManager.getIDList() or ()]
        found += [link.get() for link in list(self._known().values())]
        different = []
        for image in found:
            if image is not None and image.getStack() is not None and image.getWidth() > 0 \
                    and not [other for other in different if other is image]:
                different.append(image)
        return different

    def linked(self, image, role):
        """Images of a role that were made of an image; the newest last."""
        wanted = image.getProp(ID)
        return [other for other in self.images()
                if other.getProp(ROLE) == role and wanted and other.getProp(SOURCE_ID) == wanted]

    def prediction_of(self, image):
        """The prediction to work on: the image itself, or the one that was made of it."""
        if image.getProp(ROLE) in (PREDICTION, MERGED):
            return image
        found = self.linked(image, PREDICTION) + self.linked(image, MERGED)
        if not found and image.getProp(SOURCE_ID):
            found = [other for other in self.images() if other.getProp(ROLE) in (PREDICTION, MERGED)
                     and image.getProp(SOURCE_ID) in (other.getProp(ID), other.getProp(SOURCE_ID))]
        if not found:
            raise DeepD3Error(u"%s has no prediction; use Segment Dendrites and Spines... first."
                              % quoted(image))
        return found[-1]

    def prediction_or_none(self, image):
        """As prediction_of; None if there is none."""
        try:
            return self.prediction_of(image)
        except DeepD3Error:
            return None

    def stack_of(self, prediction):
        """The stack that a prediction was made of, or None."""
        wanted = prediction.getProp(SOURCE_ID)
        for image in self.images():
            if wanted and image.getProp(ID) == wanted:
                return image
        return None

    def _known(self):
        objects = self._objects
        for known in objects.getObjects(ConcurrentHashMap):
            if objects.getName(known) == _IMAGES:
                return known
        known = ConcurrentHashMap()
        objects.addObject(known, _IMAGES)
        return known


def _show_plane_on_slider(image):
    """A window begins with its sliders at 1, whatever plane of the image it shows."""
    window = image.getWindow()
    if window is None:
        return
    from ij.gui import StackWindow  # without windows, its class cannot be loaded
    if isinstance(window, StackWindow):
        if image.isHyperStack():
            window.setPosition(image.getC(), image.getZ(), image.getT())
        else:
            window.updateSliceSelector()


def no_image():
    """What to say where an image is needed and there is none."""
    return DeepD3Error("There is no image; open a stack first, for example with Plugins > DeepD3 > DeepD3 1 Stack > "
                       "Open DeepD3 Stack...")


def describe(image):
    """What the service wants to know about an image."""
    _check_grey(image)
    calibration = image.getCalibration()
    return {
        "title": image.getTitle(),
        "pixel_size": [calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth],
        "units": [calibration.getXUnit(), calibration.getYUnit(), calibration.getZUnit()],
        "origin_px": [calibration.zOrigin, calibration.yOrigin, calibration.xOrigin],
        "signed": calibration.isSigned16Bit(),
        "source": image.getProp(SOURCE),
        "voxel_size_um": image.getProp(VOXEL_SIZE),
    }


def _check_grey(image):
    if image.getType() in (ImagePlus.COLOR_256, ImagePlus.COLOR_RGB):
        raise DeepD3Error(u"%s is a colour image; accepted: 8-bit, 16-bit and 32-bit grey. Convert it with "
                          u"Image > Type > 8-bit, or split its channels." % quoted(image))


def pixels(image, channel=None, frame=None):
    """Pixels (z, y, x) of a channel and a time point (1-based; the shown ones if None)."""
    check_open(image)
    _check_grey(image)
    stack = image.getStack()
    if image.getNFrames() > 1 and image.getNSlices() == 1:
        raise DeepD3Error(u"%s has %d frames of one plane; if they are planes, swap slices and frames in "
                          u"Image > Properties..." % (quoted(image), image.getNFrames()))
    channel, frame = channel or image.getC(), frame or image.getT()
    planes = [stack.getPixels(image.getStackIndex(channel, z + 1, frame)) for z in range(image.getNSlices())]
    array = Array(_DTYPES[image.getBitDepth()], shape_of(image), planes)
    array.part = dict((key, value) for key, value, count in (
        (CHANNEL, channel, image.getNChannels()), (FRAME, frame, image.getNFrames())) if count > 1)
    return array


def segmented_pixels(stack, prediction):
    """Pixels of that channel and time point of a stack that a prediction was made of."""
    return pixels(stack, *[int(prediction.getProp(key) or 0) or None for key in (CHANNEL, FRAME)])


def shape_of(image):
    """Planes, height and width."""
    return [image.getNSlices(), image.getHeight(), image.getWidth()]


def map_channels(image):
    """Channels (1-based) of the dendrite and the spine map."""
    check_open(image)
    channels = (2, 3) if image.getProp(ROLE) == MERGED else (1, 2)
    if image.getNChannels() < channels[1] or image.getBitDepth() != 32:
        raise DeepD3Error(u"%s has %d channels of %d bit; a prediction has a dendrite and a spine map of 32 bit. "
                          u"Segment the stack again." % (quoted(image), image.getNChannels(), image.getBitDepth()))
    return channels


def maps(image):
    """Dendrite and spine map of a prediction as arrays for the service."""
    dendrite, spine = map_channels(image)
    return {"dendrite": pixels(image, dendrite), "spine": pixels(image, spine)}


def prediction_values(image):
    """Description and provenance of a prediction for the service."""
    return {"image": describe(image), "provenance": image.getProp(PROVENANCE) or "{}"}


def new_stack(array, reply, title, path=None):
    """The image of a stack that the service read or made; path: its file, if it has one."""
    image = _new_image(title, array, reply["image"], STACK)
    if reply["signed"]:
        image.getCalibration().setSigned16BitCalibration()
    if path is not None:
        information = FileInfo()
        information.directory, information.fileName = File(path).getAbsoluteFile().getParent() + File.separator, title
        image.setFileInfo(information)
    image.resetDisplayRange()
    return image


def new_picture(array, title):
    """A colour image of red, green and blue planes."""
    image = ColorProcessor(array.shape[2], array.shape[1])
    image.setRGB(*array.planes)
    return ImagePlus(name_of(title), image)


def opened(path):
    """The image of a picture file."""
    return IJ.openImage(path)


def new_labels(array, reply, source):
    """Label image in distinct colours."""
    image = _new_image(without_ending(source.getTitle()) + " labels", array, reply["image"], LABELS, source)
    image.setLut(_label_table())
    image.setDisplayRange(0, max(255, image.getStatistics().max, reply["count"]))
    return image


def _label_table():
    """One colour per number, 0 black."""
    channels = [jarray.array([value - 256 if value > 127 else value for value in channel], "b")
                for channel in zip(*DISTINCT)]
    return LUT(*channels)


def _new_image(title, array, information, role, source=None):
    stack = ImageStack(array.shape[2], array.shape[1], array.shape[0])
    for number, plane in enumerate(array.planes):
        stack.setPixels(plane, number + 1)
    image = ImagePlus(title, stack)
    image.setDimensions(1, array.shape[0], 1)
    _finish(image, information, role, source)
    return image


def new_prediction(arrays, reply, source, title=None, part=None):
    """Composite of dendrite (magenta) and spine map (green), 0 to 1.

    part: what `pixels` says about the channel and time point of the source.
    """
    planes, height, width = arrays["dendrite"].shape
    stack = ImageStack(width, height, 2 * planes)
    for z in range(planes):
        stack.setPixels(arrays["dendrite"].planes[z], 2 * z + 1)
        stack.setPixels(arrays["spine"].planes[z], 2 * z + 2)
    name = without_ending(source.getTitle()) if source is not None else "DeepD3"
    plain = ImagePlus(title or name + " prediction", stack)
    plain.setDimensions(2, planes, 1)
    plain.setOpenAsHyperStack(True)
    image = CompositeImage(plain, CompositeImage.COMPOSITE)
    for channel, colour in ((1, DENDRITE), (2, SPINE)):
        table = LUT.createLutFromColor(Color(*colour))
        table.min, table.max = 0.0, 1.0
        image.setChannelLut(table, channel)
    _finish(image, reply["image"], PREDICTION, source)
    image.setProp(PROVENANCE, reply["provenance"])
    for key, value in (part or {}).items():
        image.setProp(key, str(value))
    if source is not None:
        image.setPosition(1, min(planes, max(1, source.getZ())), 1)
    return image


def replace_maps(image, arrays, provenance):
    """Put other maps into a prediction."""
    check_open(image)
    stack = image.getStack()
    for channel, name in zip(map_channels(image), ("dendrite", "spine")):
        for z, plane in enumerate(arrays[name].planes):
            index = image.getStackIndex(channel, z + 1, 1)
            System.arraycopy(plane, 0, stack.getPixels(index), 0, len(plane))
    image.setProp(PROVENANCE, provenance)
    image.changes = True
    image.updateAndDraw()


def is_open(image):
    """False if an image was closed."""
    return image.getStack() is not None and image.getStack().getSize() > 0  # 0 is what ImageJ leaves of it


def planes_before(image, other):
    """How many planes of an image lie before the first plane of another one of the same stack; less than 0 if it
    begins later.
    """
    return int(round(image.getCalibration().zOrigin - other.getCalibration().zOrigin))


def check_open(image):
    """Raise DeepD3Error if an image was closed."""
    if not is_open(image):
        raise DeepD3Error(u"%s was closed while the command ran; its result is lost. Open the image again and repeat "
                          u"the command." % quoted(image))


def projection(image, method):
    """Maximum or sum along z; of a prediction, of both maps."""
    projector = ZProjector(image)
    projector.setStartSlice(1)
    projector.setStopSlice(image.getNSlices())
    projector.setMethod(ZProjector.MAX_METHOD if method == "max" else ZProjector.SUM_METHOD)
    if image.getNChannels() > 1:
        projector.doHyperStackProjection(False)
    else:
        projector.doProjection()
    result = projector.getProjection()
    result.setTitle("%s %s" % (without_ending(image.getTitle()), method))
    result.setCalibration(image.getCalibration().copy())
    for key in (SOURCE, VOXEL_SIZE):
        result.setProp(key, image.getProp(key))
    for key, value in ((ROLE, PROJECTION), (ID, _new_id()), (SOURCE_ID, image.getProp(SOURCE_ID) or image.getProp(ID))):
        result.setProp(key, value)
    if image.getProp(ROLE) == PREDICTION:
        for channel in (1, 2):
            result.setC(channel)
            result.setDisplayRange(0.0, 1.0 if method == "max" else max(1e-6, result.getProcessor().getMax()))
        result.setC(1)
    return result


def is_calibrated(image):
    """True if an image says how large its voxels are, in a unit of length."""
    calibration = image.getCalibration()
    return image.getProp(VOXEL_SIZE) is not None or not [
        unit for unit in (calibration.getXUnit(), calibration.getYUnit(), calibration.getZUnit())
        if (unit or "").strip().lower() in _NO_LENGTHS]


def calibrate(image, xy_um, z_um):
    """Set the voxel size of an image."""
    calibration = image.getCalibration()
    calibration.setUnit("micron")
    calibration.pixelWidth = calibration.pixelHeight = xy_um
    calibration.pixelDepth = z_um
    image.setCalibration(calibration)
    image.setProp(VOXEL_SIZE, " ".join(repr(size) for size in (z_um, xy_um, xy_um)))
    image.repaintWindow()


def toggle(image):
    """Show or hide the maps of a prediction."""
    if image.getProp(ROLE) == MERGED:
        image.setActiveChannels("100" if image.getActiveChannels()[1] else "111")
        image.updateAndDraw()
    elif image.getWindow() is not None:
        image.getWindow().setVisible(not image.getWindow().isVisible())


def _new_id():
    return UUID.randomUUID().toString().replace("-", "")


def _finish(image, information, role, source):
    z_um, y_um, x_um = information["voxel_size_um"]
    calibration = image.getCalibration()
    calibration.setUnit("micron")
    calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth = x_um, y_um, z_um
    calibration.zOrigin, calibration.yOrigin, calibration.xOrigin = information["origin_px"]
    image.setProp(ROLE, role)
    image.setProp(ID, _new_id())
    image.setProp(SOURCE, information["source"])
    image.setProp(VOXEL_SIZE, " ".join(repr(size) for size in (z_um, y_um, x_um)))
    if source is not None:
        image.setProp(SOURCE_ID, source.getProp(ID))
    image.setPosition(1, image.getNSlices() // 2 + 1, 1)


def file_of(image):
    """Path of an image's file; DeepD3Error if it has none."""
    information = image.getOriginalFileInfo()
    if information is None or not information.directory or not information.fileName:
        raise DeepD3Error(u"%s comes from no file; save it as TIFF first, or choose the file." % quoted(image))
    return information.directory + information.fileName


def stem_of(image):
    """Start of the names of files that belong to an image."""
    return without_ending(name_of((image.getProp(SOURCE) or image.getTitle()).replace("\\", "/")))
