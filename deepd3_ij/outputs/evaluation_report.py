"""Comparison of two spine tables, kept as JSON."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from deepd3_ij.atomic import check_names, replacing
from deepd3_ij.file_identity import refuse_inputs
from deepd3_ij.files.point_tables import read_evaluation_points
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.evaluation import Evaluation, evaluate
from deepd3_ij.parameters import EvaluationParameters

FilePath = str | PathLike[str]


def evaluate_tables(
    detected: FilePath,
    truth: FilePath,
    parameters: EvaluationParameters,
    *,
    dendrites: FilePath | None = None,
    report: FilePath | None = None,
    xy_um: float | None = None,
    z_um: float | None = None,
) -> tuple[Evaluation, Path]:
    """Compare a table of detected spines with one of annotated spines and write the scores.

    Parameters
    ----------
    detected, truth
        Tables as for :func:`deepd3_ij.files.point_tables.read_evaluation_points`.
    parameters
        Limits of a match.
    dendrites
        SWC file of traced dendrites; detections far from them do not count.
    report
        JSON file to write; ``<stem of detected>_evaluation.json`` beside the table if None.
    xy_um, z_um
        Voxel size, for tables that do not tell it.

    Returns
    -------
    Evaluation, pathlib.Path
        What was found, and the file.

    Raises
    ------
    AnnotationError
        A table or the tracing cannot be read.
    """
    target = Path(report) if report else Path(detected).with_name(f"{Path(detected).stem}_evaluation.json")
    refuse_inputs([target], [detected, truth, dendrites])
    check_names(target.parent, [target.name])
    found, annotated = read_evaluation_points(detected, truth, xy_um=xy_um, z_um=z_um)
    result = evaluate(found, annotated, None if dendrites is None else read_swc(dendrites), parameters)
    with replacing(target) as temporary:
        temporary.write_text(json.dumps({**result.to_dict(), "parameters": parameters.to_dict()}, indent=1))
    return result, target
