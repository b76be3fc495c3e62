"""The commands and their options; what a command does is imported when it runs."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from deepd3_ij.cli.options import (
    Parser,
    add_memory,
    add_model,
    add_output,
    add_overwrite,
    add_parameters,
    add_reading,
    add_region,
    add_voxel_size,
    day_numbers,
    shard,
    written_name,
)
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.parameters import (
    AnalysisParameters,
    BatchParameters,
    CleaningParameters,
    EvaluationParameters,
    MeasureParameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    SeriesParameters,
    SimulationParameters,
    TimelapseParameters,
    TimeSeriesParameters,
    TrainingDataParameters,
    TrainingParameters,
)
from deepd3_ij.version import __version__

STACK_HELP = "Stack: TIFF, hyperstack or OME-TIFF file, or folder or address of an OME-Zarr image."


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of ``deepd3-ij``."""
    common = Parser(add_help=False)
    common.add_argument("--quiet", action="store_true", help="Print results and errors only.")
    common.add_argument("--debug", action="store_true", help="Print the trace of an error.")
    parser = Parser("deepd3-ij", description="Find dendrites and dendritic spines in 3-D microscope stacks.")
    parser.add_argument("--version", action="version", version=f"deepd3-ij {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, handler: str, text: str, within: argparse._SubParsersAction | None = None
                ) -> argparse.ArgumentParser:
        added = (within or commands).add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=_later(handler), handler=handler)
        return added

    demo = command("demo", "analyze_commands:demo", "Analyze a simulated stack and print where the results are.")
    demo.add_argument("--out", type=written_name, metavar="DIR", default="demo_results", help="Folder for the results.")
    add_overwrite(demo)

    analyze = command("analyze", "analyze_commands:analyze", "From a stack to probability maps, ROIs and tables.")
    analyze.add_argument("stack", metavar="STACK", help=STACK_HELP)
    add_output(analyze)
    add_memory(analyze, " With --scheduler it is that of each worker, and of this computer.")
    analyze.add_argument("--scheduler", metavar="ADDRESS", default="", help="Address of a Dask scheduler, e.g. "
                         "tcp://node1:8786, or its file (JSON); its workers share the slabs of a large stack.")
    add_region(analyze)
    _add_analysis(analyze)

    batch = command("batch", "batch_command:batch", "Analyze all stacks below a folder; can be stopped and resumed.")
    batch.add_argument("source", metavar="IN", nargs="?", help="Folder with stacks; folders in it are searched, too.")
    batch.add_argument("target", metavar="OUT", nargs="?", help="Folder for the results; keeps the folder tree.")
    batch.add_argument("--config", metavar="YAML", help="File of a run, such as the run.yaml that a batch leaves in "
                       "OUT. It may name IN and OUT, too; what is typed counts more.")
    add_parameters(batch, "stacks", BatchParameters)
    add_memory(batch, " All --workers share it; with --scheduler it is that of each of the cluster's workers.")
    sharing = batch.add_argument_group("several computers")
    sharing.add_argument("--shard", type=shard, metavar="K/N", help="Only part K of N of the stacks, e.g. 3/40: the "
                         "same part on every computer. When all parts are done: deepd3-ij batch-summary OUT.")
    sharing.add_argument("--scheduler", metavar="ADDRESS", default="", help="Address of a Dask scheduler, e.g. "
                         "tcp://node1:8786, or its file (JSON); its workers analyze the stacks.")
    batch.add_argument("--no-provenance", action="store_true", help="Leave out ro-crate-metadata.json.")
    _add_analysis(batch)

    summary = command("batch-summary", "batch_command:batch_summary",
                      "Write the tables and the page over all stacks of a batch anew.")
    summary.add_argument("target", metavar="OUT", help="Folder with the results of a batch.")
    add_overwrite(summary)
    summary.add_argument("--no-provenance", action="store_true", help="Leave out ro-crate-metadata.json.")

    follow = command("timelapse", "timelapse_command:timelapse", "Follow the same spines over several time points.")
    follow.add_argument("files", nargs="+", metavar="FILE", help="Stacks (TIFF) or finished analyses (.prediction) of "
                        "one field, one stack with a time axis (ImageJ hyperstack, OME-TIFF), or one CSV table with "
                        "the columns file, time and perhaps group. Stacks that were analyzed before are not analyzed "
                        "again.")
    follow.add_argument("--times", type=day_numbers, metavar="DAYS", help="Day of each file or time point, e.g. "
                        "0,4,9. Default: what a file with a time axis tells, else 0, 1, 2, … in the order of the "
                        "files.")
    follow.add_argument("--reference", type=int, metavar="N", help="Time point that gives the frame, counted from 1 in "
                        "the order of time. Default: the one with most dendrite.")
    add_output(follow)
    add_parameters(follow, "following", TimelapseParameters)
    _add_analysis(follow, outputs=False)

    segment = command("segment", "step_commands:segment", "From a stack, of any size, to probability maps.")
    segment.add_argument("stack", metavar="STACK", help=STACK_HELP)
    add_reading(segment)
    add_region(segment)
    add_model(segment)
    add_output(segment)
    add_memory(segment)
    add_parameters(segment, "prediction", PredictionParameters)
    _add_outputs(segment, ["maps_8bit", "ome_zarr", "ome_zarr_05"])

    clean = command("clean", "step_commands:clean", "Clean probability maps.")
    _add_maps(clean)
    add_output(clean)
    add_memory(clean)
    add_parameters(clean, "cleaning", CleaningParameters)

    rois = command("rois", "step_commands:rois", "From probability maps to ROIs and a spine table.")
    _add_maps(rois)
    add_output(rois)
    add_memory(rois)
    add_parameters(rois, "kind of ROIs", AnalysisParameters, only=("roi_dimensions",))
    add_parameters(rois, "ROIs", Roi3DParameters, Roi2DParameters)
    add_parameters(rois, "measures", MeasureParameters)
    _add_outputs(rois, [name for name, output in OUTPUTS.items()
                        if name != "maps_8bit" and "stack" not in output.needs])

    measure = command("measure", "step_commands:measure", "Measure ROIs, e.g. after correction in Fiji.")
    measure.add_argument("rois", metavar="ROIS", help="ROI zip, ROI map (TIFF), .rois file or OME-Zarr with labels.")
    _add_maps(measure)
    measure.add_argument("--stack", metavar="STACK", help="The stack, for intensities.")
    measure.add_argument("--channel", type=int, metavar="N", help="Channel of the stack, 0-based.")
    measure.add_argument("--frame", type=int, metavar="N", help="Time point of the stack, 0-based.")
    measure.add_argument("--level", type=int, metavar="N", help="Resolution level of an OME-Zarr stack.")
    add_output(measure)
    add_memory(measure)
    add_parameters(measure, "measures", MeasureParameters)

    evaluate = command("evaluate", "evaluate_command:evaluate", "Compare a spine table with annotated spines.")
    evaluate.add_argument("detected", metavar="DETECTED.csv", help="Spine table of 'analyze', 'rois' or 'measure'.")
    evaluate.add_argument("truth", metavar="TRUTH.csv", help="Annotated spines: a spine table or marker table.")
    evaluate.add_argument("--dendrites", metavar="SWC", help="Traced dendrites; detections far from them do not count.")
    evaluate.add_argument("--json", metavar="FILE", dest="json_file",
                          help="Where the scores go. Default: <stem of DETECTED>_evaluation.json beside it.")
    add_voxel_size(evaluate)
    add_parameters(evaluate, "matching", EvaluationParameters)

    simulate = command("simulate", "data_commands:simulate", "Make simulated stacks with exact truth.")
    add_output(simulate)
    add_parameters(simulate, "stacks", SeriesParameters)
    add_parameters(simulate, "time points", TimeSeriesParameters)
    add_parameters(simulate, "scene and microscope", SimulationParameters)

    data = commands.add_parser("data", help="Make and arrange training data.",
                               description="Make and arrange training data.")
    steps = data.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    create = command("create", "data_commands:create", "From a stack and its annotation to a d3data file.", steps)
    create.add_argument("stack", metavar="STACK", help=STACK_HELP)
    create.add_argument("--dendrites", required=True, metavar="FILE", help="Tracing (SWC) or mask (TIFF).")
    create.add_argument("--spines", required=True, metavar="FILE",
                        help="Mask or label image (TIFF), .mask file, or ROI zip.")
    create.add_argument("--out", type=written_name, required=True, metavar="FILE", help="The .d3data file to write.")
    add_reading(create, z_range=False)
    add_parameters(create, "box", TrainingDataParameters)
    show_data = command("show", "data_commands:show", "Show or change metadata; draw a preview.", steps)
    show_data.add_argument("file", metavar="FILE", help=".d3data or .d3set file.")
    show_data.add_argument("--set", action="append", metavar="NAME=VALUE", help="Change metadata of a .d3data file.")
    show_data.add_argument("--preview", metavar="PNG", help="Draw image and masks.")
    summary = command("summary", "data_commands:summary", "What d3data files hold; doubts about a set of them.", steps)
    summary.add_argument("files", nargs="+", metavar="D3DATA", help=".d3data files.")
    arrange = command("arrange", "data_commands:arrange", "Arrange d3data files to a d3set.", steps)
    arrange.add_argument("files", nargs="+", metavar="D3DATA", help=".d3data files.")
    arrange.add_argument("--out", type=written_name, required=True, metavar="FILE", help="The .d3set file to write.")

    train = command("train", "train_command:train", "Train a model on a d3set.")
    train.add_argument("set", metavar="D3SET", help="Training data from 'data arrange'.")
    train.add_argument("--out", type=written_name, required=True, metavar="FILE",
                       help="The .keras file to write; an .h5 file for the original DeepD3 is written beside it.")
    train.add_argument("--validation", metavar="D3SET",
                       help="Other stacks, to choose the best weights and to calibrate the thresholds.")
    train.add_argument("--start", metavar="MODEL", help="Begin with the weights of a model, by its name or file.")
    train.add_argument("--resume", action="store_true", help="Go on where an interrupted training stopped.")
    train.add_argument("--finish", action="store_true",
                       help="Train no further: make the model of the best weights of an interrupted training.")
    add_parameters(train, "training", TrainingParameters)

    for name, verb, text in (("install-fiji", "install", "Put the DeepD3 menu into a Fiji."),
                             ("uninstall-fiji", "uninstall", "Remove the DeepD3 menu from a Fiji.")):
        installing = command(name, f"install_commands:{verb}", text)
        installing.add_argument("fiji", metavar="FIJI", help="The folder Fiji.app or Fiji.")
        installing.add_argument("--force", action="store_true",
                                help="Also overwrite or remove files that were changed or are not from here.")
    doctor = command("doctor", "install_commands:doctor", "Check what this computer has and lacks, and how to mend it.")
    doctor.add_argument("--fiji", metavar="FOLDER", help="Fiji to look at, with the menu installed there.")

    inspecting = command("inspect", "inspect_command:inspect", "Show what the program sees in an input file.")
    inspecting.add_argument("file", metavar="FILE",
                            help="Stack, maps, ROIs, mask, tracing, table, training data or model.")
    inspecting.add_argument("--json", action="store_true", help="Print it as JSON.")

    # Only listed here: its options are the original's and have a parser of their own.
    commands.add_parser("batch-compat", help="Analyze a stack with the options of the original's batch.py.")

    models = commands.add_parser("models", help="List, get, show and export models.",
                                 description="List, get, show and export models.")
    actions = models.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    command("list", "model_commands:list_models", "List bundled, downloaded and downloadable models.", actions)
    get = command("get", "model_commands:get", "Download a model of the Zoo into the cache.", actions)
    get.add_argument("name", metavar="NAME", help="Name as in 'models list'.")
    show = command("show", "model_commands:show", "Show a model's card.", actions)
    show.add_argument("name", metavar="MODEL", nargs="?", help="Name or file; the default model if omitted.")
    calibrate = command("calibrate", "model_commands:calibrate",
                        "Calibrate the confidence of a model's ROIs on annotated stacks.", actions)
    calibrate.add_argument("name", metavar="MODEL", nargs="?", help="Name or file; the default model if omitted.")
    calibrate.add_argument("--annotated", nargs="+", action="append", metavar="FILE",
                           help="A stack, its table of annotated spines (CSV) and, if not all dendrites were "
                           "annotated, a tracing of those that were (SWC); repeat it for each stack, at least twice.")
    calibrate.add_argument("--simulated", type=int, metavar="N", default=0,
                           help="Also so many simulated stacks. Their truth is stricter than an annotator: use them "
                           "alone, or not at all. Default: 0.")
    calibrate.add_argument("--out", type=written_name, required=True, metavar="FILE",
                           help="The model file to write, with the calibration in its card.")
    add_voxel_size(calibrate)
    export = command("export", "model_commands:export", "Write a model for other programs.", actions)
    export.add_argument("name", metavar="MODEL", nargs="?", help="Name or file; the default model if omitted.")
    export.add_argument("--bioimageio", action="store_true", required=True, help="As a BioImage.IO package.")
    export.add_argument("--out", type=written_name, metavar="ZIP",
                        help="Default: <stem of MODEL>.bioimage.io.zip in this folder.")
    export.add_argument("--author", action="append", metavar="NAME", help="Who made the model; may be repeated.")
    export.add_argument("--licence", metavar="SPDX", help="Licence of the model. Default: its card's.")
    return parser


