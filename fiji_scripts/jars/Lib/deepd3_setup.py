"""The Python environment that does the work, made from within Fiji.

Jython 2.7. Works where no Python can be started. The environment lies in a folder of its own, beside a file that tells
whether it is complete; what a stopped or killed setup left is removed by the next one.
"""

import hashlib
import io
import json
import os
import time
from contextlib import contextmanager

import deepd3_appose
import deepd3_pip
import deepd3_state
import deepd3_transport
from deepd3_errors import Cancelled, DeepD3Error
from deepd3_places import ACCEPTED, VERSIONS, data_folder, misfit, python_of, too_long
from deepd3_processes import run, started
from deepd3_pythons import Variables, ask, find, system
from deepd3_settings import SETUP
from deepd3_settings_fields import SETUP_FIELDS
from deepd3_texts import unicode_of
from ij import IJ
from java.io import File, IOException, RandomAccessFile
from java.lang import String, System, Thread, Throwable
from java.nio.channels import OverlappingFileLockException
from java.util.function import Consumer

CREATE, REPAIR, EXISTING = "create or update", "repair", "use existing"
UV = "uv"
NEEDED_BYTES = 4 * 1024**3
LOG, LOCK = "setup.log", "setup.lock"
AGAIN = u"call %s again" % SETUP
_BEFORE = deepd3_state.ENVIRONMENT + ".before"
_TEMPORARY = "tmp"
_LAST_LINES = 60
_WAIT_MS = 100


def fields(fiji, typed):
    """What the dialog shows, in the form of the service's dialogs, given the texts that were typed."""
    reply = json.loads(SETUP_FIELDS)
    for item in reply["fields"]:
        name = item["name"]
        value = {"folder": default_folder()}.get(name, item["value"])
        if name in typed:
            value, item["origin"] = typed[name].strip() or None, "typed"
        if item["choices"] and value not in item["choices"]:
            raise DeepD3Error(u"%s is %s; accepted: %s." % (name, value, item["accepted"]))
        if name == "python":
            item["suggestions"] = [] if typed else _suggestions(fiji.stopped)
            value = value if typed else item["suggestions"][0]
        item["value"] = value
    return reply


def _suggestions(stopped):
    """What an environment can be made with: what the one in the usual folder was made with, what is found, uv."""
    IJ.showStatus("DeepD3: looking for Python")
    state = deepd3_state.read(default_folder())
    known = [state["made_with"]] if state.get("state") == deepd3_state.COMPLETE else []
    found = known + [each["executable"] for each in find(stopped)[0]] + [UV]
    return [each for number, each in enumerate(found) if each not in found[:number]]


def default_folder():
    """Where the environment goes, if nobody says otherwise."""
    return data_folder(system(), Variables(), System.getProperty("user.home"))


def set_up(fiji):
    """Make, update or repair the environment, or take one that there is; tell what is next."""
    if deepd3_transport.is_in_process(fiji.context):
        raise DeepD3Error(u"Python started this ImageJ and does the work itself; there is nothing to set up.")
    action, python = fiji.value("action"), fiji.value("python")
    if action == EXISTING:
        health = _take_existing(fiji, python)
    else:
        health = Setup(fiji, fiji.value("folder") or default_folder()).make(action == REPAIR, python)
    fiji.show(100, 100, u"DeepD3 works")
    fiji.report("DeepD3 works", [
        u"DeepD3 %s works with Python %s: %s" % (health["version"], health["python"], health["executable"]),
        u"Next: open a stack (File > Open...) and call Analyze Dendrites and Spines... in Plugins > DeepD3."])


def _take_existing(fiji, python):
    if not python:
        raise DeepD3Error(u"Python program is empty; accepted: the program 'python' of an environment with DeepD3; "
                          u"choose it with Browse.")
    if not File(python).isFile() or not File(python).canExecute():
        raise DeepD3Error(u"Python program is %s, which cannot be run; accepted: the program 'python' of an "
                          u"environment with DeepD3." % python)
    health = deepd3_transport.try_out(fiji.context, python, fiji)
    deepd3_transport.store_python(fiji.context, python)
    return health


