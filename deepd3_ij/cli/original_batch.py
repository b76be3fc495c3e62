"""DeepD3's ``batch.py``: one stack, with the original's options (``deepd3-ij batch-compat``)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deepd3_ij.atomic import check_output_folder, replacing_together
from deepd3_ij.cleaning import clean
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import Parser, add_overwrite
from deepd3_ij.cli.report import print_files
from deepd3_ij.compat.core.roi_creators import roi_mode
from deepd3_ij.compat.core.stack import open_with_dimensions
from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS
from deepd3_ij.errors import ParameterError
from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.parameters import CleaningParameters, PredictionParameters, Roi2DParameters, Roi3DParameters
from deepd3_ij.program import debug_wanted, run_program
from deepd3_ij.progress import Progress
from deepd3_ij.rois import build_rois_2d, build_rois_3d
from deepd3_ij.stems import beside


def build_parser() -> argparse.ArgumentParser:
    """The original's options; what it cannot switch off can be switched off with ``--no-…``."""
    parser = Parser(prog="deepd3-ij batch-compat", description="Segment a stack, clean the maps and build ROIs, with "
                    "the options of DeepD3's batch.py. Writes STEM.prediction and STEM.rois beside the stack.")
    parser.add_argument("stack", help="TIFF file.")
    parser.add_argument("neuralnetwork", help="Model file, or the name of a model.")
    switch, flag = argparse.BooleanOptionalAction, "store_true"
    options: list[tuple[str, Any, str]] = [
        ("--tile_size", 128, "Side of a tile in px."),
        ("--inset_size", 96, "Side of the centre of a tile that is kept, in px."),
        ("--average", flag, "Average four shifted tile predictions."),
        ("--plane", flag, "Predict whole planes (goes before --average); else tiles."),
        ("--clean_dendrite", flag, "Remove small dendrite pieces plane by plane."),
        ("--clean_dendrite_3d", switch, "Remove small dendrite pieces in 3-D."),
        ("--min_dendrite_size", 100, "Smallest dendrite piece that is kept, in px."),
        ("--dendrite_threshold", 0.7, "Dendrite probability above which a pixel is dendrite."),
        ("--dendrite_dilation", 11.0, "Dilations of the dendrite outside of which spines are removed."),
        ("--clean_spines", switch, "Remove spine probability far from the dendrite."),
        ("--build_rois_2d", flag, "Build ROIs in single planes; with --build_rois_3d into STEM_2d.rois."),
        ("--build_rois_3d", flag, "Build ROIs through planes."),
        ("--roi_method", "floodfill", "'floodfill' or 'connected components'."),
        ("--roi_areaThreshold", 0.25, "Spine probability above which a voxel can belong to a ROI."),
        ("--roi_peakThreshold", 0.8, "Spine probability from which a voxel can seed a ROI."),
        ("--roi_seedDelta", 0.2, "Allowed relative difference to the seed's probability."),
        ("--roi_distanceToSeed", 10.0, "A ROI stays nearer to its seed than this, in µm."),
        ("--watershed", flag, "Split touching ROIs by shape."),
        ("--clean_rois", flag, "Remove small 2-D ROIs and those far from the dendrite."),
        ("--min_roi_size", 10, "Smallest ROI that is kept, in px."),
        ("--max_roi_size", 1000, "Largest 3-D ROI that is kept, in px."),
        ("--min_planes", 1, "A kept 3-D ROI spans at least this many planes."),
    ]
    for name, kind, text in options:
        if kind == flag:
            parser.add_argument(name, action="store_true", help=text)
        elif kind is switch:
            parser.add_argument(name, action=switch, default=True, help=text + " Default: on.")
        else:
            parser.add_argument(name, type=type(kind), default=kind, help=f"{text} Default: {kind}.")
    parser.add_argument("--xy", type=float, metavar="UM", help="Size of a pixel in µm. Default: from the file, else "
                        f"{DEFAULT_DIMENSIONS['xy']}.")
    parser.add_argument("--z", type=float, metavar="UM", help="Distance between planes in µm. Default: from the file, "
                        f"else {DEFAULT_DIMENSIONS['z']}.")
    add_overwrite(parser)
    parser.add_argument("--quiet", action="store_true", help="Show no progress.")
    parser.add_argument("--debug", action="store_true", help="Print the trace of an error.")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 done, 1 failed (one line on the error stream).
    """
    given = list(sys.argv[1:] if argv is None else argv)
    return run_program("deepd3-ij batch-compat", lambda: _print_files(given), debug=debug_wanted(given))


def _print_files(given: Sequence[str]) -> None:
    arguments = build_parser().parse_args(given)
    with shown_progress(arguments.quiet) as progress:
        files = run(arguments, progress)
    print_files(files)


def run(arguments: argparse.Namespace, progress: Progress) -> list[Path]:
    """Do what the arguments ask for; gives the files that were written."""
    from deepd3_ij.segmentation import predict

    steps = _parameters(arguments)
    ledger = _check_results(arguments)
    stack = open_with_dimensions(arguments.stack, xy_um=arguments.xy, z_um=arguments.z)
    prediction = predict(stack, arguments.neuralnetwork, steps["prediction"], progress=progress)
    for cleaning in steps["cleaning"]:
        prediction = clean(prediction, cleaning, progress)
    writers: list[tuple[str, Callable[[Path], None]]] = [
        (".prediction", lambda path: write_prediction(path, prediction))]
    if arguments.build_rois_3d:
        deep = build_rois_3d(prediction, steps["rois_3d"], progress)
        writers.append((".rois", lambda path: write_rois(path, deep)))
    if arguments.build_rois_2d:
        flat = build_rois_2d(prediction, steps["rois_2d"], progress)
        writers.append((_flat_ending(arguments), lambda path: write_rois(path, flat)))
    with replacing_together(ledger.folder, ledger.approve) as place:
        for ending, write in writers:
            write(place / f"{ledger.stem}{ending}")
    return [ledger.folder / f"{ledger.stem}{ending}" for ending, _ in writers]


def _check_results(arguments: argparse.Namespace) -> Ledger:
    """Check before the work that the results beside the stack can be written and replace nothing of somebody's."""
    prediction = beside(arguments.stack, ".prediction")
    ledger = Ledger(check_output_folder(prediction.parent), prediction.name.removesuffix(".prediction"),
                    arguments.overwrite)
    rois = [".rois"] if arguments.build_rois_3d else []
    ledger.check([".prediction", *rois, *([_flat_ending(arguments)] if arguments.build_rois_2d else [])],
                 [arguments.stack, arguments.neuralnetwork])
    return ledger


