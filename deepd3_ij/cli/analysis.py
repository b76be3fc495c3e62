"""The commands ``demo`` and ``analyze``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from deepd3_ij import open_stack
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import reject_without_effect, typed_parameters
from deepd3_ij.cli.report import print_analysis, print_files
from deepd3_ij.files.atomic import check_output_folder
from deepd3_ij.files.results import Extras, stem_of, write_analysis
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
)
from deepd3_ij.stack import voxel_size_um

if TYPE_CHECKING:
    import xarray as xr

    from deepd3_ij.model import DeepD3Model
    from deepd3_ij.model.card import ModelCard
    from deepd3_ij.pipeline import Analysis
    from deepd3_ij.progress import Progress


def analyze(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij analyze``."""
    from deepd3_ij.model import load_model

    folder = check_output_folder(arguments.out)
    stack = open_stack(arguments.stack, xy_um=arguments.xy_um_given, z_um=arguments.z_um_given,
                       channel=arguments.channel, frame=arguments.frame)
    model = load_model(arguments.model)
    with shown_progress(arguments.quiet) as progress:
        analysis = analyze_stack(stack, model, arguments, progress)
        files = write_analysis(analysis, folder, stem_of(arguments.stack), extras_from(arguments),
                               progress=progress)
    print_analysis(analysis)
    print_files(files)


def analyze_stack(stack: xr.DataArray, model: DeepD3Model, arguments: argparse.Namespace, progress: Progress
                  ) -> Analysis:
    """Analyze a stack with what the user typed, then what the model's card recommends, then the defaults."""
    from deepd3_ij.pipeline import analyze as run_analysis

    card, size = model.card, voxel_size_um(stack)
    if arguments.no_clean:
        reject_without_effect(arguments, CleaningParameters, (Roi2DParameters, MeasureParameters),
                              "with --no-clean; leave one of them out")
    return run_analysis(
        stack, model,
        prediction_parameters=typed_parameters(PredictionParameters, arguments, card, size),
        cleaning_parameters=typed_parameters(CleaningParameters, arguments, card, size),
        cleaning=not arguments.no_clean,
        roi_parameters=roi_parameters_of(arguments, card, size),
        measure_parameters=typed_parameters(MeasureParameters, arguments, card, size),
        z_range=arguments.z_range, progress=progress)


def demo(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij demo``: simulate a stack, analyze it, compare with what was simulated."""
    from deepd3_ij.cli.demonstration import run

    run(check_output_folder(arguments.out), quiet=arguments.quiet)


def extras_from(arguments: argparse.Namespace) -> Extras:
    """The optional files that the user asked for."""
    return Extras(eight_bit=getattr(arguments, "eight_bit", False), roi_folder=arguments.roi_folder,
                  binary_roi_map=arguments.binary_roi_map, centroids=arguments.centroids)


def roi_parameters_of(arguments: argparse.Namespace, card: ModelCard, voxel_size_um: tuple[float, float, float]
                      ) -> Roi3DParameters | Roi2DParameters:
    """Parameters of the kind of ROIs that the user chose with ``--rois``.

    Raises
    ------
    ParameterError
        A value is not accepted, or an option of the other kind was typed.
    """
    flat = arguments.roi_dimensions == "2d"
    chosen, other = (Roi2DParameters, Roi3DParameters) if flat else (Roi3DParameters, Roi2DParameters)
    reject_without_effect(arguments, other, (chosen, CleaningParameters, MeasureParameters),
                          f"on {'2-D' if flat else '3-D'} ROIs; leave it out or give --rois {'3d' if flat else '2d'}")
    if flat:
        return typed_parameters(Roi2DParameters, arguments, card, voxel_size_um)
    return typed_parameters(Roi3DParameters, arguments, card, voxel_size_um)
