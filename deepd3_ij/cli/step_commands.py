"""The commands ``segment``, ``clean``, ``rois`` and ``measure``: the steps of ``analyze``, from files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from deepd3_ij import open_stack
from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.analyze_commands import extras_from, roi_parameters_of
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.cli.report import print_files, print_no_spine
from deepd3_ij.errors import ParameterError
from deepd3_ij.outputs.analysis_files import write_maps, write_measurements, write_roi_files, write_together
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    PredictionParameters,
)
from deepd3_ij.stack import provenance_of, voxel_size_um
from deepd3_ij.stems import stem_of

if TYPE_CHECKING:
    from deepd3_ij.model.card import ModelCard


def segment(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij segment``; planes are read and written one by one."""
    from deepd3_ij.model import load_model
    from deepd3_ij.outputs.streamed_maps import predict_to_files

    folder = check_output_folder(arguments.out)
    stack = open_stack(arguments.stack, xy_um=arguments.xy_um_given, z_um=arguments.z_um_given,
                       channel=arguments.channel, frame=arguments.frame, lazy=True)
    model = load_model(arguments.model)
    parameters = typed_parameters(PredictionParameters, arguments, model.card, voxel_size_um(stack))
    with shown_progress(arguments.quiet) as progress:
        files = predict_to_files(stack, model, parameters, folder, stem_of(arguments.stack),
                                 z_range=arguments.z_range, eight_bit=arguments.eight_bit, progress=progress)
    print_files(files)


def clean(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij clean``; the input stays as it is."""
    from deepd3_ij.cleaning import clean as clean_prediction

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    parameters = typed_parameters(CleaningParameters, arguments, _card_of(prediction, arguments),
                                  voxel_size_um(prediction))
    with shown_progress(arguments.quiet) as progress:
        cleaned = clean_prediction(prediction, parameters, progress)
        files = write_together([lambda place: write_maps(cleaned, place, f"{stem}_cleaned")], folder, stem,
                               progress=progress)
    print_files(files)


def rois(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij rois``."""
    from deepd3_ij.measurement import measure as measure_rois
    from deepd3_ij.pipeline import build_rois

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    card, size = _card_of(prediction, arguments), voxel_size_um(prediction)
    parameters = roi_parameters_of(arguments, card, size)
    limits = typed_parameters(MeasureParameters, arguments, card, size)
    extras = extras_from(arguments)
    with shown_progress(arguments.quiet) as progress:
        found = build_rois(prediction, parameters, progress)
        measurements = measure_rois(found, prediction, None, limits, progress)
        files = write_together([lambda place: write_roi_files(found, place, stem, extras),
                                lambda place: write_measurements(measurements, place, stem)],
                               folder, stem, found if extras.roi_folder else None, progress=progress)
    print(f"{len(found)} ROIs")
    print_no_spine(len(found), prediction)
    print_files(files)


def measure(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij measure``."""
    from deepd3_ij.files.opening import read_rois_of_any_kind
    from deepd3_ij.measurement import measure as measure_rois

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    stack = None
    if arguments.stack:
        size = voxel_size_um(prediction)
        stack = open_stack(arguments.stack, xy_um=size[1], z_um=size[0], channel=arguments.channel,
                           frame=arguments.frame)
    found = read_rois_of_any_kind(arguments.rois, prediction)
    limits = typed_parameters(MeasureParameters, arguments, _card_of(prediction, arguments),
                              voxel_size_um(prediction))
    with shown_progress(arguments.quiet) as progress:
        measurements = measure_rois(found, prediction, stack, limits, progress)
        files = write_together([lambda place: write_measurements(measurements, place, stem)], folder, stem,
                               progress=progress)
    print(f"{len(found)} ROIs")
    print_files(files)


def _open_maps(arguments: argparse.Namespace) -> tuple[xr.Dataset, str]:
    """The probability maps that the user named, and the stem of the results' names."""
    from deepd3_ij.files.opening import read_maps

    pair = (arguments.dendrite, arguments.spine)
    if bool(arguments.prediction) == any(pair) or (any(pair) and not all(pair)):
        raise ParameterError("Give the probability maps as --prediction FILE, or as --dendrite TIFF and --spine TIFF.")
    source = [Path(arguments.prediction)] if arguments.prediction else [Path(path) for path in pair]
    return read_maps(source, xy_um=arguments.xy_um_given, z_um=arguments.z_um_given), stem_of(source[-1])


def _card_of(prediction: xr.Dataset, arguments: argparse.Namespace) -> ModelCard:
    """Recommendations of the model that made the maps, so that the steps equal ``analyze``; empty if unknown."""
    from deepd3_ij.model.card import ModelCard

    card = ModelCard.from_provenance(provenance_of(prediction))
    if card.recommended and not arguments.quiet:
        print(f"What is not typed is as the model {card.name} recommends.", file=sys.stderr)
    return card