def _flat_ending(arguments: argparse.Namespace) -> str:
    return "_2d.rois" if arguments.build_rois_3d else ".rois"


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Parameters of all steps, checked before the first one starts."""
    given = arguments
    if not float(given.dendrite_dilation).is_integer():
        raise ParameterError(f"--dendrite_dilation is {given.dendrite_dilation}; accepted: a whole number.")
    tiling = "plane" if given.plane else "fourfold" if given.average else "inset"
    pieces = {"closing": False, "dendrite_threshold": given.dendrite_threshold,
              "min_dendrite_voxels": given.min_dendrite_size}
    cleaning = [CleaningParameters(**pieces, dendrite_dimensions=2, clean_spines=False)] if given.clean_dendrite else []
    cleaning.append(CleaningParameters(**pieces, clean_dendrite=given.clean_dendrite_3d,
                                       clean_spines=given.clean_spines, spine_iterations=given.dendrite_dilation))
    return {
        "prediction": PredictionParameters(tiling=tiling, tile_px=given.tile_size, inset_px=given.inset_size),
        "cleaning": cleaning,
        "rois_3d": Roi3DParameters(
            mode=roi_mode(given.roi_method), area_threshold=given.roi_areaThreshold,
            peak_threshold=given.roi_peakThreshold, seed_delta=given.roi_seedDelta,
            distance_um=given.roi_distanceToSeed, min_voxels=given.min_roi_size, max_voxels=given.max_roi_size,
            min_planes=given.min_planes, watershed=given.watershed),
        "rois_2d": Roi2DParameters(
            spine_threshold=given.roi_areaThreshold, watershed=given.watershed, clean_rois=given.clean_rois,
            min_area_px=given.min_roi_size, near_dendrite_threshold=given.dendrite_threshold),
    }


if __name__ == "__main__":
    sys.exit(main())
