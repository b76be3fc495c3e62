"""The command ``train``."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.cli.report import print_files
from deepd3_ij.parameters import TrainingParameters


def train(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij train``."""
    from deepd3_ij.training.training_run import train_from_set

    out = Path(arguments.out)
    check_output_folder(out.parent)
    with shown_progress(arguments.quiet) as progress:
        trained = train_from_set(
            Path(arguments.set), out, typed_parameters(TrainingParameters, arguments),
            validation=Path(arguments.validation) if arguments.validation else None,
            start=arguments.start, resume=arguments.resume, finish=arguments.finish, progress=progress)
    for name, value in trained.card.scores.items():
        print(f"{name}: {value}")
    print_files([trained.keras, trained.h5, trained.log, trained.curve])
