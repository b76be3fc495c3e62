"""The commands ``demo`` and ``analyze``."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from typing import Any

from deepd3_ij import open_stack
from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import reject_without_effect, typed_values
from deepd3_ij.cli.report import print_analysis, print_files, print_plan
from deepd3_ij.files.zarr_stores import is_address
from deepd3_ij.memory import kept_to, plan
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import endings_of, needed_bytes, with_extras, write_analysis
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
)
from deepd3_ij.pipeline import STEPS, check_typed
from deepd3_ij.slabs import in_workspace, shape_of
from deepd3_ij.stems import stem_of


def analyze(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij analyze``."""
    from deepd3_ij.batch.cluster_prediction import predict_on_cluster
    from deepd3_ij.batch.cluster_slabs import slabs_on_cluster
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze as analyze_stack
    from deepd3_ij.segmentation.prediction import bytes_of_plane

    typed = typed_of(arguments)
    folder, kinds = check_output_folder(arguments.out), with_extras(arguments.outputs)
    ledger = Ledger(folder, stem_of(arguments.stack), arguments.overwrite)
    ledger.check(endings_of(kinds), [arguments.stack, arguments.model])
    opening = {"xy_um": arguments.xy_um, "z_um": arguments.z_um, "channel": arguments.channel,
               "frame": arguments.frame, "level": arguments.level}
    stack = open_stack(arguments.stack, **opening, lazy=True)
    model = load_model(arguments.model)
    planned = plan(shape_of(stack), arguments.memory, what=str(stack.dtype), image_bytes=stack.dtype.itemsize,
                   predicted=not arguments.scheduler, cleaned=arguments.cleaning is not False,
                   shared=bool(arguments.scheduler),
                   plane_bytes=bytes_of_plane(stack, model, typed[PredictionParameters], arguments.region),
                   output_bytes=needed_bytes(stack, kinds))
    print_plan(planned, asked=arguments.memory is not None, quiet=arguments.quiet)
    chosen = {"z_range": arguments.z_range, "region": arguments.region}
    with kept_to(planned, folder) as scratch, ExitStack() as kept:  # what is told reads the maps, too
        with shown_progress(arguments.quiet) as progress:
            prediction = None
            if arguments.scheduler:
                assert scratch is not None
                where = arguments.stack if is_address(arguments.stack) else os.path.abspath(arguments.stack)
                slabs = kept.enter_context(slabs_on_cluster(arguments.scheduler, scratch, arguments.memory))
                prediction = predict_on_cluster(slabs, {"path": where, **opening}, stack, model,
                                                typed[PredictionParameters], **chosen, progress=progress)
            stack = in_workspace(stack, progress)
            analysis = analyze_stack(stack, model, typed, prediction=prediction, **chosen, progress=progress)
            files = write_analysis(analysis, folder, ledger.stem, kinds, ledger=ledger, progress=progress)
        print_analysis(analysis)
    print_files(files)


def typed_of(arguments: argparse.Namespace) -> dict[type[Parameters], dict[str, Any]]:
    """What the user typed for the steps of an analysis.

    Raises
    ------
    ParameterError
        A value is not accepted, or an option was typed that has no effect on the kind of ROIs that the user chose,
        or with ``--no-clean``.
    """
    if arguments.cleaning is False:
        reject_without_effect(arguments, CleaningParameters, (Roi2DParameters, MeasureParameters),
                              "with --no-clean; leave one of them out")
    roi_class = roi_class_of(arguments)
    classes = [cls for cls in STEPS if cls not in (Roi2DParameters, Roi3DParameters) or cls is roi_class]
    typed: dict[type[Parameters], dict[str, Any]] = {cls: typed_values(cls, arguments) for cls in classes}
    check_typed(typed)
    return typed


def demo(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij demo``: simulate a stack, analyze it, compare with what was simulated."""
    from deepd3_ij.cli.demonstration import run

    run(check_output_folder(arguments.out), overwrite=arguments.overwrite, quiet=arguments.quiet)


def roi_class_of(arguments: argparse.Namespace) -> type[Roi3DParameters] | type[Roi2DParameters]:
    """The kind of ROIs that the user chose with ``--rois``.

    Raises
    ------
    ParameterError
        An option of the other kind was typed.
    """
    flat = arguments.roi_dimensions == "2d"
    chosen, other = (Roi2DParameters, Roi3DParameters) if flat else (Roi3DParameters, Roi2DParameters)
    reject_without_effect(arguments, other, (chosen, CleaningParameters, MeasureParameters),
                          f"on {'2-D' if flat else '3-D'} ROIs; leave it out or give --rois {'3d' if flat else '2d'}")
    return Roi2DParameters if flat else Roi3DParameters
