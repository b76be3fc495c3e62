"""Calls of the Python service: in this process, or in a worker that is started once per Fiji run.

Jython 2.7. Arrays are `Array` objects: numbers of one type, shape, one Java array per plane.
"""

import json
import os
import threading

import deepd3_appose
import jarray
from deepd3_errors import Cancelled, DeepD3Error, WorkerEndedError
from deepd3_memory import Memory
from deepd3_names import SERVICE, VERSION
from deepd3_settings import Settings
from deepd3_state import is_unfinished, write_whole
from java.io import File, IOException
from java.lang import Boolean, String, System
from java.nio import ByteOrder
from java.util import ArrayList, HashMap
from java.util.concurrent import Semaphore, TimeUnit
from java.util.function import Consumer, Function
from org.scijava.object import ObjectService

WORKER = "deepd3.worker"
STARTED = "deepd3.worker_started_with"
ANSWERED = "deepd3.worker_answered"
DISPATCH = "deepd3"
INSTALLATION = "deepd3_installation.json"
TRIED = "deepd3.tried_python"
SET_UP = "call DeepD3 Setup... in Plugins > DeepD3"

BYTES = {"uint8": 1, "uint16": 2, "int32": 4, "float32": 4, "float64": 8}
CODES = {"uint8": "b", "uint16": "h", "int32": "i", "float32": "f", "float64": "d"}
_THREADS = ("DEEPD3_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
            "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_WAIT_MS = 50


class Array(object):
    """Numbers on their way: type, shape (z, y, x) or another one, one Java array per plane."""

    def __init__(self, dtype, shape, planes):
        self.dtype = dtype
        self.shape = [int(size) for size in shape]
        self.planes = planes
        self.part = {}


def installation():
    """What is stored beside this module, or by an update site beside Appose; an empty table in the package itself."""
    path = _beside()
    if not os.path.isfile(path):
        path = os.path.join(deepd3_appose.own_folder(), INSTALLATION)
    if not os.path.isfile(path):
        return {}
    with open(path) as stream:
        try:
            return json.load(stream)
        except ValueError:
            raise DeepD3Error("The file %s is damaged; unpack the archive of DeepD3 into Fiji's folder again and %s."
                              % (path, SET_UP))


def store_python(context, python):
    """Let this Fiji start a Python from now on: in Fiji's folder, or for the user alone where that is locked."""
    settings = Settings(context)
    stored = installation()
    if not os.path.isfile(_beside()):  # the list is an update site's, the same for all
        settings.write("python", python)
        return
    try:
        write_whole(_beside(), json.dumps(dict(stored, python=python), indent=1, sort_keys=True) + "\n")
        settings.write("python", None)
    except IOException:
        settings.write("python", python)


def try_out(context, python, monitor):
    """The health of a Python that is not stored yet, as the service tells it."""
    stop_worker(context)
    System.setProperty(TRIED, python)
    try:
        return call(context, "health", monitor=monitor)[0]
    finally:
        System.clearProperty(TRIED)
        stop_worker(context)


def is_in_process(context):
    """True if Python started this Java and does the work itself."""
    return _in_process(context.service(ObjectService)) is not None


def _beside():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), INSTALLATION)


def call(context, verb, values=None, arrays=None, monitor=None):
    """Ask the service.

    verb, values, arrays: as the service's table of verbs names them; None values are left out.
    monitor: gets show(done, total, message) and is asked stopped() while the service works.
    Returns (values, arrays). Raises DeepD3Error or Cancelled.
    """
    objects = context.service(ObjectService)
    monitor = monitor or _Silent()
    given = dict((name, value) for name, value in (values or {}).items() if value is not None)
    request = json.dumps({"verb": verb, "version": _version(objects), "values": given})
    arrays = dict((name, array) for name, array in (arrays or {}).items() if array is not None)
    function = _in_process(objects)
    if function is not None:
        text, received = _call_in_process(function, request, arrays, monitor)
    else:
        with deepd3_appose.classes():
            text, received = _call_worker(_worker(context), request, arrays, monitor, objects)
    reply = json.loads(text)
    for name in ("in_place", "in_spare"):
        reply.pop(name, None)
    for name, shape in reply.pop("empty_arrays", {}).items():
        received[name] = Array("float64", shape, [jarray.zeros(0, "d")])
    if reply["state"] == "cancelled":
        raise Cancelled()
    if reply["state"] == "failed":
        raise DeepD3Error(reply["message"], None if reply["expected"] else reply["trace"])
    return reply, received


