"""Layers of a network on one image, compiled: convolutions, activations, pooling, enlarging.

Images are float32 of shape ``(channels, rows, columns)`` with a border of zeros: ``border`` rows and columns before the
image, as many after it, and columns after those that fill a row up. A row is computed in blocks of 4 channels times
one, two or three registers of 8 or 16 pixels, so that the sums stay in the processor's registers; each product is a
fused multiplication and addition of all pixels of a register. A pixel's sums are always made in the same order, so that
its value does not depend on where in an image or in which tile it lies.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deepd3_ij.compiled import compiled

CHANNELS_AT_ONCE = 4
PIXELS_AT_ONCE = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8
"""As many as fit into a register of the processor, or into two smaller ones."""
LINEAR, RELU, SILU, SIGMOID, ELU, SELU, TANH, SOFTPLUS = range(8)
ACTIVATIONS = {"linear": LINEAR, "relu": RELU, "silu": SILU, "swish": SILU, "sigmoid": SIGMOID, "elu": ELU,
               "selu": SELU, "tanh": TANH, "softplus": SOFTPLUS}

WITH_CONVOLUTION = (LINEAR, RELU, SILU, SIGMOID)
"""Activations that a convolution applies while it has the sums at hand."""

_FLOAT_BYTES = 4
_STRIP_FLOATS, _LEAST_STRIP = 2000, 96
_SELU_ALPHA, _SELU_SCALE = np.float32(1.6732632423543772), np.float32(1.0507009873554805)
_NUMBER, _WORD, _SINGLE = ir.IntType(64), ir.IntType(32), ir.FloatType()
_VECTOR, _WORDS = ir.VectorType(_SINGLE, PIXELS_AT_ONCE), ir.VectorType(_WORD, PIXELS_AT_ONCE)


def filled(width: int) -> int:
    """Columns of an image of a width, filled up to whole registers."""
    return -(-width // PIXELS_AT_ONCE) * PIXELS_AT_ONCE


def _block(vectors: int, unrolled: int = 0) -> Any:
    """A function that convolves 4 channels × ``vectors`` registers of pixels.

    Its arguments are addresses and distances in bytes: of the first pixel under the kernel, between channels, between
    rows; then the numbers of channels, rows and columns of the kernel; the weights (channel, row, column, 4); of the
    first result, and between channels of the results; of four biases; whether to add to what is there (0, 1); the
    activation. Kernels of ``unrolled`` columns are faster with their own function, which does not count them; 0 is any
    number.
    """

    @intrinsic
    def convolve_block(typing_context: Any, source: Any, channel_bytes: Any, row_bytes: Any, channels: Any, rows: Any,
                       columns: Any, weights: Any, target: Any, target_bytes: Any, biases: Any, adds: Any,
                       activation: Any) -> Any:
        return types.void(*[types.int64] * 12), lambda context, builder, signature, arguments: _convolve_block(
            context, builder, arguments, vectors, unrolled)

    return convolve_block


def _convolve_block(context: Any, builder: Any, arguments: Any, vectors: int, unrolled: int) -> Any:
    (source, channel_bytes, row_bytes, channels, rows, columns, weights, target, target_bytes, biases, adds,
     activation) = arguments
    step = PIXELS_AT_ONCE * _FLOAT_BYTES
    places = [(channel, part) for channel in range(CHANNELS_AT_ONCE) for part in range(vectors)]
    addresses = {(channel, part): _address(builder, builder.add(
        target, builder.mul(target_bytes, ir.Constant(_NUMBER, channel))), part * step, _VECTOR)
        for channel, part in places}
    totals = {place: cgutils.alloca_once(builder, _VECTOR) for place in places}
    for channel, part in places:
        bias = builder.load(_address(builder, biases, channel * _FLOAT_BYTES, _SINGLE))
        builder.store(_broadcast(builder, bias), totals[channel, part])
    with builder.if_then(builder.icmp_signed("!=", adds, ir.Constant(_NUMBER, 0))):
        for place, total in totals.items():
            before = builder.load(addresses[place], align=_FLOAT_BYTES)
            builder.store(builder.fadd(before, builder.load(total)), total)
    weight = cgutils.alloca_once_value(builder, weights)

    def add_pixel(first: Any) -> None:
        pixels = [builder.load(_address(builder, first, part * step, _VECTOR), align=_FLOAT_BYTES)
                  for part in range(vectors)]
        here = builder.load(weight)
        for channel in range(CHANNELS_AT_ONCE):
            factor = _broadcast(builder, builder.load(_address(builder, here, channel * _FLOAT_BYTES, _SINGLE)))
            for part in range(vectors):
                total = totals[channel, part]
                builder.store(_multiply_add(builder, factor, pixels[part], builder.load(total)), total)
        builder.store(builder.add(here, ir.Constant(_NUMBER, CHANNELS_AT_ONCE * _FLOAT_BYTES)), weight)

    with cgutils.for_range(builder, channels) as channel_loop:
        plane = builder.add(source, builder.mul(channel_loop.index, channel_bytes))
        with cgutils.for_range(builder, rows) as row_loop:
            row = builder.add(plane, builder.mul(row_loop.index, row_bytes))
            for column in range(unrolled):
                add_pixel(builder.add(row, ir.Constant(_NUMBER, column * _FLOAT_BYTES)))
            if not unrolled:
                with cgutils.for_range(builder, columns) as column_loop:
                    add_pixel(builder.add(row, builder.mul(column_loop.index, ir.Constant(_NUMBER, _FLOAT_BYTES))))
    for code, apply in ((RELU, _relu), (SILU, _silu), (SIGMOID, _sigmoid)):
        with builder.if_then(builder.icmp_signed("==", activation, ir.Constant(_NUMBER, code))):
            for total in totals.values():
                builder.store(apply(builder, builder.load(total)), total)
    for place, total in totals.items():
        builder.store(builder.load(total), addresses[place], align=_FLOAT_BYTES)
    return context.get_dummy_value()


def _address(builder: Any, base: Any, offset: int, kind: Any) -> Any:
    return builder.inttoptr(builder.add(base, ir.Constant(_NUMBER, offset)), kind.as_pointer())


def _constant(value: float) -> Any:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * PIXELS_AT_ONCE)


def _broadcast(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    lone = builder.insert_element(nothing, value, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(lone, nothing, ir.Constant(_WORDS, [0] * PIXELS_AT_ONCE))


def _multiply_add(builder: Any, first: Any, second: Any, third: Any) -> Any:
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{PIXELS_AT_ONCE}f32")
    return builder.call(function, [first, second, third])


def _relu(builder: Any, pixels: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", pixels, _constant(0)), pixels, _constant(0))


def _sigmoid(builder: Any, pixels: Any) -> Any:
    return builder.fdiv(_constant(1), builder.fadd(_exponential_of_negative(builder, pixels), _constant(1)))


def _silu(builder: Any, pixels: Any) -> Any:
    return builder.fdiv(pixels, builder.fadd(_exponential_of_negative(builder, pixels), _constant(1)))


def _exponential_of_negative(builder: Any, pixels: Any) -> Any:
    """``e**-x``, right to 2e-7 of it.

    ``e**x = 2**n * e**r`` with n the whole number next to ``x / log 2``, and seven terms of the series for the rest.
    """
    value = builder.fsub(_constant(0), pixels)
    for bound, comparison in ((88, "<"), (-87, ">")):
        value = builder.select(builder.fcmp_ordered(comparison, value, _constant(bound)), value, _constant(bound))
    floor = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.floor.v{PIXELS_AT_ONCE}f32")
    whole = builder.call(floor, [_multiply_add(builder, value, _constant(np.log2(np.e)), _constant(0.5))])
    # The logarithm of 2 in two parts, so that the rest keeps its digits.
    rest = _multiply_add(builder, whole, _constant(-0.693359375), value)
    rest = _multiply_add(builder, whole, _constant(2.12194440e-4), rest)
    series = _constant(1 / 720)
    for factor in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1):
        series = _multiply_add(builder, series, rest, _constant(factor))
    bits = builder.shl(builder.add(builder.fptosi(whole, _WORDS), ir.Constant(_WORDS, [127] * PIXELS_AT_ONCE)),
                       ir.Constant(_WORDS, [23] * PIXELS_AT_ONCE))
    return builder.fmul(series, builder.bitcast(bits, _VECTOR))


_three_of_3, _three_of_2, _three = _block(3, 3), _block(3, 2), _block(3)
_two, _one = _block(2), _block(1)


@compiled
def _convolve_row(source: int, channel_bytes: int, row_bytes: int, weights: Any, target: int, target_bytes: int,
                  bias: Any, adds: int, activation: int, width: int) -> None:
    """Convolve a row; arguments as of :func:`_block`, ``width`` is a multiple of :data:`PIXELS_AT_ONCE`."""
    channels, rows, columns = weights.shape[1], weights.shape[2], weights.shape[3]
    for group in range(weights.shape[0]):
        place = target + CHANNELS_AT_ONCE * group * target_bytes
        kernel = weights.ctypes.data + _FLOAT_BYTES * group * weights[0].size
        biases = bias.ctypes.data + _FLOAT_BYTES * CHANNELS_AT_ONCE * group
        x = 0
        while width - x >= 3 * PIXELS_AT_ONCE:
            offset = _FLOAT_BYTES * x
            if columns == 3:
                _three_of_3(source + offset, channel_bytes, row_bytes, channels, rows, columns, kernel,
                               place + offset, target_bytes, biases, adds, activation)
            elif columns == 2:
                _three_of_2(source + offset, channel_bytes, row_bytes, channels, rows, columns, kernel,
                               place + offset, target_bytes, biases, adds, activation)
            else:
                _three(source + offset, channel_bytes, row_bytes, channels, rows, columns, kernel,
                          place + offset, target_bytes, biases, adds, activation)
            x += 3 * PIXELS_AT_ONCE
        offset = _FLOAT_BYTES * x
        if width - x == 2 * PIXELS_AT_ONCE:
            _two(source + offset, channel_bytes, row_bytes, channels, rows, columns, kernel, place + offset,
                      target_bytes, biases, adds, activation)
        elif width - x == PIXELS_AT_ONCE:
            _one(source + offset, channel_bytes, row_bytes, channels, rows, columns, kernel, place + offset,
                     target_bytes, biases, adds, activation)


@compiled
def convolve(source: Any, source_row: int, weights: Any, bias: Any, target: Any, target_row: int, adds: int,
             activation: int, border: int, width: int, begin: int, end: int) -> None:
    """Convolve rows ``begin:end``, the image's edge surrounded by zeros.

    Parameters
    ----------
    source, target
        Images of the same width.
    source_row, target_row
        Rows of the images' memory in which row 0 lies.
    weights
        Shape (output channels / 4, input channels, rows, columns, 4).
    bias
        Per output channel.
    adds
        1 if the result is added to what the target holds, else 0.
    activation
        Applied to the sums, one of :data:`WITH_CONVOLUTION`.
    border, width
        Columns before the images, and their width.
    """
    channels, rows, columns = weights.shape[1], weights.shape[2], weights.shape[3]
    row_bytes = _FLOAT_BYTES * source.shape[2]
    channel_bytes, target_bytes = row_bytes * source.shape[1], row_bytes * target.shape[1]
    filled = -(-width // PIXELS_AT_ONCE) * PIXELS_AT_ONCE
    # The rows under the kernel stay in the first-level cache from one row to the next.
    strip = max(_LEAST_STRIP, _STRIP_FLOATS // channels // _LEAST_STRIP * _LEAST_STRIP)
    for left in range(0, filled, strip):
        for y in range(begin, end):
            first = source.ctypes.data + (source_row + y - rows // 2) * row_bytes + _FLOAT_BYTES * (
                border + left - columns // 2)
            place = target.ctypes.data + (target_row + y) * row_bytes + _FLOAT_BYTES * (border + left)
            _convolve_row(first, channel_bytes, row_bytes, weights, place, target_bytes, bias, adds, activation,
                          min(strip, filled - left))
    for channel in range(bias.size):
        for y in range(target_row + begin, target_row + end):
            for x in range(border + width, border + filled):
                target[channel, y, x] = 0


@compiled
def convolve_enlarged(source: Any, source_row: int, weights: Any, bias: Any, target: Any, target_row: int, reach: int,
                      border: int, left: int, width: int, begin: int, end: int) -> None:
    """Enlarge an image twofold by repeating its pixels and convolve it, for rows ``begin:end`` of the large image.

    Parameters
    ----------
    source, target
        Small and large image.
    source_row, target_row
        Rows of the images' memory in which row 0 lies.
    weights
        For even and odd rows and columns of the large image, each as in :func:`convolve`: shape (2, 2, output
        channels / 4, input channels, rows, columns, 4).
    bias
        Per output channel.
    reach
        Pixels of the enlarged image before a pixel that the kernel covers.
    border, left, width
        Columns before the images; the first column of the large one that is computed (even), and how many are.
    """
    row_bytes = _FLOAT_BYTES * source.shape[2]
    channel_bytes = row_bytes * source.shape[1]
    half = width // 2
    filled = -(-half // PIXELS_AT_ONCE) * PIXELS_AT_ONCE
    sums = np.empty((bias.size, 2, filled), np.float32)
    for y in range(begin, end):
        top = source_row + y // 2 + (y % 2 - reach) // 2
        for right in range(2):
            first = source.ctypes.data + top * row_bytes + _FLOAT_BYTES * (
                border + left // 2 + (right - reach) // 2)
            _convolve_row(first, channel_bytes, row_bytes, weights[y % 2, right],
                          sums.ctypes.data + right * _FLOAT_BYTES * filled, 2 * _FLOAT_BYTES * filled, bias, 0, LINEAR,
                          filled)
        for channel in range(bias.size):
            row = target[channel, target_row + y]
            for x in range(half):
                row[border + left + 2 * x] = sums[channel, 0, x]
                row[border + left + 2 * x + 1] = sums[channel, 1, x]


@compiled
def scale_channels(source: Any, source_row: int, factor: Any, bias: Any, target: Any, target_row: int, border: int,
                   width: int, begin: int, end: int) -> None:
    """Multiply each channel by its factor and add its bias, for rows ``begin:end``."""
    for channel in range(factor.size):
        for y in range(begin, end):
            for x in range(border, border + width):
                value = source[channel, source_row + y, x]
                target[channel, target_row + y, x] = value * factor[channel] + bias[channel]


@compiled
def activate(source: Any, source_row: int, target: Any, target_row: int, channels: int, activation: int, border: int,
             width: int, begin: int, end: int) -> None:
    """Apply an activation to rows ``begin:end``."""
    for channel in range(channels):
        for y in range(begin, end):
            for x in range(border, border + width):
                target[channel, target_row + y, x] = _activated(source[channel, source_row + y, x], activation)


@compiled
def add(source: Any, source_row: int, target: Any, target_row: int, channels: int, border: int, width: int, begin: int,
        end: int) -> None:
    """Add an image to another, for rows ``begin:end``."""
    for channel in range(channels):
        for y in range(begin, end):
            for x in range(border, border + width):
                target[channel, target_row + y, x] += source[channel, source_row + y, x]


@compiled
def copy(source: Any, source_row: int, target: Any, target_row: int, first: int, channels: int, border: int, width: int,
         begin: int, end: int) -> None:
    """Copy an image into the channels of another from ``first`` on, for rows ``begin:end``."""
    for channel in range(channels):
        for y in range(begin, end):
            for x in range(border, border + width):
                target[first + channel, target_row + y, x] = source[channel, source_row + y, x]


@compiled
def pool(source: Any, source_row: int, target: Any, target_row: int, channels: int, border: int, first: int, width: int,
         begin: int, end: int) -> None:
    """Largest of 2 × 2 pixels, for rows ``begin:end`` and ``width`` columns from ``first`` on of the small image."""
    for channel in range(channels):
        for y in range(begin, end):
            upper, lower = source[channel, source_row + 2 * y], source[channel, source_row + 2 * y + 1]
            row = target[channel, target_row + y]
            for x in range(first, first + width):
                left, right = border + 2 * x, border + 2 * x + 1
                row[border + x] = max(max(upper[left], upper[right]), max(lower[left], lower[right]))


@compiled
def enlarge(source: Any, source_row: int, target: Any, target_row: int, channels: int, border: int, left: int,
            width: int, begin: int, end: int) -> None:
    """Repeat pixels 2 × 2 times, for rows ``begin:end`` and ``width`` columns of the large image from ``left`` on."""
    for channel in range(channels):
        for y in range(begin, end):
            for x in range(left, left + width):
                target[channel, target_row + y, border + x] = source[channel, source_row + y // 2, border + x // 2]


@compiled
def _activated(value: Any, activation: int) -> Any:
    if activation == RELU:
        return max(value, np.float32(0))
    if activation == SILU:
        return np.float32(value / (1 + np.exp(-value)))
    if activation == SIGMOID:
        return np.float32(1 / (1 + np.exp(-value)))
    if activation == ELU:
        return value if value > 0 else np.float32(np.expm1(value))
    if activation == SELU:
        return _SELU_SCALE * (value if value > 0 else _SELU_ALPHA * np.float32(np.expm1(value)))
    if activation == TANH:
        return np.float32(np.tanh(value))
    if activation == SOFTPLUS:
        return max(value, np.float32(0)) + np.float32(np.log1p(np.exp(-abs(value))))
    return value