def _later(handler: str) -> Callable[[argparse.Namespace], int | None]:
    module, function = handler.split(":")

    def run(arguments: argparse.Namespace) -> int | None:
        result: int | None = getattr(importlib.import_module(f"deepd3_ij.cli.{module}"), function)(arguments)
        return result

    return run


def _add_analysis(parser: argparse.ArgumentParser, *, outputs: bool = True) -> None:
    """Everything that commands with an analysis share."""
    add_reading(parser)
    add_model(parser)
    add_parameters(parser, "steps", AnalysisParameters)
    add_parameters(parser, "prediction", PredictionParameters)
    add_parameters(parser, "cleaning", CleaningParameters)
    add_parameters(parser, "ROIs", Roi3DParameters, Roi2DParameters)
    add_parameters(parser, "measures", MeasureParameters)
    if outputs:
        _add_outputs(parser)


def _add_maps(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("probability maps (a .prediction file, an OME-Zarr with maps, or two TIFFs)")
    group.add_argument("--prediction", metavar="FILE", help=".prediction file, or OME-Zarr that DeepD3 wrote.")
    group.add_argument("--dendrite", metavar="TIFF", help="Dendrite map.")
    group.add_argument("--spine", metavar="TIFF", help="Spine map.")
    add_voxel_size(parser)


def _add_outputs(parser: argparse.ArgumentParser, only: Sequence[str] | None = None) -> None:
    """An option for every output that is not usual."""
    group = parser.add_argument_group("more files")
    for output in OUTPUTS.values():
        if output.option and (only is None or output.name in only):
            group.add_argument(output.option, action="append_const", const=output.name, dest="outputs", default=[],
                               help=output.help)
    chosen = [output for output in OUTPUTS.values() if output.choice[0] and (only is None or output.name in only)]
    for option in dict.fromkeys(output.choice[0] for output in chosen):
        kinds = {output.choice[1]: output for output in chosen if output.choice[0] == option}
        texts = " ".join(f"{value}: {output.help}" for value, output in kinds.items())
        group.add_argument(option, action=_Chosen, kinds={value: output.name for value, output in kinds.items()},
                           choices=list(kinds), metavar="|".join(kinds), dest="outputs", help=texts)


class _Chosen(argparse.Action):
    """Adds the kind of output that a value means."""

    def __init__(self, *, kinds: dict[str, str], **options: Any) -> None:
        super().__init__(**options, default=[])
        self._kinds = kinds

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option_string: str | None = None) -> None:
        namespace.outputs = [*namespace.outputs, self._kinds[values]]