def is_at_work(context):
    """True if somebody answers without being started anew."""
    objects = context.service(ObjectService)
    return _in_process(objects) is not None or bool(
        [worker for worker in _named(objects, _service_class(), WORKER) if worker.isAlive()])


def stop_other_worker(context):
    """End the worker if it was started with other settings than those that count now."""
    if System.getProperty(STARTED) not in (None, _start(context)[1]):
        stop_worker(context)


def stop_worker(context):
    """End the worker; the next call starts a new one."""
    if _in_process(context.service(ObjectService)) is not None:
        return
    objects = context.service(ObjectService)
    for worker in _named(objects, _service_class(), WORKER):
        objects.removeObject(worker)
        if worker.isAlive():
            worker.kill()


# In this process


def _in_process(objects):
    found = _named(objects, Function, SERVICE)
    return found[0] if found else None


def _call_in_process(function, request, arrays, monitor):
    message = HashMap()
    message.put("request", request)
    given = HashMap()
    for name, array in arrays.items():
        entry = HashMap()
        entry.put("shape", ArrayList(array.shape))
        planes = ArrayList()
        for plane in array.planes:
            planes.add(plane)
        entry.put("planes", planes)
        given.put(name, entry)
    message.put("arrays", given)
    message.put("progress", _Report(monitor))
    answer = function.apply(message)
    received = {}
    for entry in answer.get("arrays").entrySet():
        value = entry.getValue()
        dtype = str(value.get("dtype"))
        received[entry.getKey()] = Array(dtype, json.loads(str(value.get("shape"))),
                                         [_plane_of(buffer, dtype) for buffer in value.get("planes")])
    return str(answer.get("reply").encode("utf-8")).decode("utf-8"), received


class _Report(Function):
    """Progress from Python in this process."""

    def __init__(self, monitor):
        self.monitor = monitor

    def apply(self, text):
        step = json.loads(text)
        self.monitor.show(step["done"], step["total"], step["message"])
        return Boolean.valueOf(not self.monitor.stopped())


# In a worker


def _service_class():
    try:
        return deepd3_appose.load("org.apposed.appose.Service")
    except ImportError:
        raise DeepD3Error("Fiji's folder has no %s with Appose, which starts Python; unpack the archive of DeepD3 into "
                          "Fiji's folder again." % deepd3_appose.FOLDER)


def _worker(context):
    """The running worker; a new one if there is none."""
    objects, service = context.service(ObjectService), _service_class()
    for worker in _named(objects, service, WORKER):
        if worker.isAlive():
            return worker
        objects.removeObject(worker)
    Memory(objects).clear()  # a worker frees what it has seen when it ends
    (python, chosen, threads), started = _start(context)
    if not python:
        raise DeepD3Error("No Python is set up for DeepD3 yet; %s, once." % SET_UP)
    if System.getProperty(TRIED) is None and is_unfinished(python):
        raise DeepD3Error(u"The Python environment of %s was not finished; %s again." % (python, SET_UP))
    if not File(python).isFile() or not File(python).canExecute():
        remedy = "choose another one in DeepD3 Settings..., or leave its field empty" if chosen else SET_UP
        raise DeepD3Error(u"The Python environment of DeepD3 is not at %s any more; %s." % (python, remedy))
    variables = HashMap()
    for name in _THREADS if threads else ():
        variables.put(name, str(threads))
    command = jarray.array([python, "-P", "-m", "deepd3_ij.service.worker"], String)
    worker = service(File(System.getProperty("user.home")), variables, command)
    try:
        worker.start()
    except IOException as error:
        raise DeepD3Error(u"%s cannot be started (%s); choose another one in DeepD3 Settings..., or %s."
                          % (python, error.getMessage(), SET_UP))
    objects.addObject(worker, WORKER)
    System.setProperty(STARTED, started)
    System.clearProperty(ANSWERED)
    return worker


