"""The commands ``segment``, ``clean``, ``rois`` and ``measure``: the steps of ``analyze``, from files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

import xarray as xr

from deepd3_ij import open_stack
from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.analyze_commands import roi_class_of
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import typed_values
from deepd3_ij.cli.report import print_files, print_no_spine, print_plan
from deepd3_ij.errors import ParameterError
from deepd3_ij.memory import Plan, kept_to, plan
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import Results, endings_of, needed_bytes, output_of, with_extras, write_outputs
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    recommended_of,
)
from deepd3_ij.progress import Progress
from deepd3_ij.rois import build_rois_2d, build_rois_3d
from deepd3_ij.slabs import in_workspace, shape_of
from deepd3_ij.stack import MAPS, provenance_of, voxel_size_um
from deepd3_ij.stems import stem_of

_MAP_KINDS = ("maps", "prediction_file")


def segment(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij segment``; planes are read and written one by one."""
    from deepd3_ij.model import load_model
    from deepd3_ij.outputs.streamed_maps import predict_to_files
    from deepd3_ij.segmentation.prediction import bytes_of_plane

    folder = check_output_folder(arguments.out)
    ledger = Ledger(folder, stem_of(arguments.stack), arguments.overwrite)
    in_zarr = [name for name in with_extras(arguments.outputs, ()) if output_of(name).choice[0]]
    ledger.check(endings_of((*_MAP_KINDS, *in_zarr)), [arguments.stack, arguments.model])
    stack = open_stack(arguments.stack, xy_um=arguments.xy_um, z_um=arguments.z_um,
                       channel=arguments.channel, frame=arguments.frame, level=arguments.level, lazy=True)
    model = load_model(arguments.model)
    typed = typed_values(PredictionParameters, arguments)
    planned = plan(shape_of(stack), arguments.memory, what=str(stack.dtype), predicted=True, in_files=True,
                   plane_bytes=bytes_of_plane(stack, model, typed, arguments.region),
                   output_bytes=needed_bytes(stack, _MAP_KINDS))
    print_plan(planned, asked=arguments.memory is not None, quiet=arguments.quiet)
    with kept_to(planned, folder), shown_progress(arguments.quiet) as progress:
        files = predict_to_files(stack, model, typed, folder, ledger.stem, z_range=arguments.z_range,
                                 region=arguments.region, eight_bit="maps_8bit" in arguments.outputs,
                                 ome_zarr=output_of(in_zarr[0]).choice[1] if in_zarr else "", ledger=ledger,
                                 progress=progress)
    print_files(files)


