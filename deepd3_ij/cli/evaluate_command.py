"""The command ``evaluate``."""

from __future__ import annotations

import argparse

from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.outputs.evaluation_report import evaluate_tables
from deepd3_ij.parameters import EvaluationParameters


def evaluate(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij evaluate``."""
    result, report = evaluate_tables(
        arguments.detected, arguments.truth, typed_parameters(EvaluationParameters, arguments),
        dendrites=arguments.dendrites or None, report=arguments.json_file, xy_um=arguments.xy_um,
        z_um=arguments.z_um)
    scores = result.scores
    print(f"recall {scores.recall:.3f}  precision {scores.precision:.3f}  F1 {scores.f1:.3f}")
    print(f"{scores.matched} of {scores.truth} annotated spines found; "
          f"{scores.false_positives} false positives; {scores.ignored} detections far from every traced dendrite")
    print(report)
