"""The chain of pages of a TIFF file, followed and checked before any library opens the file.

A page is an image file directory (TIFF 6.0, section 2): a count, that many entries, and the place of the next page. A
damaged file can lead in circles or name more pages than it has bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from deepd3_ij.errors import StackError
from deepd3_ij.input_limits import check_regular

WHAT = "the name of a TIFF file"
_MAGIC = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, SAMPLE_FORMAT = 256, 257, 258, 259, 277, 339
_LOOKED_AT = (WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, SAMPLE_FORMAT)
_LARGEST_ENTRY_COUNT = 65_535
_BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


PageForm = Mapping[int, int]
"""Numbers by tag that a page states about its size and storage."""


@dataclass(frozen=True)
class PageEntry:
    """One page: where its directory lies, and what its entries say about size and storage."""

    offset: int
    form: PageForm


@dataclass(frozen=True)
class PageChain:
    """All pages of a file.

    Attributes
    ----------
    pages
        In the order of the chain.
    complete
        The chain ends as it should, and not at the end of the file.
    """

    pages: tuple[PageEntry, ...]
    complete: bool

    def __len__(self) -> int:
        return len(self.pages)


def read_chain(path: str | PathLike[str]) -> PageChain:
    """Follow the chain of pages.

    Parameters
    ----------
    path
        TIFF or BigTIFF file.

    Returns
    -------
    PageChain

    Raises
    ------
    StackError
        The file is missing, no file, empty or no TIFF, or its chain of pages leads in a circle or nowhere.
    """
    file = Path(path)
    size = check_regular(file, WHAT, StackError)
    try:
        with file.open("rb") as stream:
            return _follow(stream, size, file.name)
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror or error}.") from error


def _follow(stream: BinaryIO, size: int, name: str) -> PageChain:
    read_at = _reader(stream)
    start = read_at(0, 16)
    if not start:
        raise StackError(f"{name} is empty; accepted: a TIFF file with at least one plane.")
    order = _MAGIC.get(start[:4])
    if order is None:
        raise StackError(f"{name} is not a TIFF file; save it as TIFF first (in Fiji: File ▸ Save As ▸ Tiff…).")
    big = start[2:4] in (b"+\0", b"\0+")
    first, count_format, next_format, entry_format, entry_bytes = (
        (8, "Q", "Q", "HHQ", 20) if big else (4, "H", "I", "HHI", 12))
    count_bytes, next_bytes = struct.calcsize(order + count_format), struct.calcsize(order + next_format)
    pages: list[PageEntry] = []
    seen: set[int] = set()
    place = _number(order + next_format, start[first:first + next_bytes])
    while place:
        if place in seen:
            raise StackError(f"{name} is damaged: its chain of pages leads in a circle after {len(pages)} pages; "
                             "export it again.")
        seen.add(place)
        count = _number(order + count_format, read_at(place, count_bytes))
        if count is None or not count:
            return _checked(PageChain(tuple(pages), False), name)
        if count > _LARGEST_ENTRY_COUNT:
            raise StackError(f"{name} is damaged: page {len(pages)} (0-based) states {count} entries; export it again.")
        entries = read_at(place + count_bytes, count * entry_bytes + next_bytes)
        if len(entries) < count * entry_bytes:
            return _checked(PageChain(tuple(pages), False), name)
        pages.append(_entry(place, entries[:count * entry_bytes], order, entry_format, entry_bytes, size))
        place = _number(order + next_format, entries[count * entry_bytes:])
        if place is None:
            return PageChain(tuple(pages), False)
    return _checked(PageChain(tuple(pages), True), name)


def _reader(stream: BinaryIO) -> Callable[[int, int], bytes]:
    def read_at(offset: int, count: int) -> bytes:
        try:
            stream.seek(offset)
        except (OSError, OverflowError, ValueError):
            return b""
        return bytes(stream.read(count))

    return read_at


def _number(form: str, data: bytes) -> int | None:
    """A whole number, None if the bytes end before."""
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else None


def _entry(place: int, entries: bytes, order: str, entry_format: str, entry_bytes: int, size: int) -> PageEntry:
    form: dict[int, int] = {}
    value_bytes = entry_bytes - struct.calcsize(order + entry_format)
    for start in range(0, len(entries), entry_bytes):
        code, kind, count = struct.unpack_from(order + entry_format, entries, start)
        if code in _LOOKED_AT:
            width = _BYTES_OF_TYPE.get(kind, 0)
            inline = 0 < width * count <= value_bytes
            value = entries[start + entry_bytes - value_bytes:start + entry_bytes]
            # A list of equal values lies elsewhere; its place tells nothing, its length does.
            form[code] = (int.from_bytes(value[:width], "little" if order == "<" else "big") if inline
                          else -min(count, size))
    return PageEntry(place, form)


def _checked(chain: PageChain, name: str) -> PageChain:
    if not chain.pages:
        raise StackError(f"{name} has no image planes, or is truncated before the first; accepted: a TIFF file with at "
                         "least one plane.")
    return chain
