"""Running a command of the menu: its image, the values of its dialog, progress, messages.

Jython 2.7. A script is the work of one command: it calls verbs of the service and displays what they answer.
"""

import json
import sys
import traceback

import deepd3_transport
from deepd3_editing import ids_of
from deepd3_errors import Cancelled, DeepD3Error
from deepd3_images import Images, calibrate, describe, is_calibrated, no_image
from deepd3_names import CALLED, FIRST_VALUES, OUTCOME, PREDICTION, PROVENANCE, STACK
from deepd3_placement import place_in_corner
from deepd3_rois import kept_parameters, selected_box
from deepd3_settings import COMMAND as SETTINGS
from deepd3_settings import SETUP, Settings
from deepd3_texts import quoted, text_of, unicode_of, wrapped
from ij import IJ, WindowManager
from ij.macro import Interpreter
from java.awt import GraphicsEnvironment
from java.io import File
from java.lang import OutOfMemoryError, System, Thread, Throwable
from org.scijava.task import TaskService

IMAGE = "image"
VOXEL_SIZE_COMMAND = "Set DeepD3 Voxel Size..."
TOO_LITTLE_MEMORY = (u"Fiji has too little memory; give it more in Edit > Options > Memory & Threads... and start it "
                     u"again, close images, or segment fewer planes.")
_MODULE = "org.scijava.script.ScriptModule"
_FIELD_TYPE = "java.lang.CharSequence"


def run(variables, command, work, needs=None, window=None, window_needs_image=True):
    """Run a command; errors become one sentence for the user and a trace in the Log.

    variables: what SciJava injected into the script: context, image, the fields of the dialog.
    command: its name in the menu.
    work: gets a Fiji object.
    needs: what the command works on: 'stack', 'prediction', IMAGE for any image, None if it may do without one.
    window: what a user gets instead of the dialog; gets a Fiji object too. window_needs_image: only while one is open.
    The system property 'deepd3.outcome' tells macros what happened: 'done', 'cancelled' or 'failed: ...'.
    """
    fiji = Fiji(variables["context"], command)
    System.setProperty(OUTCOME, "running")
    try:
        fiji.find_image(variables.get("image"), needs)
        if window is not None and (fiji.image is not None or not window_needs_image) \
                and fiji.can_ask() and not fiji.given(variables[_MODULE]):
            window(fiji)
        else:
            fiji.decide(variables[_MODULE])
            work(fiji)
        outcome = "done"
    except Cancelled as stopped:
        outcome = "cancelled"
        fiji.say(stopped.args[0] if stopped.args else u"stopped; nothing was changed")
    except DeepD3Error as error:
        outcome = u"failed: " + error.message
        fiji.tell_panel(error.message)
        _tell(fiji, error.message, error.trace)
    except OutOfMemoryError:
        outcome = u"failed: " + TOO_LITTLE_MEMORY
        _tell(fiji, TOO_LITTLE_MEMORY, None)
    except (Exception, Throwable):
        trace = unicode_of(traceback.format_exc())
        reason = unicode_of(sys.exc_info()[1]).strip().split("\n")[0]
        outcome = u"failed: " + reason
        _tell(fiji, u"Unexpected error: %s. The Log window has the details; please report them." % reason, trace)
    finally:
        fiji.close()
    if not headless() and not in_macro():
        _name_for_recorder(command if outcome == "done" else None)
    System.setProperty(OUTCOME, outcome)
    return outcome


def _name_for_recorder(command):
    """Tell the macro recorder what it records next; None lets it record nothing.

    While a dialog was open, another command may have taken this one's place there.
    """
    from ij.plugin.frame import Recorder  # without windows, its class cannot be loaded
    if Recorder.getInstance() is None:
        return
    thread = Thread.currentThread()
    name = thread.getName()
    # SciJava's threads keep this start of their name, by which the recorder knows macros, after a macro has ended.
    thread.setName(name.replace("Run$_", ""))
    try:
        Recorder.setCommand(command)
    finally:
        thread.setName(name)


def _fields(module):
    """Names of the fields of a command's dialog."""
    return [item.getName() for item in module.getInfo().inputs() if item.getType().getName() == _FIELD_TYPE]


