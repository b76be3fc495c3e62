"""``deepd3-inference`` and ``deepd3-training``: ImageJ with the menu of DeepD3."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from deepd3_ij.errors import Cancelled, FijiError, StackError
from deepd3_ij.fiji.java import end_process, java_class
from deepd3_ij.fiji.session import Session, connect
from deepd3_ij.program import debug_wanted, run_program
from deepd3_ij.service.in_process import add_menu, commands, publish, run_command, start_command
from deepd3_ij.service.menu import menu_folder
from deepd3_ij.stems import beside

OPEN, LOAD, PANEL = "Open DeepD3 Stack...", "Load DeepD3 Results...", "Spine Panel"
CREATE = "Create DeepD3 Training Data..."
_RESULTS = {"prediction": ".prediction", "rois": ".rois"}


def inference_parser() -> argparse.ArgumentParser:
    """Make the parser of ``deepd3-inference``."""
    parser = argparse.ArgumentParser(prog="deepd3-inference", description="Open a stack in ImageJ with the menu "
                                     "Plugins > DeepD3: segment, build ROIs, correct them, measure, export.")
    parser.add_argument("stack", nargs="?", metavar="STACK", help="TIFF file to open.")
    parser.add_argument("--prediction", metavar="FILE", help="Prediction to load. Default: the .prediction file of the "
                        "stack's name beside it, if there is one.")
    parser.add_argument("--rois", metavar="FILE", help="ROIs to load. Default: the .rois file of the stack's name "
                        "beside it, if there is one.")
    parser.add_argument("--xy", type=float, metavar="UM", help="Size of a pixel in µm. Default: from the file.")
    parser.add_argument("--z", type=float, metavar="UM", help="Distance between planes in µm. Default: from the file.")
    return _with_common_options(parser)


def training_parser() -> argparse.ArgumentParser:
    """Make the parser of ``deepd3-training``."""
    return _with_common_options(argparse.ArgumentParser(
        prog="deepd3-training", description="Open ImageJ with the menu Plugins > DeepD3 and begin with Create DeepD3 "
        "Training Data...; the other steps of a training are in DeepD3 8 Training."))


def inference(argv: Sequence[str] | None = None) -> int:
    """Open ImageJ with the menu and a stack, until the user quits it: ``deepd3-inference``.

    Parameters
    ----------
    argv
        Arguments of the command line; those of the process if None.

    Returns
    -------
    int
        0; as a program, it ends here, with 1 and a line on the error stream where it cannot begin.
    """
    return _run(inference_parser(), argv, _checked, _begin_with_stack)


def training(argv: Sequence[str] | None = None) -> int:
    """Open ImageJ with the menu and the first step of a training, until the user quits it: ``deepd3-training``.

    As :func:`inference`.
    """
    return _run(training_parser(), argv, lambda arguments: None, _begin_with_training)


def _with_common_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--fiji", metavar="FOLDER", help="Fiji folder or Maven endpoint to use. Default: the "
                        "configured Fiji, else the embedded ImageJ.")
    parser.add_argument("--debug", action="store_true", help="Print the trace of an error.")
    return parser


def _run(parser: argparse.ArgumentParser, argv: Sequence[str] | None, check: Callable[[argparse.Namespace], None],
         begin: Callable[[Session, argparse.Namespace], None]) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(given)

    def work() -> None:
        check(arguments)
        session = connect(arguments.fiji, mode="interactive")
        try:
            publish(session)
            add_menu(session)
            begin(session, arguments)
            session.wait_for_user()
        finally:
            shutil.rmtree(menu_folder(), ignore_errors=True)  # the process ends without Python's own end

    end_process(run_program(parser.prog, work, debug=debug_wanted(given), signals=False))
    return 0


def _checked(arguments: argparse.Namespace) -> None:
    if arguments.stack is None and (arguments.prediction or arguments.rois):
        raise StackError("There is no STACK to which the results belong; give it before the options.")
    for path, accepted in ((arguments.stack, "a TIFF file"), (arguments.prediction, "a .prediction file"),
                           (arguments.rois, "a .rois file")):
        if path is not None and not Path(path).is_file():
            raise StackError(f"There is no file {path}; give {accepted}, or none.")


def _begin_with_stack(session: Session, arguments: argparse.Namespace) -> None:
    if arguments.stack is None:
        return
    path = Path(arguments.stack).absolute()
    results = {name: getattr(arguments, name) for name in _RESULTS}
    values = {"path": path, "saved": not any(results.values()), "xy_um": arguments.xy, "z_um": arguments.z}
    try:
        run_command(session, OPEN, **values)
    except FijiError:  # which the user has read; what the file does not say is asked for
        with suppress(Cancelled, FijiError):
            run_command(session, OPEN, ask=True, **values)
    stack = java_class("ij.WindowManager").getCurrentImage()
    if stack is None:
        return
    for name, given in results.items() if not values["saved"] else ():
        file = Path(given or beside(path, _RESULTS[name])).absolute()
        if file.is_file():
            with suppress(Cancelled, FijiError):  # the user has read why
                run_command(session, LOAD, path=file, image=stack)
    if PANEL in commands():
        start_command(session, PANEL, ask=True)


def _begin_with_training(session: Session, arguments: argparse.Namespace) -> None:
    start_command(session, CREATE, ask=True)
