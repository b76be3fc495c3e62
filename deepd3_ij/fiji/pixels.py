"""Pixels between numpy's and Java's arrays, at the speed of memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from deepd3_ij.errors import StackError
from deepd3_ij.fiji.java import java_class
from deepd3_ij.parallel import in_blocks

MAX_PLANE_BYTES = 2**31 - 1  # of a Java buffer
_BLOCK_BYTES = 2**30
_BOXES = {1: "java.lang.Byte", 2: "java.lang.Short", 4: "java.lang.Float"}


def to_java(plane: Callable[[int], np.ndarray], count: int) -> list[Any]:
    """Copy planes into new Java arrays.

    Parameters
    ----------
    plane
        Gives the plane of a number from 0 on: uint8, uint16 or float32, in any layout and byte order. Called in
        several threads.
    count
        Number of planes.

    Returns
    -------
    list
        ``byte[]``, ``short[]`` or ``float[]`` of each plane.

    Raises
    ------
    StackError
        A plane has more bytes than a Java buffer can hold.
    """
    arrays: list[Any] = [None] * count

    def copy(begin: int, end: int) -> None:
        # A method of Java and not JPype's array type: other threads go on while it clears the array.
        new_array = java_class("java.lang.reflect.Array").newInstance
        for number in range(begin, end):
            pixels = plane(number)
            arrays[number] = new_array(java_class(_BOXES[pixels.dtype.itemsize]).TYPE, pixels.size)
            fill(arrays[number], pixels)

    in_blocks(copy, count)
    return arrays


def fill(java_array: Any, pixels: np.ndarray) -> None:
    """Copy a plane into a Java array of its size and type."""
    contiguous = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    _buffer(contiguous).get(java_array)


def from_java(java_array: Callable[[int], Any], planes: np.ndarray, *, in_order: bool = False,
              toggle: int = 0) -> None:
    """Copy Java arrays into the planes of an array.

    Parameters
    ----------
    java_array
        Gives the Java array of the plane of a number from 0 on.
    planes
        Contiguous, native uint8, uint16 or float32, shape ``(count, y, x)``; is overwritten.
    in_order
        Ask for one plane after the other, as virtual stacks need it; else in several threads.
    toggle
        Bits to flip in each pixel.

    Raises
    ------
    StackError
        A plane has more bytes than a Java buffer can hold.
    """
    step = max(1, _BLOCK_BYTES // planes[0].nbytes)

    def copy(begin: int, end: int) -> None:
        for first in range(begin, end, step):
            block = planes[first:min(first + step, end)]
            put = _buffer(block).put
            for number, plane in enumerate(block, start=first):
                put(java_array(number))
                if toggle:
                    plane ^= plane.dtype.type(toggle)

    if in_order:
        copy(0, len(planes))
    else:
        in_blocks(copy, len(planes))


def _buffer(array: np.ndarray) -> Any:
    """Java buffer on the memory of a contiguous array, valid while the caller holds the array."""
    import jpype

    if array.nbytes > MAX_PLANE_BYTES:
        raise StackError(f"A plane of {array.shape[-2]} × {array.shape[-1]} pixels has {array.nbytes} bytes; accepted: "
                         f"up to {MAX_PLANE_BYTES}. Crop it, or convert it to 8 bit.")
    # JPype keeps what a buffer is made of until Java clears its garbage. That must not be the array itself: whole
    # stacks would stay in memory.
    memory = (ctypes.c_uint8 * array.nbytes).from_address(array.ctypes.data)
    buffer = jpype.nio.convertToDirectBuffer(memoryview(memory).cast("B"))
    if array.itemsize == 1:
        return buffer
    buffer = buffer.order(java_class("java.nio.ByteOrder").nativeOrder())
    return buffer.asShortBuffer() if array.itemsize == 2 else buffer.asFloatBuffer()
