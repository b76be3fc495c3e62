"""What DeepD3's scripts share: the active image, ROIs, tables, progress, errors.

Jython 2.7. The scripts are thin: parameters, one or two verbs of the service, the result on display.
"""

import json
import sys
import traceback

import deepd3_transport
import jarray
from deepd3_settings import Settings
from deepd3_transport import Array, Cancelled, DeepD3Error
from ij import IJ, CompositeImage, ImagePlus, ImageStack, WindowManager
from ij.gui import Overlay, PointRoi
from ij.io import FileInfo, RoiDecoder, RoiEncoder
from ij.macro import Interpreter
from ij.measure import ResultsTable
from ij.plugin import ZProjector
from ij.process import LUT, ColorProcessor
from java.awt import Color, GraphicsEnvironment
from java.io import File
from java.lang import OutOfMemoryError, System, Throwable
from java.lang.ref import WeakReference
from java.util import Arrays, UUID
from java.util.concurrent import ConcurrentHashMap
from org.scijava.object import ObjectService
from org.scijava.task import TaskService

ROLE, ID, SOURCE_ID = "deepd3.role", "deepd3.id", "deepd3.source_id"
PROVENANCE, SOURCE, VOXEL_SIZE = "deepd3.provenance", "deepd3.source", "deepd3.voxel_size_um"
ROIS_PROVENANCE, ANNOTATION = "deepd3.rois_provenance", "deepd3.annotation"
ROI_PARAMETERS, RECOMMENDED = "deepd3.roi3d_parameters", "deepd3.recommended"
STACK, PREDICTION, LABELS, MERGED, PROJECTION = "stack", "prediction", "labels", "merged", "projection"
OUTCOME = "deepd3.outcome"

TOO_LITTLE_MEMORY = (u"Fiji has too little memory; give it more in Edit > Options > Memory & Threads... and start it "
                     u"again, close images, or segment fewer planes.")

_IMAGES = "deepd3.images"
_DIGITS = 4
_DTYPES = {8: "uint8", 16: "uint16", 32: "float32"}
_NEAR_PLANES = 2


# Running a command


def run(context, title, command):
    """Run a script's work; errors become one sentence for the user and a trace in the Log.

    command gets a Fiji object. The system property 'deepd3.outcome' tells macros what happened:
    'done', 'cancelled' or 'failed: ...'.
    """
    fiji = Fiji(context, title)
    System.setProperty(OUTCOME, "running")
    try:
        command(fiji)
        outcome = "done"
    except Cancelled:
        outcome = "cancelled"
        IJ.showStatus("DeepD3: stopped; no image was changed")
    except DeepD3Error as error:
        outcome = u"failed: " + error.message
        _tell(error.message, error.trace)
    except OutOfMemoryError:
        outcome = u"failed: " + TOO_LITTLE_MEMORY
        _tell(TOO_LITTLE_MEMORY, None)
    except (Exception, Throwable):
        trace = _unicode(traceback.format_exc())
        reason = _unicode(sys.exc_info()[1]).strip().split("\n")[0]
        outcome = u"failed: " + reason
        _tell(u"Unexpected error: %s. The Log window has the details; please report them." % reason, trace)
    finally:
        fiji.close()
    System.setProperty(OUTCOME, outcome)
    return outcome


def headless():
    """True where no window can be opened."""
    return GraphicsEnvironment.isHeadless()


def in_macro():
    """True if a macro runs the command: then no dialog may wait for a user."""
    return IJ.isMacro() or Interpreter.getInstance() is not None


def _tell(message, trace):
    if trace:
        IJ.log(trace)
    IJ.showProgress(1.0)
    if headless() or in_macro():
        IJ.log(u"DeepD3: " + message)
    else:
        IJ.error("DeepD3", _wrapped(message))


def _wrapped(text, width=80):
    lines, line = [], u""
    for word in text.split(" "):
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = u""
        line = (line + " " + word) if line else word
    return u"\n".join(lines + [line])


