"""Making training data in ImageJ's dialogs (``deepd3-training``)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from deepd3_ij.errors import AnnotationError, Cancelled, DeepD3Error, VoxelSizeError
from deepd3_ij.fiji.choosers import choose_file, choose_one, visible_session
from deepd3_ij.fiji.dialogs import ask
from deepd3_ij.fiji.events import show_error
from deepd3_ij.fiji.java import end_process
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.parameters import TrainingDataParameters, VoxelSizeParameters
from deepd3_ij.program import debug_wanted, run_program
from deepd3_ij.stack import label_prediction, label_stack, voxel_size_um
from deepd3_ij.training.dataset import arrange_training_data, create_training_data, read_training_data

_BOX_FIELDS = ("x_px", "y_px", "width_px", "height_px", "z_begin", "z_end")


def main(argv: Sequence[str] | None = None) -> int:
    """Make training data in ImageJ's dialogs until the user cancels.

    Parameters
    ----------
    argv
        Arguments of the command line; there are none but ``--help``.

    Returns
    -------
    int
        0; as a program, it ends here, with 1 and a line on the error stream where there is no display.
    """
    parser = argparse.ArgumentParser(prog="deepd3-training", description="Make training data in ImageJ's dialogs: "
                                     "d3data files of stacks and annotations, and d3set files of those.")
    parser.add_argument("--debug", action="store_true", help="Print the trace of an error.")
    given = list(sys.argv[1:] if argv is None else argv)
    parser.parse_args(given)
    end_process(run_program("deepd3-training", _ask_for_steps, debug=debug_wanted(given), signals=False))
    return 0


def _ask_for_steps() -> None:
    steps: dict[str, Callable[[], None]] = {
        "Create training data": create, "View training data": view, "Arrange training data": arrange}
    while True:
        try:
            step = steps[choose_one("DeepD3 training data", "Step", list(steps))]
        except Cancelled:
            return
        try:
            step()
        except Cancelled:
            continue
        except DeepD3Error as error:
            show_error(error)


def create() -> None:
    """Ask for a stack, its voxel size, a box and the annotations, and write the d3data file."""
    path = choose_file("Stack")
    try:
        stack = open_stack(path, lazy=True)
        z_um, xy_um, _ = voxel_size_um(stack)
        size = ask("Resolution", VoxelSizeParameters(xy_um=xy_um, z_um=z_um))
    except VoxelSizeError:
        size = ask("Resolution", VoxelSizeParameters())
        if size is not None:
            stack = open_stack(path, xy_um=size.xy_um, z_um=size.z_um, lazy=True)
    if size is None:
        raise Cancelled("Nothing was saved.")
    depth, rows, columns = stack.shape
    box = ask("Box", TrainingDataParameters(width_px=columns, height_px=rows, z_end=depth - 1), names=_BOX_FIELDS)
    if box is None:
        raise Cancelled("Nothing was saved.")
    dendrites = choose_file("Dendrites (SWC tracing, or TIFF mask)")
    spines = choose_file("Spines (TIFF mask or labels, ROI zip, .mask)")
    out = choose_file("Save the training data", save=True, default=path.stem, suffix=".d3data")
    create_training_data(path, dendrites, spines, out, box, xy_um=size.xy_um, z_um=size.z_um)


def view() -> None:
    """Show a d3data file: the stack with its masks in colour."""
    data = read_training_data(choose_file("Training data (d3data)"))[0]
    stack = label_stack(data.stack, xy_um=data.xy_um, z_um=data.z_um, source="training data")
    masks = label_prediction(data.dendrite.astype(np.float32), data.spines.astype(np.float32), stack, {})
    visible_session().push_merged(stack, masks)


def arrange() -> None:
    """Ask for d3data files until the user cancels, and write them as a d3set."""
    files: list[Path] = []
    try:
        while True:
            files.append(choose_file("Add training data (d3data); cancel when all are chosen"))
    except Cancelled:
        if not files:
            raise
    if any(file.suffix.lower() != ".d3data" for file in files):
        other = next(file for file in files if file.suffix.lower() != ".d3data")
        raise AnnotationError(f"{other.name} is no d3data file; choose files that Create training data made.")
    arrange_training_data(files, choose_file("Save the training set", save=True, default="training", suffix=".d3set"))
