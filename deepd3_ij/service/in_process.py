"""The service for an ImageJ that Python hosts: a Java function that scripts find in SciJava's ObjectService.

::

    session = fiji.connect("embedded", commands=True)
    publish(session)
    run_command(session, "Build 3D ROIs...", image=session.push(prediction), area_threshold=0.3)
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import deepd3_ij
from deepd3_ij.errors import Cancelled, FijiError
from deepd3_ij.fiji.java import before_the_end, java_class
from deepd3_ij.names import CALLED, CANCELLED, DONE, FAILED, FIRST_VALUES, OUTCOME, SERVICE, VERSION
from deepd3_ij.service.calls import call
from deepd3_ij.service.dialogs import dialog_of
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.menu import command_of, menu_folder

if TYPE_CHECKING:
    from deepd3_ij.fiji.session import Session

_threads = ThreadPoolExecutor(thread_name_prefix="deepd3_service")
_SECONDS_TO_STOP = 10
_UNSIGNED = {"int8": np.uint8, "int16": np.uint16}


def publish(session: Session) -> Any:
    """Put the service into a session, and let it run the scripts of the menu; a second call changes nothing.

    Parameters
    ----------
    session
        The session whose scripts shall find the service.

    Returns
    -------
    java.util.function.Function
        From a map with ``request`` (JSON text), ``arrays`` (name to shape and planes) and ``progress`` (a function of
        done, total and message that returns false to stop) to a map with ``reply`` and ``arrays`` (name to type,
        shape and direct buffers).
    """
    import jpype

    objects = session.context.getService(java_class("org.scijava.object.ObjectService"))
    function = java_class("java.util.function.Function")
    for known in objects.getObjects(function.class_):
        if objects.getName(known) == SERVICE:
            return known
    _prepare_jython(session)
    # Scripts that run from the package itself, not from an installation, have the version of the package.
    java_class("java.lang.System").setProperty(VERSION, deepd3_ij.__version__)
    service = jpype.JProxy(function, dict={"apply": _apply})
    objects.addObject(service, SERVICE)
    before_the_end(lambda: objects.removeObject(service))
    before_the_end(_calls.end)
    return service


def add_menu(session: Session) -> None:
    """Add the menu to the menu bar of a visible session after :func:`publish`, unless it is there."""
    run_jython(session, "#@ Context context\nfrom deepd3_menu import add_menu\nadd_menu(context)\n")


def commands() -> tuple[str, ...]:
    """All commands of the menu, sorted."""
    return tuple(sorted(_scripts()))


def run_command(session: Session, command: str, *, ask: bool = False, **inputs: Any) -> None:
    """Run a command of the menu in a session that has the service, and wait for its end.

    Parameters
    ----------
    session
        A session after :func:`publish`.
    command
        Its name in the menu, for example ``"Build 3D ROIs..."``.
    ask
        Show its dialog, and wait for the user, in a session with windows. It begins with the fields that are given.
    inputs
        Fields of its dialog by name, and ``image``, the image to work on. What is left out was not typed: the value is
        the one that a live test kept, else what the model recommends, else the default; an optional field is emptied
        by an empty text.

    Raises
    ------
    FijiError
        There is no such command, or it failed; the message is the one that a user reads in Fiji.
    Cancelled
        It was stopped.
    """
    start_command(session, command, ask=ask, **inputs).get()
    outcome = str(java_class("java.lang.System").getProperty(
        OUTCOME, f"{FAILED}: the script did not run; ImageJ's Log has the details"))
    if outcome == CANCELLED:
        raise Cancelled("Stopped by the user; nothing was changed.")
    if outcome != DONE:
        raise FijiError(outcome.removeprefix(f"{FAILED}: "))


def start_command(session: Session, command: str, *, ask: bool = False, **inputs: Any) -> Any:
    """Start a command as :func:`run_command` does, and do not wait; gives Java's future of its script."""
    scripts = _scripts()
    if command not in scripts:
        raise FijiError(f"There is no command {command!r} in the menu; known: {', '.join(commands())}.")
    fields = [field.name for field in dialog_of(command).fields()]
    file = java_class("java.io.File")(str(scripts[command]))
    info = java_class("org.scijava.script.ScriptInfo")(session.context, file)
    unknown = [key for key in inputs if key not in fields and (key != "image" or info.getInput(key) is None)]
    if unknown:
        accepted = [*(["image"] if info.getInput("image") is not None else []), *fields]
        raise FijiError(f"{command!r} has no field {unknown[0]!r}; accepted: {', '.join(accepted) or 'none'}.")
    texts = {name: text_of_value(value) for name, value in inputs.items() if name != "image" and value is not None}
    values = {} if ask else {name: texts.get(name) for name in fields}  # None: the caller has decided to leave it out
    system = java_class("java.lang.System")
    if ask:
        system.setProperty(FIRST_VALUES, json.dumps({"command": command, "values": texts}))
    else:
        system.setProperty(CALLED, command)
    system.clearProperty(OUTCOME)
    return _run(session, info, values | {name: value for name, value in inputs.items() if name == "image"})