class Fiji(object):
    """The running command: its progress, its calls, the images it knows."""

    def __init__(self, context, title):
        self.context = context
        self.title = title
        self.settings = Settings(context)
        self._task = None
        self._shown = None
        self._stopped = False
        self.message = None
        IJ.resetEscape()

    def call(self, verb, values=None, arrays=None):
        """Ask the service; (values, arrays)."""
        return deepd3_transport.call(self.context, verb, values, arrays, self)

    def show(self, done, total, message):
        """Show progress."""
        if self._task is None:
            self._task = self.context.service(TaskService).createTask("DeepD3: " + self.title)
            self._task.start()
        if self._shown == (done, total, message):
            return
        self._shown = (done, total, message)
        self._task.setProgressMaximum(max(1, total))
        self._task.setProgressValue(done)
        self._task.setStatusMessage(message)
        IJ.showStatus("%s%s" % (message, " (%d of %d; Esc stops)" % (done, total) if 0 < done < total else ""))
        IJ.showProgress(min(1.0, float(done) / total) if total else 0.0)

    def stopped(self):
        """True once the user pressed Esc or cancelled the task."""
        if not self._stopped:
            self._stopped = IJ.escapePressed() or (self._task is not None and self._task.isCanceled())
        return self._stopped

    def check_stopped(self):
        """Raise Cancelled if the user stopped."""
        if self.stopped():
            raise Cancelled()

    def close(self):
        """End progress."""
        if self._task is not None:
            self._task.finish()
            IJ.showProgress(1.0)
            IJ.showStatus("")
        if self.message:
            IJ.showStatus("DeepD3: " + self.message)
        IJ.resetEscape()

    def choice(self, kind, fields, recommended=None, tested=None, prefix=""):
        """Parameters for the service.

        kind: name of the parameter class; fields: the script's variables by name, which is the parameter's with the prefix.
        Without recommendations (no table), all fields count. With them, a field counts as typed if it differs from its
        default; the others come from the live test, else from the model, else stay at their default.
        """
        use = isinstance(recommended, dict)
        reply, _ = self.call("parameters", {"kind": kind})
        defaults = dict((item["name"], item["default"]) for item in reply["parameters"])
        typed = dict((name, fields[prefix + name]) for name in defaults if prefix + name in fields
                     and (not use or fields[prefix + name] != defaults[name]))
        if not use:
            return {"typed": typed}
        return {"typed": dict(tested or {}, **typed), "recommended": recommended}

    def say(self, text):
        """Tell a result in the status bar; in a macro or without windows also in the Log."""
        self.message = text
        if headless() or in_macro():
            IJ.log("DeepD3: " + text)

    def report(self, title, lines):
        """Tell a result in a window, or in the Log."""
        if headless() or in_macro():
            for line in [title] + list(lines):
                IJ.log(line)
        else:
            IJ.showMessage(title, u"\n".join(_wrapped(line) for line in lines) or title)

    def restart(self):
        """End the Python worker; the next call starts a new one."""
        deepd3_transport.stop_worker(self.context)

    def change_settings(self, python, threads, model):
        """Keep settings; Python is started anew if that is needed for them to count."""
        if python is not None and not (File(python).isFile() and File(python).canExecute()):
            self.settings.write("python", None)
            raise DeepD3Error(u"%s is no program that can be run; choose the program 'python' of the environment with "
                              u"DeepD3. Until then the one that install-fiji stored counts." % python)
        for name, value in (("python", python), ("threads", threads or None), ("model", model or None)):
            self.settings.write(name, value)
        deepd3_transport.stop_other_worker(self.context)

    def model(self, name, path):
        """The model that was chosen: a file, a name, or None for the one that comes with DeepD3."""
        if path_of(path) is not None:
            return path_of(path)
        if (name or "").strip() not in ("", "default"):
            return name.strip()
        own = self.settings.read("model")
        if own is not None and File(own).isAbsolute() and not File(own).isFile():
            raise DeepD3Error(u"The default model of DeepD3 Settings..., %s, is not there any more; choose another one "
                              u"there, or leave its field empty." % own)
        return own

    # Images

    def image_or_none(self, given=None):
        """The image to work on: the given one, the active one, or without windows the last one shown."""
        found = given or WindowManager.getCurrentImage()
        if found is None:
            last = self._known().get("last")
            found = last.get() if last is not None else None
        if found is not None:
            self.remember(found)
        return found

    def image(self, given=None):
        """As image_or_none; DeepD3Error if there is none."""
        found = self.image_or_none(given)
        if found is None:
            raise DeepD3Error("There is no image; open a stack first, for example with Plugins > DeepD3 > 1 Stack > "
                              "Open Stack...")
        return found

    def stack(self, given=None):
        """The stack to work on: the image itself, or the one that the active result was made of."""
        found = self.image(given)
        role = found.getProp(ROLE)
        if role in (PREDICTION, LABELS, PROJECTION, MERGED):
            source = self.stack_of(found)
            if source is None:
                raise DeepD3Error(u"%s is a %s that DeepD3 made, and its stack is not open; open the stack."
                                  % (_quoted(found), role))
            return source
        return found

    def prediction(self, given=None):
        """The prediction to work on; see prediction_of."""
        return self.prediction_of(self.image(given))

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

    def display(self, image):
        """Show an image where there are windows or a macro holds images; it becomes the active one."""
        self.remember(image)
        self._known().put("last", WeakReference(image))
        if not headless() or Interpreter.isBatchMode():
            image.show()
            # In batch mode this thread would remember the image, and a later command might run in this thread.
            WindowManager.setTempCurrentImage(None)

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
                              % _quoted(image))
        return found[-1]

    def stack_of(self, prediction):
        """The stack that a prediction was made of, or None."""
        wanted = prediction.getProp(SOURCE_ID)
        for image in self.images():
            if wanted and image.getProp(ID) == wanted:
                return image
        return None

    def _known(self):
        objects = self.context.service(ObjectService)
        for known in objects.getObjects(ConcurrentHashMap):
            if objects.getName(known) == _IMAGES:
                return known
        known = ConcurrentHashMap()
        objects.addObject(known, _IMAGES)
        return known


