"""Damaged copies of files: flipped and lost bytes, absurd numbers, pieces of others; the same for the same seed."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Sequence

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1,
            2**64 - 1)
_WORDS = (b"0", b"-1", b"1e308", b"-1e300", b"1e10", b"nan", b"inf", b"-inf", b"99999999999999999999999999",
          b"2147483648", b"1e-300", b"", b"null", b"true", b"[]", b"{}", b'"a"', b"0,5", b"\xff\xfe", b"\xc2\xb5",
          b"\0", b"..", b"/", b"200000000", b"65536")


def damaged(samples: Sequence[bytes], seed: int) -> bytes:
    """A damaged copy of one of the samples.

    Parameters
    ----------
    samples
        Whole files.
    seed
        Number of the copy.
    """
    rng = random.Random(seed)
    data = bytearray(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_CHANGES)(data, rng, samples)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """A place in the file; the first bytes, which decide most, are as likely as all others."""
    end = len(data)
    return rng.randrange(min(end, 512) if rng.random() < 0.4 else end) if end else 0


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_place(data, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    size, form = rng.choice(((2, "H"), (4, "I"), (8, "Q"), (4, "f"), (8, "d")))
    place = _place(data, rng)
    if form in "fd":
        value: float = rng.choice((float("nan"), float("inf"), 1e30, -1e30, 1e-30, 0.0, -1.0))
    else:
        value = rng.choice(_NUMBERS) % (1 << 8 * size)
    data[place:place + size] = struct.pack(rng.choice("<>") + form, value)


def _word(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """Another number or word in the place of one in a text."""
    found = [match.span() for match in re.finditer(rb"-?\d+(?:\.\d+)?|[A-Za-z_]\w+", bytes(data[:20_000]))]
    if found:
        begin, end = rng.choice(found)
        data[begin:end] = rng.choice(_WORDS)


def _cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, rng):]


def _lose(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    place = _place(data, rng)
    del data[place:place + rng.choice((1, 2, 4, 16, 100))]


def _repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    place, size = _place(data, rng), rng.choice((1, 4, 12, 100))
    data[place:place] = data[place:place + size] * rng.choice((1, 2, 50))


def _insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    place = _place(data, rng)
    data[place:place] = rng.choice((rng.randbytes(rng.choice((1, 4, 16))), rng.choice(_WORDS)))


def _splice(data: bytearray, rng: random.Random, samples: Sequence[bytes]) -> None:
    """A piece of another file of the kind."""
    other = rng.choice(samples)
    if other and data:
        begin = rng.randrange(len(other))
        place = _place(data, rng)
        piece = other[begin:begin + rng.choice((4, 12, 64, 400))]
        data[place:place + len(piece)] = piece


_CHANGES = (_flip, _flip, _set, _set, _number, _number, _number, _word, _word, _cut, _lose, _repeat, _insert, _splice)