def run_jython(session: Session, source: str, **inputs: Any) -> Any:
    """Run a text in Jython in a session that has the service, and wait for it; gives the module that it ran as."""
    info = java_class("org.scijava.script.ScriptInfo")(
        session.context, "script.py", java_class("java.io.StringReader")(source))
    return _run(session, info, inputs).get()


def _run(session: Session, info: Any, inputs: Mapping[str, Any]) -> Any:
    values = java_class("java.util.HashMap")()
    for name, value in inputs.items():
        values.put(name, value)
    return session.context.getService(java_class("org.scijava.script.ScriptService")).run(info, True, values)


def _scripts() -> dict[str, Path]:
    return {command_of(path): path for path in (menu_folder() / "scripts").rglob("*.py")}


def text_of_value(value: Any) -> str:
    """A value as a macro writes it; None is an empty text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _prepare_jython(session: Session) -> None:
    """Register what the scripts need where a Fiji has not done so, and put the package's own modules first.

    Jython reads its settings when the first Jython script of the process runs.
    """
    scripts = session.context.getService(java_class("org.scijava.script.ScriptService"))
    system = java_class("java.lang.System")
    before = system.getProperty("python.path")
    modules = str(menu_folder() / "jars" / "Lib")
    system.setProperty("python.path", modules if before is None else f"{modules}{os.pathsep}{before}")
    java_class("org.python.core.Options").dont_write_bytecode = True  # the package's folder is not Jython's to fill
    if scripts.getLanguageByExtension("py") is None:  # plain SciJava finds no JSR-223 engine by itself
        system.setProperty("python.cachedir.skip", "true")
        scripts.getIndex().add(java_class("org.python.jsr223.PyScriptEngineFactory")(), False)
        scripts.addAlias(java_class("ij.ImagePlus").class_)  # without it, a parameter of this type is not filled


class _Calls:
    """Calls that are under way. Java must call nothing of a Python that has ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self.ended = False

    def __enter__(self) -> None:
        with self._changed:
            if self.ended:
                raise FijiError("Python has ended; nothing can be computed any more.")
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let no other call begin, and wait until those under way have stopped at their next progress."""
        with self._changed:
            self.ended = True
            self._changed.wait_for(lambda: self._running == 0, timeout=_SECONDS_TO_STOP)


_calls = _Calls()


def _apply(request: Any) -> Any:
    # An exception that crosses into Java loses its message, so failures travel as replies.
    with _calls:
        arrays = {str(entry.getKey()): _received(entry.getValue()) for entry in request.get("arrays").entrySet()}
        # Threads of Java have small stacks, in which TensorFlow overflows when it builds the graph of a training.
        reply = _threads.submit(call, str(request.get("request")), arrays,
                                _progress_of(request.get("progress"))).result()
        return _sent(reply)


def _received(value: Any) -> npt.NDArray[Any]:
    """Array of one Java array per plane."""
    shape = tuple(int(size) for size in value.get("shape"))
    planes = [np.asarray(plane) for plane in value.get("planes")]
    planes = [plane.view(_UNSIGNED.get(plane.dtype.name, plane.dtype)) for plane in planes]
    return planes[0].reshape(shape) if len(planes) == 1 else np.stack(planes).reshape(shape)


def _sent(reply: Reply) -> Any:
    """The reply as a Java map; Java holds on to the memory of the buffers."""
    import jpype

    hash_map, array_list = java_class("java.util.HashMap"), java_class("java.util.ArrayList")
    arrays = hash_map()
    for name, array in reply.arrays.items():
        if not array.size:
            continue
        contiguous = np.ascontiguousarray(array)
        rows = contiguous.reshape(contiguous.shape[0], -1) if contiguous.ndim == 3 else contiguous.reshape(1, -1)
        planes = array_list()
        for row in rows:
            planes.add(jpype.nio.convertToDirectBuffer(row.view(np.uint8).data))
        entry = hash_map()
        entry.put("dtype", array.dtype.name)
        entry.put("shape", json.dumps(list(array.shape)))
        entry.put("planes", planes)
        arrays.put(name, entry)
    empty = {name: list(array.shape) for name, array in reply.arrays.items() if not array.size}
    result = hash_map()
    result.put("reply", json.dumps({**reply.values, "empty_arrays": empty}))
    result.put("arrays", arrays)
    return result


def _progress_of(function: Any) -> Any:
    boolean = java_class("java.lang.Boolean")

    def progress(done: int, total: int, message: str, /) -> None:
        values: Mapping[str, Any] = {"done": int(done), "total": int(total), "message": message}
        if _calls.ended or function.apply(json.dumps(values)) == boolean.FALSE:
            raise Cancelled("Stopped by the user; nothing was changed.")

    return progress