# Parameters


def recommended_of(image):
    """What the model's card recommends, kept with the prediction."""
    return json.loads(image.getProp(RECOMMENDED) or "{}")


def tested_parameters(image):
    """3-D ROI parameters that the live test kept for an image, or an empty table."""
    return json.loads(image.getProp(ROI_PARAMETERS) or "{}")


# Images to and from the service


def describe(image):
    """What the service wants to know about an image."""
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


def pixels(image, channel=None):
    """Pixels (z, y, x) of a channel (1-based; the shown one if None) of the shown frame."""
    _check_open(image)
    if image.getType() in (ImagePlus.COLOR_256, ImagePlus.COLOR_RGB):
        raise DeepD3Error(u"%s is a colour image; accepted: 8-bit, 16-bit and 32-bit grey. Convert it with "
                          u"Image > Type > 8-bit, or split its channels." % _quoted(image))
    stack = image.getStack()
    if image.getNFrames() > 1 and image.getNSlices() == 1:
        raise DeepD3Error(u"%s has %d frames of one plane; if they are planes, swap slices and frames in "
                          u"Image > Properties..." % (_quoted(image), image.getNFrames()))
    planes = [stack.getPixels(image.getStackIndex(channel or image.getC(), z + 1, image.getT()))
              for z in range(image.getNSlices())]
    return Array(_DTYPES[image.getBitDepth()], shape_of(image), planes)


def shape_of(image):
    """Planes, height and width."""
    return [image.getNSlices(), image.getHeight(), image.getWidth()]