def _start(context):
    """(Python program, True if the user chose it, threads) for a worker, and the same as text."""
    settings = Settings(context)
    chosen = System.getProperty(TRIED) or os.environ.get("DEEPD3_PYTHON") or settings.read("python")
    how = (chosen or installation().get("python"), chosen is not None, settings.read("threads"))
    return how, u"%s %s" % (how[0], how[2])


def _call_worker(worker, request, arrays, monitor, objects):
    memory = Memory(objects)
    shared, spare = HashMap(), HashMap()
    try:
        for name, array in arrays.items():
            shared.put(name, _to_shared(array, memory))
        for number, block in enumerate(memory.take_all() if arrays else ()):
            spare.put(str(number), _as_bytes(block))
        inputs = HashMap()
        inputs.put("request", request)
        inputs.put("arrays", shared)
        inputs.put("spare", spare)
        # What this Fiji made: the worker frees it should Fiji end before it does, and no block but these.
        made = [block.shm().name() for block in list(shared.values()) + list(spare.values())]
        inputs.put("made_by_fiji", ArrayList(made))
        task = worker.task(DISPATCH, inputs)
        follower = _Follower()
        task.listen(follower)
        task.start()
        asked_to_stop = _wait(worker, task, follower, monitor)
        status = str(task.status)
        if status == "COMPLETE":
            text, received = _outputs(task, shared, spare, memory)
            if asked_to_stop:
                raise Cancelled()  # the answer was on its way already
            return text, received
    finally:
        for block in list(shared.values()) + list(spare.values()):
            memory.keep(block.shm())
        memory.tidy()
    if status == "FAILED":
        raise DeepD3Error("The Python worker failed; the Log has the details.", task.error)
    objects.removeObject(worker)
    last = [line for line in list(worker.errorLines())[-30:]]
    raise WorkerEndedError(_why_it_ended(last, System.getProperty(STARTED).rsplit(" ", 1)[0]), u"\n".join(last))


def _outputs(task, shared, spare, memory):
    """Text and arrays of an answer; some of them lie where inputs were or in spare memory."""
    outputs = task.outputs
    received = {}
    for name, block in dict(outputs.get("arrays") or {}).items():
        received[name] = _from_shared(block)
        memory.keep(block.shm())
    if received:
        task.cancel()  # tells the worker that its shared memory was read
    text = outputs.get("reply")
    reply = json.loads(text)
    for name, source in reply["in_place"].items():
        received[name] = _from_shared(shared.get(source))
    for name, place in reply["in_spare"].items():
        received[name] = _from_shared(_array_in(spare.get(place["block"]).shm(), place["dtype"], place["shape"]))
    return text, received


def _why_it_ended(lines, python):
    for line in lines:
        if "No module named" in line and ("deepd3_ij" in line or "appose" in line):
            return (u"The Python environment of %s has no DeepD3; choose another one in DeepD3 Settings..., or %s."
                    % (python, SET_UP))
        if "nknown option: -P" in line:
            return (u"%s is older than Python 3.11; choose a newer one with DeepD3 in DeepD3 Settings..., or %s."
                    % (python, SET_UP))
    if System.getProperty(ANSWERED) is None:
        return (u"%s does not start DeepD3 (the Log has its last lines); choose the program 'python' of an environment "
                u"with DeepD3 in DeepD3 Settings..., or %s." % (python, SET_UP))
    return ("The Python worker ended unexpectedly (the Log has its last lines); call the command again, which "
            "starts a new worker. If it ends again, the computer may have too little memory: segment fewer planes.")