class Setup(object):
    """Works in one folder; see make."""

    def __init__(self, fiji, folder):
        self._fiji = fiji
        self._folder = folder
        self._environment = os.path.join(folder, deepd3_state.ENVIRONMENT)
        self._before = os.path.join(folder, _BEFORE)
        self._python = python_of(self._environment, system())
        self._log = None
        self._lines = []
        self._shown = (0, 100, u"Looking")

    def make(self, anew, chosen):
        """Make the environment, or bring it up to date; its health.

        anew: also if there is one that is complete.
        chosen: the Python to make it with, 'uv', or None for the best there is.
        """
        wheel = self._wheel()
        self._check_folder()
        with self._alone(), self._logging():
            deepd3_transport.stop_worker(self._fiji.context)  # Windows removes no program that runs
            try:
                self._clean_up()
            except IOException as error:  # what a killed Fiji started may still write there
                raise DeepD3Error(u"%s is in use (%s); close other Fijis that use it, wait a minute and %s."
                                  % (self._environment, error.getMessage(), AGAIN))
            state = deepd3_state.read(self._folder)
            made_with = state.get("made_with")
            usable = (not anew and state.get("state") == deepd3_state.COMPLETE and os.path.isfile(self._python)
                      and chosen in (None, made_with))
            if usable and state.get("wheel") == _sum(wheel):
                self._say(u"The environment is complete and of this version.")
                health = self._health()
            elif usable and made_with != UV:
                health = self._update(wheel, made_with)
            else:
                health = self._build(wheel, chosen)
            deepd3_transport.store_python(self._fiji.context, self._python)
            self._say(u"Done: %s" % self._python)
            return health

    # Steps

    def _build(self, wheel, chosen):
        """Make the environment; its health. If that fails, all is as it was."""
        base = chosen if chosen == UV else self._base(chosen)
        self._check_room()
        there = os.path.exists(self._environment)
        kept = deepd3_state.read(self._folder) if there else {}
        if there:
            _rename(self._environment, self._before)
        deepd3_state.write(self._folder, state=deepd3_state.BEGUN, before=kept)
        complete = False
        try:
            if base == UV:
                self._build_with_uv(wheel)
            else:
                self._show(2, u"Making the environment")
                self._run([base, "-I", "-X", "utf8", "-m", "venv", self._environment], u"The environment")
                self._install(wheel)
            health = self._health()
            self._complete(wheel, base)
            complete = True
        finally:
            if not complete:
                self._clean_up_if_possible()
        self._clean_up_if_possible()
        return health

    def _update(self, wheel, base):
        """Bring the environment to another version; its health. If that fails, the next setup makes it anew."""
        self._say(u"Updating the environment")
        deepd3_state.write(self._folder, state=deepd3_state.BEGUN)
        self._run(self._pip("uninstall", "--yes", "deepd3_ij"), u"The older version")
        self._install(wheel)
        health = self._health()
        self._complete(wheel, base)
        return health

    def _health(self):
        """What the environment answers to the service's question."""
        self._show(90, u"Checking the environment")
        return deepd3_transport.try_out(self._fiji.context, self._python, self._fiji)

    def _complete(self, wheel, base):
        deepd3_state.write(self._folder, state=deepd3_state.COMPLETE, made_with=base, wheel=_sum(wheel))

    def _install(self, wheel):
        progress = deepd3_pip.Progress()

        def look(line):
            progress.take(line)
            self._show(8 + 0.8 * progress.done, deepd3_pip.short(line) if deepd3_pip.is_news(line) else None)

        self._run(self._pip("install", "--retries", "2", "--progress-bar", "off", wheel), u"DeepD3", look)

    def _build_with_uv(self, wheel):
        """With Appose's builder, which downloads uv; uv downloads a Python where it finds none."""
        self._show(2, u"Getting uv, which brings Python")
        with deepd3_appose.classes():
            import jarray
            builder = deepd3_appose.load("org.apposed.appose.Appose").uv()
            builder.python(VERSIONS[0]).include(jarray.array([wheel], String)).base(File(self._environment))
            builder.env(self._surroundings()).flags(jarray.array(["--no-progress", "--color", "never"], String))
            progress = deepd3_pip.Progress()

            def look(text):
                for line in unicode_of(text).splitlines():
                    self._take(line)
                    progress.take(line)
                    message = deepd3_pip.short(line) if deepd3_pip.is_news(line) else self._shown[2]
                    self._shown = (8 + int(0.8 * progress.done), 100, message)

            listener = _Listener(look)
            builder.subscribeOutput(listener).subscribeError(listener)
            before = started()
            work = _Building(builder)
            work.start()
        try:
            while work.isAlive():
                self._fiji.show(*self._shown)
                self._go_on()
                work.join(_WAIT_MS)
        finally:
            work.interrupt()
            work.join(10000)
            for each in started():  # Appose ends what it started too, a little later
                if each not in before:
                    each.destroyForcibly()
        if work.problem is not None:
            self._take(unicode_of(work.problem))
            self._fail(u"uv")

    def _base(self, chosen):
        """The Python that the environment is made with, or uv."""
        self._show(0, u"Looking for Python")
        if chosen:
            answer = ask([chosen], self._fiji.stopped)
            reason = u"is no Python" if answer is None else misfit(answer, system())
            if reason:
                raise DeepD3Error(u"%s %s; accepted: %s. Choose another one, or leave the field empty."
                                  % (chosen, reason, ACCEPTED))
            return answer["executable"]
        fitting, others = find(self._fiji.stopped)
        for path, reason in others:
            self._say(u"%s %s" % (path, reason))
        if not fitting:
            self._say(u"No %s was found; uv shall bring one." % ACCEPTED)
            return UV
        self._say(u"Python %s at %s" % (fitting[0]["full"], fitting[0]["executable"]))
        return fitting[0]["executable"]

    # What is there

    def _wheel(self):
        """The package that came with the menu, whole."""
        stored = deepd3_transport.installation()
        names = [name for name in stored.get("files", {}) if name.endswith(".whl")]
        if not names:
            raise DeepD3Error(u"Fiji's folder has no package of DeepD3 to install (%s); unpack the archive of DeepD3 "
                              u"into it, or take an environment that has DeepD3 with '%s'."
                              % (os.path.join(deepd3_appose.FOLDER, "*.whl"), EXISTING))
        wheel = os.path.join(deepd3_appose.fiji_folder(), *names[0].split("/"))
        if not os.path.isfile(wheel) or _sum(wheel) != stored["files"][names[0]]:
            raise DeepD3Error(u"%s is missing or damaged; unpack the archive of DeepD3 into Fiji's folder again."
                              % wheel)
        return wheel

    def _check_folder(self):
        """An absolute folder that is ours or new, that can be written, with a path that is short enough."""
        folder = File(self._folder)
        elsewhere = u"choose another folder in %s" % SETUP
        if not folder.isAbsolute():
            raise DeepD3Error(u"Folder is %s; accepted: a folder with its whole path." % self._folder)
        if too_long(self._environment, system()):
            raise DeepD3Error(u"The path %s is too long for Windows; %s, for example C:\\deepd3." % (self._folder,
                                                                                                    elsewhere))
        if os.path.exists(self._environment) and not deepd3_state.read(self._folder):
            raise DeepD3Error(u"%s was not made by DeepD3, so it is left alone; %s." % (self._environment, elsewhere))
        try:
            folder.mkdirs()
            File.createTempFile("deepd3", ".tmp", folder).delete()
        except IOException as error:
            raise DeepD3Error(u"The folder %s cannot be written (%s); %s."
                              % (self._folder, error.getMessage() or u"no such folder", elsewhere))

    def _check_room(self):
        room = File(self._folder).getUsableSpace()
        if room < NEEDED_BYTES:
            raise DeepD3Error(u"The disk of %s has %.1f GB left, and the environment needs %.0f GB; free some, or "
                              u"choose a folder on another disk in %s."
                              % (self._folder, room / 1e9, NEEDED_BYTES / 1e9, SETUP))

    def _clean_up(self):
        """Remove what a setup left that was stopped; put back what it had moved aside."""
        state = deepd3_state.read(self._folder)
        deepd3_state.remove(os.path.join(self._folder, _TEMPORARY))
        if state.get("state") == deepd3_state.BEGUN:
            deepd3_state.remove(self._environment)
            if os.path.exists(self._before) and state.get("before"):
                _rename(self._before, self._environment)
                deepd3_state.write(self._folder, **state["before"])
        deepd3_state.remove(self._before)

    def _clean_up_if_possible(self):
        """What cannot be removed now, the next setup removes."""
        try:
            self._clean_up()
        except (DeepD3Error, IOException) as error:
            self._say(unicode_of(error))

    # Programs

    def _pip(self, *words):
        return [self._python, "-I", "-X", "utf8", "-u", "-m", "pip", "--no-input", "--disable-pip-version-check",
                "--no-color"] + list(words)

    def _surroundings(self):
        """What programs find besides Fiji's own surroundings: their temporary files lie on the environment's disk."""
        temporary = os.path.join(self._folder, _TEMPORARY)
        File(temporary).mkdirs()
        return {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}

    def _run(self, words, what, look=None):
        """Run a program; DeepD3Error with the reason if it fails."""
        self._say(u"$ " + u" ".join(words))
        self._lines = []

        def take(line):
            self._take(line)
            if look is not None:
                look(line)
            self._fiji.show(*self._shown)

        try:
            code = run(words, take, self._fiji.stopped, dict(self._surroundings(), PYTHONHOME=None),
                       folder=self._folder)
        except IOException as error:
            raise DeepD3Error(u"%s cannot be started (%s); %s with another Python." % (words[0], error.getMessage(),
                                                                                      SETUP))
        if code != 0:
            self._fail(what)

    def _fail(self, what):
        """Say in one sentence what kept a program from its work."""
        log = os.path.join(self._folder, LOG)
        raise DeepD3Error({
            deepd3_pip.OFFLINE: u"%s cannot be downloaded: there is no connection; connect to the network (behind a "
                                u"proxy: set HTTPS_PROXY before Fiji starts) and %s." % (what, AGAIN),
            deepd3_pip.CERTIFICATE: u"%s cannot be downloaded: the network's certificate is not trusted; use another "
                                    u"network or ask who runs it, and %s." % (what, AGAIN),
            deepd3_pip.FULL: u"The disk of %s is full; free about %.0f GB, or choose a folder on another disk, and %s."
                             % (self._folder, NEEDED_BYTES / 1e9, AGAIN),
            deepd3_pip.FORBIDDEN: u"A file in %s cannot be written; choose another folder and %s."
                                  % (self._folder, AGAIN),
            deepd3_pip.LONG: u"The path %s is too long; choose a shorter one, for example C:\\deepd3, and %s."
                             % (self._folder, AGAIN),
            deepd3_pip.NOT_FOUND: u"The package index has not all that DeepD3 needs for this Python (%s); choose "
                                  u"another Python and %s." % (deepd3_pip.reason_of(self._lines), AGAIN),
        }.get(deepd3_pip.kind_of(self._lines),
              u"%s could not be installed (%s); the file %s has all lines. Then %s."
              % (what, deepd3_pip.reason_of(self._lines), log, AGAIN)))

    # Progress and log

    def _go_on(self):
        if self._fiji.stopped():
            raise Cancelled()

    def _show(self, done, message):
        """Show how far it is; None keeps the message."""
        self._shown = (int(done), 100, unicode_of(message)[:60] if message else self._shown[2])
        self._fiji.show(*self._shown)
        self._go_on()

    def _take(self, line):
        """A line of a program: into the file, and to the user if it is news."""
        line = unicode_of(line).rstrip()
        self._lines = self._lines[1 - _LAST_LINES:] + [line]
        self._write(line)
        if deepd3_pip.is_news(line):
            IJ.log(deepd3_pip.short(line))

    def _say(self, text):
        self._write(text)
        IJ.log(u"DeepD3 Setup: " + text)

    def _write(self, text):
        if self._log is not None:
            self._log.write(unicode_of(text) + u"\n")
            self._log.flush()

    @contextmanager
    def _logging(self):
        with io.open(os.path.join(self._folder, LOG), "w", encoding="utf-8") as stream:
            self._log = stream
            self._write(time.strftime("%Y-%m-%d %H:%M:%S"))
            try:
                yield
            except Cancelled:
                self._write(u"stopped")
                raise
            except DeepD3Error as error:
                self._write(error.message)
                raise
            finally:
                self._log = None

    @contextmanager
    def _alone(self):
        """Keep other Fijis out of the folder; the lock ends with this Java."""
        channel = RandomAccessFile(os.path.join(self._folder, LOCK), "rw").getChannel()
        try:
            try:
                lock = channel.tryLock()
            except OverlappingFileLockException:
                lock = None
            if lock is None:
                raise DeepD3Error(u"%s works in %s already, in this or another Fiji; wait until it is done."
                                  % (SETUP.rstrip("."), self._folder))
            yield
        finally:
            channel.close()


class _Building(Thread):
    """Appose's builder at work."""

    def __init__(self, builder):
        Thread.__init__(self)
        self.setDaemon(True)
        self._builder = builder
        self.problem = None

    def run(self):
        try:
            self._builder.build()
        except (Exception, Throwable) as error:
            self.problem = error


class _Listener(Consumer):
    def __init__(self, take):
        self._take = take

    def accept(self, text):
        self._take(text)


def _rename(source, target):
    if not File(source).renameTo(File(target)):
        raise DeepD3Error(u"%s is in use; close other Fijis that use it and %s." % (source, AGAIN))


def _sum(path):
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()