def map_channels(image):
    """Channels (1-based) of the dendrite and the spine map."""
    _check_open(image)
    channels = (2, 3) if image.getProp(ROLE) == MERGED else (1, 2)
    if image.getNChannels() < channels[1] or image.getBitDepth() != 32:
        raise DeepD3Error(u"%s has %d channels of %d bit; a prediction has a dendrite and a spine map of 32 bit. "
                          u"Segment the stack again." % (_quoted(image), image.getNChannels(), image.getBitDepth()))
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
    return ImagePlus(File(title).getName(), image)


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
    """256 colours, 0 black, neighbouring ids unlike each other."""
    channels = [jarray.zeros(256, "b") for _ in range(3)]
    for number in range(1, 256):
        colour = Color.getHSBColor((number * 0.618034) % 1.0, (1.0, 0.65, 0.85)[number % 3], 1.0)
        for channel, value in zip(channels, (colour.getRed(), colour.getGreen(), colour.getBlue())):
            channel[number] = value - 256 if value > 127 else value
    return LUT(*channels)


def _new_image(title, array, information, role, source=None):
    stack = ImageStack(array.shape[2], array.shape[1], array.shape[0])
    for number, plane in enumerate(array.planes):
        stack.setPixels(plane, number + 1)
    image = ImagePlus(title, stack)
    image.setDimensions(1, array.shape[0], 1)
    _finish(image, information, role, source)
    return image


def new_prediction(arrays, reply, source, title=None):
    """Composite of dendrite (magenta) and spine map (green), 0 to 1."""
    planes, height, width = arrays["dendrite"].shape
    stack = ImageStack(width, height, 2 * planes)
    for z in range(planes):
        stack.setPixels(arrays["dendrite"].planes[z], 2 * z + 1)
        stack.setPixels(arrays["spine"].planes[z], 2 * z + 2)
    plain = ImagePlus(title or (without_ending(source.getTitle()) if source is not None else "DeepD3") + " prediction", stack)
    plain.setDimensions(2, planes, 1)
    plain.setOpenAsHyperStack(True)
    image = CompositeImage(plain, CompositeImage.COMPOSITE)
    for channel, colour in ((1, Color(255, 0, 255)), (2, Color(0, 255, 0))):
        table = LUT.createLutFromColor(colour)
        table.min, table.max = 0.0, 1.0
        image.setChannelLut(table, channel)
    _finish(image, reply["image"], PREDICTION, source)
    image.setProp(PROVENANCE, reply["provenance"])
    if reply.get("recommended") is not None:
        image.setProp(RECOMMENDED, json.dumps(reply["recommended"]))
    if source is not None:
        image.setPosition(1, min(planes, max(1, source.getZ())), 1)
    return image


def replace_maps(image, arrays, provenance):
    """Put other maps into a prediction."""
    _check_open(image)
    stack = image.getStack()
    for channel, name in zip(map_channels(image), ("dendrite", "spine")):
        for z, plane in enumerate(arrays[name].planes):
            index = image.getStackIndex(channel, z + 1, 1)
            System.arraycopy(plane, 0, stack.getPixels(index), 0, len(plane))
    image.setProp(PROVENANCE, provenance)
    image.updateAndDraw()


def _check_open(image):
    if image.getStack() is None or image.getStack().getSize() == 0:  # what ImageJ leaves of a closed image
        raise DeepD3Error(u"%s was closed while the command ran; its result is lost. Open the image again and repeat the "
                          u"command." % _quoted(image))


def copied_maps(image):
    """Copies of both maps, to restore them."""
    return dict((name, Array(array.dtype, array.shape, [Arrays.copyOf(plane, len(plane)) for plane in array.planes]))
                for name, array in maps(image).items())


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
    for key, value in ((ROLE, PROJECTION), (ID, _new_id()), (SOURCE, image.getProp(SOURCE)), (VOXEL_SIZE, image.getProp(VOXEL_SIZE)),
                       (SOURCE_ID, image.getProp(SOURCE_ID) or image.getProp(ID))):
        result.setProp(key, value)
    if image.getProp(ROLE) == PREDICTION:
        for channel in (1, 2):
            result.setC(channel)
            result.setDisplayRange(0.0, 1.0 if method == "max" else max(1e-6, result.getProcessor().getMax()))
        result.setC(1)
    return result


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


