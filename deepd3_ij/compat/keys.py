"""Key events of any toolkit, by name."""

from __future__ import annotations

from typing import Any

# Codes of Qt and of Java.
_NAMES = {0x01000007: "delete", 127: "delete", 0x01000012: "left", 37: "left", 0x01000014: "right", 39: "right"}


def key_name(event: Any) -> str:
    """Name of a pressed key in small letters: "b", "delete", "left".

    Parameters
    ----------
    event
        A name, a code, or an event with ``key()`` (Qt) or ``getKeyCode()`` (Java).
    """
    for method in ("key", "getKeyCode"):
        if hasattr(event, method):
            event = getattr(event, method)()
    if isinstance(event, str):
        return event.lower()
    code = int(event)
    return _NAMES.get(code) or (chr(code).lower() if 32 <= code < 127 else "")
