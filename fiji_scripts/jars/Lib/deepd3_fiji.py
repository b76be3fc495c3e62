"""What DeepD3's scripts share: the active image, ROIs, tables, progress, errors.

Jython 2.7. The scripts are thin: parameters, one or two verbs of the service, the result on display.
"""

import json
import sys
import traceback

import deepd3_transport
import jarray
from deepd3_transport import Array, Cancelled, DeepD3Error
from ij import IJ, CompositeImage, ImagePlus, ImageStack, Macro, WindowManager
from ij.gui import Overlay, Roi
from ij.io import RoiDecoder, RoiEncoder
from ij.macro import Interpreter
from ij.measure import ResultsTable
from ij.process import LUT
from java.awt import Color, GraphicsEnvironment
from java.lang import System, Throwable
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

_IMAGES = "deepd3.images"
_DIGITS = 4
_DTYPES = {8: "uint8", 16: "uint16", 32: "float32"}
_MANAGER = "ij.plugin.frame.RoiManager"


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
        IJ.showStatus("DeepD3: stopped, nothing was changed")
    except DeepD3Error as error:
        outcome = u"failed: " + error.message
        _tell(error.message, error.trace)
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
    return Interpreter.getInstance() is not None or bool(Macro.getOptions())


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
        self._task = None
        self._shown = None
        self._stopped = False
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
        IJ.resetEscape()

    def choice(self, kind, fields, recommended=None, tested=None):
        """Parameters for the service.

        kind: name of the parameter class; fields: the script's variables by name. Without recommendations (None), all
        fields count. With them, a field counts as typed if it differs from its default or stands in the macro's call;
        the others come from the live test, else from the model, else stay at their default.
        """
        reply, _ = self.call("parameters", {"kind": kind})
        defaults = dict((item["name"], item["default"]) for item in reply["parameters"])
        options = Macro.getOptions()
        typed = {}
        for name in set(fields) & set(defaults):
            value = fields[name]
            named = options is not None and (" " + options).find(" " + name + "=") >= 0
            if options is not None and headless() and not named:
                continue  # what a macro leaves out must not depend on the last dialog
            if recommended is None or named or value != defaults[name]:
                typed[name] = value
        if recommended is None:
            return {"typed": typed}
        return {"typed": dict(tested or {}, **typed), "recommended": recommended}

    # Images

    def image(self, given=None):
        """The image to work on: the given one, the active one, or without windows the last one shown."""
        found = given or WindowManager.getCurrentImage()
        if found is None:
            last = self._known().get("last")
            found = last.get() if last is not None else None
        if found is None:
            raise DeepD3Error("There is no image; open a stack first, for example with Plugins > DeepD3 > Open Stack...")
        self.remember(found)
        return found

    def remember(self, image):
        """Keep a weak link to an image, and give it an id, so that images find each other without windows too."""
        if not image.getProp(ID):
            image.setProp(ID, UUID.randomUUID().toString().replace("-", ""))
        self._known().put(image.getProp(ID), WeakReference(image))

    def display(self, image):
        """Show an image where there are windows or a macro holds images; it becomes the active one."""
        self.remember(image)
        self._known().put("last", WeakReference(image))
        if not headless() or Interpreter.isBatchMode():
            image.show()

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
            raise DeepD3Error(u"%s has no prediction; use Plugins > DeepD3 > Segment Dendrites and Spines... first."
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


def model_name(name, path):
    """The model that was chosen: a file, a name, or None for the default."""
    if path is not None and str(path).strip():
        return path.getAbsolutePath() if hasattr(path, "getAbsolutePath") else _unicode(path)
    name = (name or "").strip()
    return None if name in ("", "default") else name


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


def check_stack(image):
    """Refuse images that are results, not stacks."""
    role = image.getProp(ROLE)
    if role in (PREDICTION, LABELS, PROJECTION):
        raise DeepD3Error(u"%s is a %s that DeepD3 made; select the window of the stack." % (_quoted(image), role))


def pixels(image, channel=None):
    """Pixels (z, y, x) of a channel (1-based; the shown one if None) of the shown frame."""
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


def new_image(title, array, information, role, source=None):
    """Grey image of an array."""
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
    plain = ImagePlus(title or (_stem(source.getTitle()) if source is not None else "DeepD3") + " prediction", stack)
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
    stack = image.getStack()
    for channel, name in zip(map_channels(image), ("dendrite", "spine")):
        for z, plane in enumerate(arrays[name].planes):
            index = image.getStackIndex(channel, z + 1, 1)
            System.arraycopy(plane, 0, stack.getPixels(index), 0, len(plane))
    image.setProp(PROVENANCE, provenance)
    image.updateAndDraw()


def copied(array):
    """Copy of an array's planes."""
    return Array(array.dtype, array.shape, [Arrays.copyOf(plane, len(plane)) for plane in array.planes])


def _finish(image, information, role, source):
    z_um, y_um, x_um = information["voxel_size_um"]
    calibration = image.getCalibration()
    calibration.setUnit("micron")
    calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth = x_um, y_um, z_um
    calibration.zOrigin, calibration.yOrigin, calibration.xOrigin = information["origin_px"]
    image.setProp(ROLE, role)
    image.setProp(ID, UUID.randomUUID().toString().replace("-", ""))
    image.setProp(SOURCE, information["source"])
    image.setProp(VOXEL_SIZE, " ".join(repr(size) for size in (z_um, y_um, x_um)))
    if source is not None:
        image.setProp(SOURCE_ID, source.getProp(ID))
    image.setPosition(1, image.getNSlices() // 2 + 1, 1)


# ROIs


def show_rois(fiji, image, reply, arrays):
    """Put the service's ROIs into the ROI Manager, or without a display into the image's overlay."""
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


def decoded(lengths, array):
    """ImageJ ROIs of the bytes of .roi files, one after the other."""
    content, start, rois = array.planes[0], 0, []
    for length in lengths:
        rois.append(RoiDecoder.openFromByteArray(Arrays.copyOfRange(content, start, start + length)))
        start += length
    return rois


def rois_of(image):
    """(values, array) of the ROIs as they are now: those of the ROI Manager, else of the image's overlay.

    Raises DeepD3Error if there are none and none were built.
    """
    found = [roi for roi in _present_rois(image) if roi.getProperty(ANNOTATION) is None]
    if not found and image.getProp(ROIS_PROVENANCE) is None:
        raise DeepD3Error(u"%s has no ROIs; use Plugins > DeepD3 > Build 3D ROIs... first, or open ROIs in the "
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


# Small things


def _stem(title):
    for ending in (".tif", ".tiff", ".ome"):
        if title.lower().endswith(ending):
            title = title[:-len(ending)]
    return title


def stem_of(image):
    """Start of the names of files that belong to an image."""
    return _stem((image.getProp(SOURCE) or image.getTitle()).replace("\\", "/").split("/")[-1])


def folder_of(image, given=None):
    """Folder for files: the given one, else the folder of the image's file."""
    if given is not None and str(given).strip():
        return given.getAbsolutePath() if hasattr(given, "getAbsolutePath") else _unicode(given)
    information = image.getOriginalFileInfo()
    folder = information.directory if information is not None else None
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
