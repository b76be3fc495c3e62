"""Names of files as they may be shown: on one line, without characters that control a terminal."""

from __future__ import annotations

import unicodedata

_HIDDEN_KINDS = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # part of words in several scripts


def printable(text: object) -> str:
    r"""Escape what must not reach a terminal, a dialog or a file of text.

    Parameters
    ----------
    text
        Any text or path. Names of files may hold line breaks, control sequences, characters that turn the
        direction of writing, and bytes that are no UTF-8 (as lone surrogates).

    Returns
    -------
    str
        The same with those characters written as ``\n``, ``\x1b``, ``\u202e``; bytes that are no UTF-8 as ``\xfc``.
    """
    given = str(text)
    if given.isascii() and given.isprintable():
        return given
    return "".join(_escaped(letter) if _is_hidden(letter) else letter for letter in given)


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDDEN_KINDS and letter not in _JOINERS


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def storable(text: object) -> str:
    """Text that every file format takes: characters that :func:`printable` escapes become ``U+FFFD``."""
    return "".join("\ufffd" if _is_hidden(letter) else letter for letter in str(text))
