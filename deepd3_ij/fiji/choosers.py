"""Questions for a file, a folder or one of several things, in ImageJ's dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepd3_ij.errors import Cancelled
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.session import Session, connect, running_session


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


def choose_one(title: str, label: str, choices: Sequence[str]) -> str:
    """Ask for one of several things; raises as :func:`choose_file`."""
    visible_session()
    dialog = java_class("ij.gui.GenericDialog")(title)
    dialog.addChoice(label, list(choices), choices[0])
    dialog.showDialog()
    if dialog.wasCanceled():
        raise Cancelled("Nothing was chosen; nothing was changed.")
    return str(dialog.getNextChoice())
