"""Java events that reach Python, work beside the event thread, errors and progress that a user sees."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any

from deepd3_ij.errors import Cancelled, DeepD3Error, one_line
from deepd3_ij.fiji.java import java_class

_log = logging.getLogger(__name__)


def listener(interface: str, result: Any = None, **methods: Callable[..., Any]) -> Any:
    """Java listener whose named methods are Python functions; the others do nothing.

    An error in a function is shown to the user (see :func:`show_error`) and never reaches Java's event thread.

    Parameters
    ----------
    interface
        For example ``"java.awt.event.MouseListener"``.
    result
        What methods return that have no function, and those whose function failed.
    **methods
        Functions by the name of the method.
    """
    import jpype

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:
                show_error(error)
                return result
        return call

    names = {str(method.getName()) for method in java_class(interface).class_.getMethods() if not method.isDefault()}
    return jpype.JProxy(interface, dict={
        name: guarded(methods.get(name, lambda *arguments: result)) for name in names})


def on_event_thread(function: Callable[[], Any]) -> None:
    """Run a function on Java's event thread, and wait for it."""
    thread = java_class("java.awt.EventQueue")
    if thread.isDispatchThread():
        function()
        return
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except Exception as error:
            failures.append(error)

    thread.invokeAndWait(listener("java.lang.Runnable", run=run))
    if failures:
        raise failures[0]


def in_background(function: Callable[[], Any]) -> threading.Thread:
    """Run a function in a thread of its own, so that windows stay alive; an error is shown to the user."""
    def run() -> None:
        try:
            function()
        except Cancelled:
            java_class("ij.IJ").showStatus("DeepD3: stopped, nothing was changed")
        except Exception as error:
            show_error(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def show_error(error: BaseException) -> None:
    """Show an error in ImageJ: one sentence in a dialog, the trace in the Log of unexpected ones."""
    ij = java_class("ij.IJ")
    message = one_line(error)
    if not isinstance(error, DeepD3Error):
        trace = "".join(traceback.format_exception(error))
        _log.error("%s", trace)
        ij.log(trace)
        message = f"Unexpected error: {type(error).__name__}: {message}. Details are in the Log window."
    ij.showStatus("DeepD3: " + message[:120])
    # The dialog waits for its button, and the caller may be the event thread.
    threading.Thread(target=lambda: ij.error("DeepD3", _wrapped(message)), daemon=True).start()


def imagej_progress(done: int, total: int, message: str, /) -> None:
    """Show progress in ImageJ's status bar; Esc stops the work.

    Raises
    ------
    Cancelled
        The user pressed Esc.
    """
    ij = java_class("ij.IJ")
    if ij.escapePressed():
        ij.resetEscape()
        ij.showProgress(1.0)
        raise Cancelled("Stopped with Esc; nothing was changed.")
    ij.showStatus(f"{message} ({done} of {total}; Esc stops)" if done < total else message)
    ij.showProgress(done / total if total else 1.0)


def _wrapped(text: str, width: int = 80) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))