# ROIs


def show_rois(image, reply, arrays):
    """Put the service's ROIs into the ROI Manager, or without a display into the image's overlay."""
    _check_open(image)
    rois = decoded(reply["lengths"], arrays["outlines"])
    image.setProp(ROIS_PROVENANCE, reply["rois_provenance"])
    overlay = Overlay()
    for roi in rois:
        overlay.add(roi)
    if headless():
        image.setOverlay(overlay)
        return
    from ij.plugin.frame import RoiManager
    manager = RoiManager.getRoiManager()
    manager.reset()
    if rois:
        manager.setOverlay(overlay)
    manager.runCommand(image, "Show All without labels")


def toggle_rois(image):
    """Show or hide the ROIs on an image."""
    visible = image.getHideOverlay()
    image.setHideOverlay(not visible)
    if not headless():
        from ij.plugin.frame import RoiManager
        if RoiManager.getInstance() is not None:
            RoiManager.getInstance().runCommand(image, "Show All without labels" if visible else "Show None")


def show_annotations(image, array, name):
    """Draw annotated positions as blue points; returns how many lie inside of the image."""
    planes, height, width = shape_of(image)
    rows, values = array.shape[1] if len(array.shape) > 1 else 0, array.planes[0]
    inside = [(values[i], values[rows + i], values[2 * rows + i]) for i in range(rows)]
    inside = [(z, y, x) for z, y, x in inside if 0 <= z < planes and 0 <= y < height and 0 <= x < width]
    overlay = image.getOverlay() or Overlay()
    for plane in range(planes):
        points = PointRoi()
        for z, y, x in inside:
            if abs(z - plane) < _NEAR_PLANES:
                points.addPoint(x + 0.5, y + 0.5)
        if points.size() == 0:
            continue
        points.setPosition(0, plane + 1, 0)
        points.setStrokeColor(Color(64, 128, 255))
        points.setPointType(3)
        points.setSize(2)
        points.setShowLabels(False)
        points.setProperty(ANNOTATION, name)
        overlay.add(points)
    image.setOverlay(overlay)
    image.setHideOverlay(False)
    return len(inside)


def decoded(lengths, array):
    """ImageJ ROIs of the bytes of .roi files, one after the other."""
    content, start, rois = array.planes[0], 0, []
    for length in lengths:
        rois.append(RoiDecoder.openFromByteArray(Arrays.copyOfRange(content, start, start + length)))
        start += length
    return rois


def roi_values(image):
    """Values and arrays of an image's ROIs for the service."""
    values, array = rois_of(image)
    return {"rois": values}, {"outlines": array}


def rois_of(image):
    """(values, array) of the ROIs as they are now: those of the ROI Manager, else of the image's overlay.

    Raises DeepD3Error if there are none and none were built.
    """
    found = [roi for roi in _present_rois(image) if roi.getProperty(ANNOTATION) is None]
    if not found and image.getProp(ROIS_PROVENANCE) is None:
        raise DeepD3Error(u"%s has no ROIs; use Build 3D ROIs... first, or open ROIs in the "
                          u"ROI Manager." % _quoted(image))
    parts, lengths, names = [], [], []
    for roi in found:
        data = RoiEncoder.saveAsByteArray(_with_plane(roi, image))
        if data is None:
            continue
        parts.append(data)
        lengths.append(len(data))
        names.append(roi.getName() or "unnamed")
    content = jarray.zeros(sum(lengths), "b")
    start = 0
    for data in parts:
        System.arraycopy(data, 0, content, start, len(data))
        start += len(data)
    values = {"lengths": lengths, "names": names, "provenance": image.getProp(ROIS_PROVENANCE) or "{}"}
    return values, (Array("uint8", [len(content)], [content]) if parts else None)