def clean(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij clean``; the input stays as it is."""
    from deepd3_ij.cleaning import clean as clean_prediction

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    ledger = Ledger(folder, f"{stem}_cleaned", arguments.overwrite)
    ledger.check(endings_of(_MAP_KINDS), _inputs(arguments))
    _tell_recommended(prediction, arguments)
    planned = _planned(prediction, _MAP_KINDS, arguments, cleaned=True)
    with kept_to(planned, folder), shown_progress(arguments.quiet) as progress:
        prediction = _loaded(prediction, progress)
        cleaned = clean_prediction(prediction, typed_values(CleaningParameters, arguments), progress)
        files = write_outputs(Results(prediction=cleaned), folder, ledger.stem, _MAP_KINDS, ledger=ledger,
                              progress=progress)
    print_files(files)


def rois(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij rois``."""
    from deepd3_ij.measurement import measure as measure_rois

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    roi_class = roi_class_of(arguments)
    _tell_recommended(prediction, arguments)
    kinds = with_extras(arguments.outputs, ("roi_map", "roi_zip", "tables"))
    ledger = Ledger(folder, stem, arguments.overwrite)
    ledger.check(endings_of(kinds), _inputs(arguments))
    planned = _planned(prediction, kinds, arguments)
    with kept_to(planned, folder):
        with shown_progress(arguments.quiet) as progress:
            prediction = _loaded(prediction, progress)
            if roi_class is Roi2DParameters:
                found = build_rois_2d(prediction, typed_values(Roi2DParameters, arguments), progress)
            else:
                found = build_rois_3d(prediction, typed_values(Roi3DParameters, arguments), progress)
            measurements = measure_rois(found, prediction, None, typed_values(MeasureParameters, arguments), progress)
            files = write_outputs(Results(None, prediction, found, measurements), folder, stem, kinds, ledger=ledger,
                                  progress=progress)
        print(f"{len(found)} ROIs")
        print_no_spine(len(found), prediction)
    print_files(files)


def measure(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij measure``."""
    from deepd3_ij.files.opening import read_rois_of_any_kind
    from deepd3_ij.measurement import measure as measure_rois

    folder = check_output_folder(arguments.out)
    prediction, stem = _open_maps(arguments)
    ledger = Ledger(folder, stem, arguments.overwrite)
    ledger.check(endings_of(("tables",)), [*_inputs(arguments), arguments.stack, arguments.rois])
    stack = None
    if arguments.stack:
        size = voxel_size_um(prediction)
        stack = open_stack(arguments.stack, xy_um=size[1], z_um=size[0], channel=arguments.channel,
                           frame=arguments.frame, level=arguments.level, lazy=True)
    _tell_recommended(prediction, arguments)
    planned = _planned(prediction, ("tables",), arguments, image_bytes=0 if stack is None else stack.dtype.itemsize)
    with kept_to(planned, folder), shown_progress(arguments.quiet) as progress:
        prediction = _loaded(prediction, progress)
        stack = None if stack is None else in_workspace(stack, progress)
        found = read_rois_of_any_kind(arguments.rois, prediction)
        measurements = measure_rois(found, prediction, stack, typed_values(MeasureParameters, arguments),
                                    progress)
        files = write_outputs(Results(measurements=measurements), folder, stem, ("tables",), ledger=ledger,
                              progress=progress)
    print(f"{len(found)} ROIs")
    print_files(files)


def _open_maps(arguments: argparse.Namespace) -> tuple[xr.Dataset, str]:
    """The probability maps that the user named, and the stem of the results' names."""
    from deepd3_ij.files.opening import read_maps

    pair = (arguments.dendrite, arguments.spine)
    if bool(arguments.prediction) == any(pair) or (any(pair) and not all(pair)):
        raise ParameterError("Give the probability maps as --prediction FILE (.prediction or OME-Zarr), or as "
                             "--dendrite TIFF and --spine TIFF.")
    source = [arguments.prediction] if arguments.prediction else list(pair)
    return read_maps(source, xy_um=arguments.xy_um, z_um=arguments.z_um, lazy=True), stem_of(source[-1])


def _planned(prediction: xr.Dataset, kinds: Iterable[str], arguments: argparse.Namespace, *, cleaned: bool = False,
             image_bytes: int = 0) -> Plan:
    """How the work on maps fits into memory; says so."""
    spine = prediction["spine"]
    planned = plan(shape_of(spine), arguments.memory, cleaned=cleaned, image_bytes=image_bytes,
                   output_bytes=needed_bytes(spine, kinds))
    print_plan(planned, asked=arguments.memory is not None, quiet=arguments.quiet)
    return planned


def _loaded(prediction: xr.Dataset, progress: Progress) -> xr.Dataset:
    """The maps where the steps find them quickly."""
    return prediction.assign({name: in_workspace(prediction[name], progress) for name in MAPS})


def _inputs(arguments: argparse.Namespace) -> list[str | None]:
    return [arguments.prediction, arguments.dendrite, arguments.spine]


def _tell_recommended(prediction: xr.Dataset, arguments: argparse.Namespace) -> None:
    """Say that the model that made the maps fills what the user did not type."""
    provenance = provenance_of(prediction)
    if recommended_of(provenance) and not arguments.quiet:
        print(f"What is not typed is as the model {provenance['model'].get('name', '')} recommends.", file=sys.stderr)
