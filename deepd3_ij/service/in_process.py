"""The service for a Fiji that Python hosts: a Java function that scripts find in SciJava's ObjectService."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import deepd3_ij
from deepd3_ij.errors import Cancelled
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.verbs import call

if TYPE_CHECKING:
    from deepd3_ij.fiji.session import Session

NAME = "deepd3.service"
_UNSIGNED = {"int8": np.uint8, "int16": np.uint16}


def publish(session: Session) -> Any:
    """Put the service into a session; a second call changes nothing.

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

    # Scripts that run from the package itself, not from an installation, have the version of the package.
    java_class("java.lang.System").setProperty("deepd3.version", deepd3_ij.__version__)
    objects = session.context.getService(java_class("org.scijava.object.ObjectService"))
    function = java_class("java.util.function.Function")
    for known in objects.getObjects(function.class_):
        if objects.getName(known) == NAME:
            return known
    service = jpype.JProxy(function, dict={"apply": _apply})
    objects.addObject(service, NAME)
    return service


def _apply(request: Any) -> Any:
    # An exception that crosses into Java loses its message, so failures travel as replies.
    arrays = {str(entry.getKey()): _received(entry.getValue()) for entry in request.get("arrays").entrySet()}
    reply = call(str(request.get("request")), arrays, _progress_of(request.get("progress")))
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
        if function.apply(json.dumps(values)) == boolean.FALSE:
            raise Cancelled("Stopped by the user; nothing was changed.")

    return progress