def _present_rois(image):
    if not headless():
        from ij.plugin.frame import RoiManager
        manager = RoiManager.getInstance()
        if manager is not None and manager.getCount() > 0:
            return list(manager.getRoisAsArray())
    overlay = image.getOverlay()
    return list(overlay.toArray()) if overlay is not None else []


def _with_plane(roi, image):
    """The ROI with its plane as a hyperstack position, as a plain position counts channels too."""
    position = roi.getPosition()
    if roi.hasHyperStackPosition() or position == 0:
        return roi
    moved = roi.clone()
    moved.setPosition(0, image.convertIndexToPosition(position)[1] if image.getStackSize() > 1 else 1, 0)
    return moved


# Tables


def show_tables(reply, arrays, image):
    """Show the tables of spines and dendrites; returns both."""
    return [_table(reply[kind], arrays[values], "%s of %s" % (title, image.getTitle())) for kind, values, title in
            (("dendrites", "dendrite_values", "Dendrites"), ("spines", "spine_values", "Spines"))]


def _table(description, array, title):
    table = ResultsTable()
    table.setNaNEmptyCells(True)
    columns, rows = array.shape
    for number, (heading, whole) in enumerate(zip(description["headings"], description["whole"])):
        if rows == 0:
            table.getFreeColumn(heading)
            continue
        table.setValues(heading, Arrays.copyOfRange(array.planes[0], number * rows, (number + 1) * rows))
        table.setDecimalPlaces(table.getColumnIndex(heading), 0 if whole else _DIGITS)
    table.showRowNumbers(False)
    if not headless():
        table.show(title)
    return table


# Results as a whole


def everything(fiji, image):
    """Values and arrays of the prediction, the ROIs and the stack that belong to an image."""
    prediction = fiji.prediction_of(image)
    values, arrays = roi_values(_with_rois(fiji, prediction, image))
    values.update(prediction_values(prediction))
    arrays.update(maps(prediction))
    if prediction.getProp(ROLE) == MERGED:
        arrays["stack"] = pixels(prediction, 1)
        return values, arrays
    stack = fiji.stack_of(prediction)
    if stack is not None:
        values["stack_image"] = describe(stack)
        arrays["stack"] = pixels(stack)
    return values, arrays


def _with_rois(fiji, prediction, image):
    """The image that carries the ROIs: the prediction, or the one that the user looks at."""
    for each in (prediction, image, fiji.stack_of(prediction)):
        if each is not None and each.getProp(ROIS_PROVENANCE) is not None:
            return each
    return image


def export(fiji, image, what, folder, **options):
    """Write files of a kind; tells which."""
    target = folder_of(fiji, image, folder)
    values = dict(options, what=what, folder=target, stem=stem_of(image))
    if what in ("tables", "everything"):
        given, arrays = everything(fiji, image)
    elif what == "predictions":
        prediction = fiji.prediction_of(image)
        given, arrays = prediction_values(prediction), maps(prediction)
    else:
        given, arrays = roi_values(_roi_carrier(fiji, image))
        given = dict(given, image=describe(image), shape=shape_of(image))
    reply, _ = fiji.call("export", dict(given, **values), arrays)
    fiji.say("wrote " + ", ".join(reply["files"]))


def _roi_carrier(fiji, image):
    try:
        return _with_rois(fiji, fiji.prediction_of(image), image)
    except DeepD3Error:
        return image  # ROIs can be exported without a prediction too


def save(fiji, image, folder):
    """Write .prediction and .rois."""
    prediction = fiji.prediction_of(image)
    values, arrays = prediction_values(prediction), maps(prediction)
    carrier = _with_rois(fiji, prediction, image)
    if carrier.getProp(ROIS_PROVENANCE) is not None:
        given, outlines = roi_values(carrier)
        values.update(given)
        arrays.update(outlines)
    values["path"] = folder_of(fiji, image, folder) + "/" + stem_of(image) + ".prediction"
    reply, _ = fiji.call("save", values, arrays)
    fiji.say("wrote " + ", ".join(reply["files"]))


