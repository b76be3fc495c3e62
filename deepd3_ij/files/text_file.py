"""Reading of small text files: tracings and tables from many programs."""

from __future__ import annotations

import codecs
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import AnnotationError, one_line


def read_text(path: str | PathLike[str], kind: str) -> str:
    """Read a whole text file, whatever its byte-order mark and line ends.

    Parameters
    ----------
    path
        The file.
    kind
        What the file should be, for the message of an error ("tracing (SWC)", "table").

    Returns
    -------
    str
        The text without byte-order mark. UTF-8 and UTF-16 are recognised; other bytes are taken as Latin-1,
        which concerns comments only.

    Raises
    ------
    AnnotationError
        The file is missing, cannot be read or is no text.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise AnnotationError(f"Cannot read the {kind} {path}: {one_line(error)}; "
                              "give the path of a readable file.") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data:
        raise AnnotationError(f"{name} is no text file; a {kind} is plain text. Export it as text.")
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("latin-1")