def _wait(worker, task, follower, monitor):
    """Wait for the answer and show progress; True if the user asked to stop."""
    asked = False
    silent_ms = 0
    while not follower.finished.tryAcquire(_WAIT_MS, TimeUnit.MILLISECONDS):
        done, total, message = follower.latest
        monitor.show(done, total, message)
        if not asked and monitor.stopped():
            asked = True
            task.cancel()
        # A worker that ended before it got the task reports nothing.
        silent_ms = 0 if worker.isAlive() else silent_ms + _WAIT_MS
        if silent_ms > 1000:
            break
    return asked


class _Follower(Consumer):
    """Keeps the latest progress of a task and knows when it ends."""

    def __init__(self):
        self.finished = Semaphore(0)
        self.latest = (0, 0, "Waiting for Python")

    def accept(self, event):
        if str(event.responseType) == "LAUNCH":
            System.setProperty(ANSWERED, "true")
        if str(event.responseType) == "UPDATE":
            self.latest = (event.current, event.maximum, event.message)
        elif event.responseType.isTerminal():
            self.finished.release()


def _to_shared(array, memory):
    size = BYTES[array.dtype]
    for length in array.shape:
        size *= length
    block = _array_in(memory.take(size), array.dtype, array.shape)
    memory = block.shm()

    def put(number):
        plane = array.planes[number]
        size = len(plane) * BYTES[array.dtype]
        _view(_part(memory, number * size, size), array.dtype).put(plane)

    _for_all(put, len(array.planes))
    return block


def _array_in(memory, dtype, shape):
    kinds, shapes, orders = [deepd3_appose.load("org.apposed.appose.NDArray$" + name)
                             for name in ("DType", "Shape", "Shape$Order")]
    return deepd3_appose.load("org.apposed.appose.NDArray")(
        kinds.fromLabel(dtype), shapes(orders.C_ORDER, jarray.array(shape, "i")), memory)


def _as_bytes(memory):
    """A whole block; a shape tells at most 2 GiB, so larger ones are no spare memory."""
    return _array_in(memory, "uint8", [int(min(memory.size(), 2**31 - 1))])


def _from_shared(block):
    dtype = block.dType().label()
    shape = list(block.shape().toIntArray())
    count = shape[0] if len(shape) == 3 else 1
    length = 1
    for size in shape[1:] if len(shape) == 3 else shape:
        length *= size
    memory = block.shm()
    planes = [None] * count

    def get(number):
        size = length * BYTES[dtype]
        planes[number] = _plane_of(_part(memory, number * size, size), dtype)

    _for_all(get, count)
    return Array(dtype, shape, planes)


def _part(memory, start, size):
    """Buffer of a part of shared memory."""
    # Appose 0.9.0 takes the second number of buf(from, to) as a length.
    takes_length = memory.buf(1, 2).capacity() == 2
    return memory.buf(start, size if takes_length else start + size)


# Common parts


def _for_all(function, count):
    """Run a function for 0 ... count - 1, in two threads when there is much to do."""
    if count < 8:
        for number in range(count):
            function(number)
        return
    failures = []

    def run(first):
        try:
            for number in range(first, count, 2):
                function(number)
        except:  # noqa: E722 - also Java's exceptions; raised again below
            import sys
            failures.append(sys.exc_info()[1])

    helper = threading.Thread(target=run, args=(1,))
    helper.start()
    run(0)
    helper.join()
    if failures:
        raise failures[0]


def _view(buffer, dtype):
    buffer = buffer.order(ByteOrder.nativeOrder())
    if dtype == "float32":
        return buffer.asFloatBuffer()
    if dtype == "uint16":
        return buffer.asShortBuffer()
    if dtype == "int32":
        return buffer.asIntBuffer()
    if dtype == "float64":
        return buffer.asDoubleBuffer()
    return buffer


def _plane_of(buffer, dtype):
    view = _view(buffer, dtype)
    plane = jarray.zeros(view.remaining(), CODES[dtype])
    view.get(plane)
    return plane


def _named(objects, kind, name):
    return [known for known in objects.getObjects(kind) if objects.getName(known) == name]


def _version(objects):
    stored = installation().get("version")
    if stored:
        return stored
    return System.getProperty(VERSION)


class _Silent(object):
    def show(self, done, total, message):
        pass

    def stopped(self):
        return False