def load(fiji, image, path):
    """Read a .prediction or .rois file onto an image; a prediction becomes an image of its own."""
    values = {"path": path}
    if image is not None:
        image = fiji.stack_of(image) or image
        values.update(image=describe(image), shape=shape_of(image))
    reply, arrays = fiji.call("load", values)
    if reply["kind"] == "prediction":
        fiji.display(new_prediction(arrays, reply, image, None if image else File(path).getName()))
        return
    if image is None:
        raise DeepD3Error("ROIs need the image that they lie on; open the stack or the prediction first.")
    try:
        image = fiji.prediction_of(image)
    except DeepD3Error:
        pass  # ROIs can lie on the stack alone
    show_rois(image, reply, arrays)


HELP = (
    "1. Open a stack (File > Open... or 1 Stack > Open Stack...); set its voxel size if it has none.",
    "2. Segment Dendrites and Spines... shows their probabilities; Clean Predictions... removes what is too small "
    "or too far from a dendrite.",
    "3. Build 3D ROIs... finds spines. Test 3D ROIs shows at once what its settings do. Correct the ROIs in the ROI "
    "Manager.",
    "4. Measure Spines... makes the tables.",
    "5. Show ... gives views, 6. Export ... writes files, 7. Save ... keeps everything beside the stack.",
    "8. Training makes a model of your own from annotated stacks.",
    "Analyze Dendrites and Spines... does all at once, Batch Folder... for a folder. Esc stops. DeepD3 Settings... "
    "chooses the default model.",
)


# Small things


def confirmed(question):
    """Ask with OK and Cancel; a macro goes on without asking."""
    if headless() or in_macro():
        return True
    from ij.gui import NonBlockingGenericDialog  # without windows, its class cannot be loaded
    dialog = NonBlockingGenericDialog("DeepD3")
    dialog.addMessage(question)
    dialog.setOKLabel("Keep")
    dialog.showDialog()
    return dialog.wasOKed()


def path_of(chosen):
    """Path of a parameter (a file or text), None if it is empty."""
    if chosen is None or not _unicode(chosen).strip():
        return None
    return File(_unicode(chosen).strip()).getAbsolutePath()


def one_of(paths, name):
    """The path that ends in a file name, or None."""
    return ([path for path in paths if File(path).getName() == name] or [None])[-1]


def file_of(image):
    """Path of an image's file; DeepD3Error if it has none."""
    information = image.getOriginalFileInfo()
    if information is None or not information.directory or not information.fileName:
        raise DeepD3Error(u"%s comes from no file; save it as TIFF first, or choose the file." % _quoted(image))
    return information.directory + information.fileName


def without_ending(title):
    """A title or path without .tif and the like."""
    for ending in (".tif", ".tiff", ".ome"):
        if title.lower().endswith(ending):
            title = title[:-len(ending)]
    return title


def stem_of(image):
    """Start of the names of files that belong to an image."""
    return without_ending((image.getProp(SOURCE) or image.getTitle()).replace("\\", "/").split("/")[-1])


def folder_of(fiji, image, given=None):
    """Folder for files: the given one, else the folder of the stack's file."""
    folder = path_of(given)
    for each in (fiji.stack_of(image), image):
        information = each.getOriginalFileInfo() if each is not None and not folder else None
        if information is not None and information.directory:
            folder = information.directory
    if not folder:
        raise DeepD3Error(u"%s comes from no file; choose a folder for the results." % _quoted(image))
    return folder


def _quoted(image):
    return u"'%s'" % image.getTitle()


def _unicode(value):
    if isinstance(value, unicode):
        return value
    if isinstance(value, str):
        return value.decode("utf-8", "replace")
    return unicode(value)
