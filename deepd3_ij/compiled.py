"""Functions compiled by numba, with a cache wherever one can be kept."""

from __future__ import annotations

import inspect
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function on first use; it then runs without the interpreter's lock.

    What was compiled is kept beside the module, else in the user's cache folder, else in a folder of the user's in
    the temporary one, else not at all; generators are kept with what calls them. A cache that is damaged, or that
    cannot be written any more, is left alone: compiling again costs seconds, and must not cost an analysis.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
    # numba cannot compile what calls a generator that it took from a cache: a KeyError.
    cache = None if inspect.isgeneratorfunction(function) else _cache_of(function)
    if cache is not None:
        dispatcher._cache = cache
    result: F = dispatcher
    return result


class _Cache(FunctionCache):
    """numba's cache, which never fails the caller."""

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # damaged files are unpickled into anything
            with suppress(Exception):
                self.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(signature, data)


def _cache_of(function: Callable[..., Any]) -> _Cache | None:
    try:
        return _Cache(function)
    except RuntimeError:  # no place can be written
        folder = _private_folder()
    if folder is None:
        return None
    settings: Any = numba.config
    settings.CACHE_DIR = str(folder)
    try:
        return _Cache(function)
    except RuntimeError:
        return None


def _private_folder() -> Path | None:
    """A folder that nobody else can have filled: what numba finds in its cache, it executes."""
    try:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        folder = Path(tempfile.gettempdir()) / f"deepd3_ij-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    private = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)
    return folder if private and stat.S_ISDIR(status.st_mode) else None
