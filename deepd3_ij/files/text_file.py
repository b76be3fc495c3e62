"""Reading of small text files: tracings and tables from many programs."""

from __future__ import annotations

import codecs
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import AnnotationError, DeepD3Error, one_line
from deepd3_ij.input_limits import check_memory, check_regular

# A character takes up to four bytes in memory, and what is made of it several times as much.
_MEMORY_PER_BYTE = 16


def read_text(path: str | PathLike[str], kind: str, error: type[DeepD3Error] = AnnotationError) -> str:
    """Read a whole text file, whatever its byte-order mark and line ends.

    Parameters
    ----------
    path
        The file.
    kind
        What the file should be, for the message of an error ("tracing (SWC)", "table").
    error
        Kind of error.

    Returns
    -------
    str
        The text without byte-order mark. UTF-8 and UTF-16 are recognised; other bytes are taken as Latin-1,
        which concerns comments only.

    Raises
    ------
    DeepD3Error
        Of the kind given: the file is missing, no file, larger than memory, cannot be read or is no text.
    """
    name = Path(path).name
    size = check_regular(path, f"the path of a {kind}", error)
    check_memory(size * _MEMORY_PER_BYTE, name, "give a smaller file", error)
    try:
        data = Path(path).read_bytes()
    except OSError as reason:
        raise error(f"Cannot read the {kind} {path}: {one_line(reason)}; "
                    "give the path of a readable file.") from reason
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data:
        raise error(f"{name} is no text file; a {kind} is plain text. Export it as text.")
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines_of(text: str) -> list[str]:
    """Lines that end with CR, LF or both, and nothing else: a form feed or U+2028 in a comment ends no line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
