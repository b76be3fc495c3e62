"""A log of the worker in the user's folder, for what Fiji's Log window shows only while Fiji runs."""

from __future__ import annotations

import logging
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

NAME = "worker.log"
LARGEST_BYTES = 1_000_000
OLDER_FILES = 3

_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_file: Path | None = None


def log_to_file(folder: Path | None = None) -> Path | None:
    """Write this process' log also into a file; a full one is renamed, and the oldest of them removed.

    Parameters
    ----------
    folder
        Where it goes; the folder ``logs`` in the user's cache folder if None.

    Returns
    -------
    pathlib.Path or None
        The file; None if it cannot be written.
    """
    global _file
    with suppress(OSError):
        if folder is None:
            import pooch

            folder = Path(pooch.os_cache("deepd3_ij")) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / NAME, maxBytes=LARGEST_BYTES, backupCount=OLDER_FILES,
                                      encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter(_FORMAT))
        logging.getLogger().addHandler(handler)
        _file = folder / NAME
    return _file


def log_hint() -> str:
    """Where the details are, to be put behind a message; empty if there is no file."""
    return "" if _file is None else f" (details in {_file})"
