"""The command ``evaluate``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from deepd3_ij.annotation.swc import read_swc
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.files.atomic import replacing
from deepd3_ij.files.point_tables import read_evaluation_points
from deepd3_ij.measurement.evaluation import evaluate as match
from deepd3_ij.parameters import EvaluationParameters


def evaluate(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij evaluate``."""
    detected, truth = read_evaluation_points(arguments.detected, arguments.truth, xy_um=arguments.xy_um_given,
                                             z_um=arguments.z_um_given)
    parameters = typed_parameters(EvaluationParameters, arguments)
    dendrites = read_swc(arguments.dendrites) if arguments.dendrites else None
    result = match(detected, truth, dendrites, parameters)
    target = Path(arguments.json_file or Path(arguments.detected).with_name(
        f"{Path(arguments.detected).stem}_evaluation.json"))
    with replacing(target) as temporary:
        temporary.write_text(json.dumps({**result.to_dict(), "parameters": parameters.to_dict()}, indent=1))
    scores = result.scores
    print(f"recall {scores.recall:.3f}  precision {scores.precision:.3f}  F1 {scores.f1:.3f}")
    print(f"{scores.matched} of {scores.truth} annotated spines found; "
          f"{scores.false_positives} false positives; {scores.ignored} detections far from every traced dendrite")
    print(target)
