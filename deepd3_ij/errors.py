"""The exceptions that a user can meet.

Each message is one line and says what went wrong, the value received, what is
accepted and the next step. The command line prints the message and exits with
code 1; Fiji shows it in a dialog; the trace goes to the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from deepd3_ij.printing import printable


def one_line(error: BaseException, limit: int = 300) -> str:
    """Turn any exception into one line for a message.

    White space becomes single blanks. An error of the system tells its reason alone, without number and file; an
    exception without a text its class. Own messages stay whole; those of others are cut at `limit` characters.
    """
    text = " ".join((getattr(error, "strerror", None) or str(error)).split()) or type(error).__name__
    return text if len(text) <= limit or isinstance(error, DeepD3Error) else text[:limit - 1] + "…"


_from_menu: ContextVar[bool] = ContextVar("from_menu", default=False)


@contextmanager
def asked_from_menu() -> Iterator[None]:
    """While this lasts, remedies name what Fiji's menu has."""
    token = _from_menu.set(True)
    try:
        yield
    finally:
        _from_menu.reset(token)


def remedy(command_line: str, menu: str) -> str:
    """The words for the interface that asks: options and shell commands, or menu commands and fields of dialogs."""
    return menu if _from_menu.get() else command_line


class DeepD3Error(Exception):
    """Base of every error that is addressed to the user; its text is one line, whatever names are in it.

    Attributes
    ----------
    exit_code
        What a program that ends with it returns.
    """

    exit_code = 1

    def __init__(self, *parts: object) -> None:
        super().__init__(*(printable(part) if isinstance(part, str) else part for part in parts))


class StackError(DeepD3Error):
    """An image file or array that cannot be used as a stack."""


class VoxelSizeError(StackError):
    """A stack whose voxel size is unknown, unusable or contradictory."""


class ChannelError(StackError):
    """A file with several channels or time points of which none, or one that it lacks, was chosen."""


class ParameterError(DeepD3Error):
    """A parameter outside of its accepted range or of the wrong type."""


class ModelError(DeepD3Error):
    """A model file that is missing, unsafe, damaged or of the wrong shape."""


class AnnotationError(DeepD3Error):
    """An annotation (SWC, mask, ROI, table) that cannot be read."""


class FileFormatError(DeepD3Error):
    """A data file (HDF5, ROI zip, CSV) that is damaged or of another kind."""


class OutputError(DeepD3Error):
    """A result that cannot be written."""


class FijiError(DeepD3Error):
    """Java, ImageJ or Fiji is missing, too old or did not do as asked."""


class Cancelled(DeepD3Error):  # noqa: N818 - an outcome, not a fault
    """The user stopped the work; nothing was changed."""
