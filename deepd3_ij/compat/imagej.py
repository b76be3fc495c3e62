"""ImageJ for the guide's classes: the session, its questions for files, its progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from deepd3_ij.errors import Cancelled
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.session import Session, connect, running_session
from deepd3_ij.parameters import Parameters

P = TypeVar("P", bound=Parameters)


def visible_session() -> Session:
    """The running session, or a new one with ImageJ on the display.

    Raises
    ------
    FijiError
        There is no display.
    """
    session = running_session()
    return connect(mode="interactive") if session is None else session


def choose_file(title: str, *, save: bool = False, default: str = "", suffix: str = "") -> Path:
    """Ask for a file.

    Parameters
    ----------
    title
        Title of the dialog.
    save
        Ask where to save.
    default, suffix
        Name to begin with, and its suffix, when saving.

    Raises
    ------
    Cancelled
        The user chose none.
    FijiError
        There is no display.
    """
    visible_session()
    dialog = (java_class("ij.io.SaveDialog")(title, default, suffix) if save
              else java_class("ij.io.OpenDialog")(title))
    folder, name = text_of(dialog.getDirectory()), text_of(dialog.getFileName())
    if folder is None or name is None:
        raise Cancelled("No file was chosen; nothing was changed.")
    return Path(folder) / name


def choose_folder(title: str) -> Path:
    """Ask for a folder; raises as :func:`choose_file`."""
    visible_session()
    folder = text_of(java_class("ij.io.DirectoryChooser")(title).getDirectory())
    if folder is None:
        raise Cancelled("No folder was chosen; nothing was changed.")
    return Path(folder)


def ask(title: str, parameters: P) -> P:
    """Ask for parameters in a dialog as those of Fiji's menu.

    Raises
    ------
    Cancelled
        The user gave none.
    FijiError
        There is no display.
    """
    from deepd3_ij.service.asking import ask_parameters

    return ask_parameters(visible_session(), title, parameters)


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