def headless():
    """True where no window can be opened."""
    return GraphicsEnvironment.isHeadless()


def in_macro():
    """True if a macro runs the command: then no dialog may wait for a user."""
    return IJ.isMacro() or Interpreter.getInstance() is not None


def _first_values(command):
    """The texts that a program gave for the next dialog of a command, by field; they count once."""
    given = json.loads(System.clearProperty(FIRST_VALUES) or "{}")
    return given.get("values", {}) if given.get("command") == command else {}


def _tell(fiji, message, trace):
    if trace:
        IJ.log(trace)
    IJ.showProgress(1.0)
    if not fiji.can_ask():
        IJ.log(u"DeepD3: " + message)
    else:
        IJ.error("DeepD3", wrapped(message))


class Fiji(object):
    """The running command.

    image: what it works on, or None.
    images: all images that DeepD3 knows.
    settings: those of DeepD3 Settings...
    """

    def __init__(self, context, command):
        self.context = context
        self.command = command
        self.settings = Settings(context)
        self.images = Images(context)
        self.image = None
        self.notes = []
        self._message = None
        self._decided = None
        self._module = None
        self._called = System.getProperty(CALLED) == command
        System.clearProperty(CALLED)
        self._task = None
        self._shown = None
        self._stopped = False
        IJ.resetEscape()

    # What it works on, and with which values

    def find_image(self, given, needs):
        """Find the image to work on; DeepD3Error if it is needed and there is none."""
        found = self.images.current(given)
        if found is None and needs is not None:
            raise no_image()
        if needs == STACK:
            found = self.images.stack(found)
        elif needs == PREDICTION:
            found = self.images.prediction_of(found)
        self.image = found
        self._needs = needs

    def given(self, module):
        """True if a macro or a program gave the command's fields, or left them out by intention."""
        return bool([name for name in _fields(module) if module.isInputResolved(name)])

    def decide(self, module):
        """Decide the values of all fields: ask the user, or take what a macro or a program gave."""
        self._module = module
        names = _fields(module)
        if not names:
            return
        given = dict((name, unicode_of(module.getInput(name))) for name in names if module.getInput(name) is not None)
        self._called = self._called or self.given(module)
        if not self.can_ask():
            self._decided = self.fields_of(self.command, given)
            return
        self._ask_for_voxel_size()
        from deepd3_dialog import Dialog  # without windows, its classes cannot be loaded
        self._decided = Dialog(self, self.command.rstrip("."), first=_first_values(self.command)).ask()
        for item in self._decided["fields"]:
            module.setInput(item["name"], text_of(item["value"]))  # for the macro recorder

    def _ask_for_voxel_size(self):
        """Let the user calibrate an image that is not in a unit of length, and go on."""
        if self._needs not in (STACK, PREDICTION) or is_calibrated(self.image):
            return
        from deepd3_dialog import Dialog  # without windows, its classes cannot be loaded
        answer = Dialog(self, u"How large are the voxels of %s?" % quoted(self.image), VOXEL_SIZE_COMMAND).ask()
        sizes = dict((item["name"], item["value"]) for item in answer["fields"])
        calibrate(self.image, sizes["xy_um"], sizes["z_um"])

    def fields_of(self, command, typed, calibrated=None, quietly=False):
        """What the service says about the fields of a command, given the texts that were typed, on this image.

        calibrated: the image must have a voxel size; if None, this command's own need decides.
        quietly: nothing is shown while it works.
        """
        if command == SETTINGS:
            return self._settings_fields(typed)
        if command == SETUP:
            from deepd3_setup import fields  # no other command needs it
            return fields(self, typed)
        prediction = None
        if self.image is not None and self._needs != STACK:
            prediction = self.images.prediction_or_none(self.image)
        if calibrated is None:
            calibrated = command == self.command and self._needs in (STACK, PREDICTION)
        ask = self._call_quietly if quietly else self.call
        reply, _ = ask("dialog", {
            "command": command, "typed": typed, "kept": {"kept": self._kept(prediction or self.image)},
            "model": self.settings.read("model"),
            "provenance": prediction.getProp(PROVENANCE) if prediction is not None else None,
            "image": describe(self.image) if calibrated or command == VOXEL_SIZE_COMMAND else None})
        if not quietly:
            IJ.showProgress(1.0)
            IJ.showStatus("")
        return reply

    def _call_quietly(self, verb, values):
        return deepd3_transport.call(self.context, verb, values)

    def selection(self):
        """What is selected on the image, or on the active one if it has its size: x,y,width,height, or None."""
        if self.image is None:
            return None
        box = selected_box(self.image, [WindowManager.getCurrentImage()])
        return None if box is None else u"%d,%d,%d,%d" % box

    def _settings_fields(self, typed):
        """Fields of DeepD3 Settings..., which has to work where Python cannot be started."""
        try:
            models = [model["name"] for model in self.call("models")[0]["models"] if model["path"]]
        except DeepD3Error:
            models = []
        return self.settings.fields(typed, models)

    def value(self, name):
        """Value of a field of the dialog, None if an optional one is empty."""
        return [item["value"] for item in self._decided["fields"] if item["name"] == name][0]

    def typed_texts(self):
        """Texts of the fields that were given, with which the command can be repeated."""
        return dict((item["name"], text_of(item["value"])) for item in self._decided["fields"]
                    if item["origin"] == "typed")

    def chosen_spines(self, spines):
        """Numbers of the spines of the dialog's field, else those that are selected."""
        text = self.value("spines")
        return ids_of(text) if text else spines.selected_ids()

    def chosen_spine(self, spines):
        """Number of the only spine that is chosen; DeepD3Error if there are none or several."""
        ids = self.chosen_spines(spines)
        if len(ids) != 1:
            raise DeepD3Error(u"%d spines are chosen; choose one in the spine panel or the ROI Manager, or name it."
                              % len(ids))
        return ids[0]

    def file_part(self):
        """What the fields for reading a file say, as the service's verbs take it."""
        channel, frame = self.value("channel"), self.value("frame")
        return {"xy_um": self.value("xy_um"), "z_um": self.value("z_um"),
                "channel": None if channel is None else channel - 1, "frame": None if frame is None else frame - 1}

    def choices(self):
        """What was decided for the steps of the work, as the service's verbs take it."""
        return {"typed": self._decided["choices"], "kept": self._kept(self.image)}

    def _kept(self, image):
        kept = kept_parameters(image) if image is not None else {}
        return {"Roi3DParameters": kept} if kept else {}

    # Questions

    def can_ask(self):
        """True if a user is there to answer questions: neither a macro nor a program runs the command."""
        return not (self._called or headless() or in_macro())

    def ask_to_keep(self, what, field):
        """Ask what becomes of corrections: 'merge' or 'replace', or Cancelled; a macro merges."""
        if not self.can_ask():
            return "merge"
        from deepd3_questions import answer_to  # without windows, its classes cannot be loaded
        answer = answer_to(what, [u"Keep and merge", u"Replace", u"Cancel"])
        if answer not in (u"Keep and merge", u"Replace"):
            raise Cancelled()
        decision = "merge" if answer == u"Keep and merge" else "replace"
        self._module.setInput(field, decision)  # for the macro recorder
        return decision

    def ask_to_replace(self, what, recorded="overwrite"):
        """Ask whether something is replaced; Cancelled if not."""
        from deepd3_questions import answer_to  # without windows, its classes cannot be loaded
        if answer_to(what, [u"Replace", u"Cancel"]) != u"Replace":
            raise Cancelled()
        if recorded is not None:
            self._module.setInput(recorded, "true")  # for the macro recorder

    # Calls, progress, messages

    def call(self, verb, values=None, arrays=None):
        """Ask the service; (values, arrays)."""
        reply, received = deepd3_transport.call(self.context, verb, values, arrays, self)
        self.notes += [note for note in reply.pop("notes", []) if note not in self.notes]
        return reply, received

    def show(self, done, total, message):
        """Show progress."""
        if self._task is None:
            self._task = self.context.service(TaskService).createTask("DeepD3: " + self.command.rstrip("."))
            self._task.start()
        if self._shown == (done, total, message):
            return
        self._shown = (done, total, message)
        self._task.setProgressMaximum(max(1, total))
        self._task.setProgressValue(done)
        self._task.setStatusMessage(message)
        IJ.showStatus("%s%s" % (message, " (%d %%; Esc stops)" % (100 * done // total) if 0 < done < total else ""))
        IJ.showProgress(min(1.0, float(done) / total) if total else 0.0)

    def stopped(self):
        """True once the user pressed Esc or cancelled the task."""
        if not self._stopped:
            self._stopped = IJ.escapePressed() or (self._task is not None and self._task.isCanceled())
        return self._stopped

    def stop(self):
        """Stop what the service does, as Esc does."""
        self._stopped = True

    def begin_again(self):
        """Forget that the user stopped; something else begins."""
        self._end_progress()
        IJ.resetEscape()
        self._stopped = False

    def close(self):
        """End progress, and tell what is to be told."""
        self._end_progress()
        if self._message or self.notes:
            self._place_log()
        for note in self.notes:
            IJ.log(u"DeepD3: note: " + note)
        if self._message:
            IJ.log(u"DeepD3: %s: %s" % (self.command.rstrip("."), self._message))
            IJ.showStatus(u"DeepD3: " + self._message)
        if self._message or self.notes:
            self.tell_panel(u"; ".join([self._message or u"done"] + self.notes))
        IJ.resetEscape()

    def _end_progress(self):
        if self._task is not None:
            self._task.finish()
            self._task = None
            self._shown = None
            IJ.showProgress(1.0)
            IJ.showStatus("")

    def say(self, text):
        """Tell a result: in the Log, the status bar and the spine panel, once the command has ended."""
        self._message = text

    def _place_log(self):
        """Open the Log where it covers no image."""
        if self.can_ask() and WindowManager.getWindow("Log") is None:
            IJ.log("")
            IJ.log("\\Clear")
            window = WindowManager.getWindow("Log")
            if window is not None:
                place_in_corner(window)

    def tell_panel(self, text):
        """Show a message in the spine panel, if it is open."""
        if not headless():
            try:
                from deepd3_panel import open_panel  # without windows, its classes cannot be loaded
            except ImportError:  # a session that ends takes the menu away from under commands that still wait
                return
            panel = open_panel()
            if panel is not None:
                panel.say(u"%s: %s" % (self.command.rstrip("."), text))

    def lay_maps_over_stack(self, prediction):
        """Show new maps over their stack, where a user works with windows."""
        stack = self.images.stack_of(prediction)
        if self.can_ask() and stack is not None:
            from deepd3_maps import OPACITY, opacity_of, show_maps
            show_maps(stack, prediction, opacity_of(stack) or OPACITY)

    def open_panel(self):
        """Show the spines of the image beside it, where a user works with windows."""
        if self.can_ask():
            self._place_log()  # before the panel, which is to be in front
            from deepd3_panel import show_panel  # without windows, its classes cannot be loaded
            show_panel(self.context, self.image)

    def report(self, title, lines):
        """Tell a result in a window, or in the Log."""
        self._end_progress()  # the window waits for the user
        if headless() or in_macro():
            for line in [title] + list(lines):
                IJ.log(line)
        else:
            IJ.showMessage(title, u"\n".join(wrapped(line) for line in lines) or title)

    # The Python that does the work

    def restart(self):
        """End the Python worker; the next call starts a new one."""
        deepd3_transport.stop_worker(self.context)

    def change_settings(self, python, threads, model):
        """Keep settings; Python is started anew if that is needed for them to count."""
        if python is not None and not (File(python).isFile() and File(python).canExecute()):
            self.settings.write("python", None)
            raise DeepD3Error(u"%s is no program that can be run; choose the program 'python' of the environment with "
                              u"DeepD3. Until then the one of DeepD3 Setup... counts." % python)
        for name, value in (("python", python), ("threads", threads or None), ("model", model)):
            self.settings.write(name, value)
        deepd3_transport.stop_other_worker(self.context)
