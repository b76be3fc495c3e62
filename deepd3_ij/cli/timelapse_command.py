"""The command ``timelapse``."""

from __future__ import annotations

import argparse

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.analyze_commands import typed_of
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.cli.report import print_files
from deepd3_ij.errors import ParameterError
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.timelapse_files import TIMELAPSE_ENDINGS, read_edits, write_timelapse
from deepd3_ij.outputs.timelapse_series import read_time_point, series_of
from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.timelapse import Timelapse, link_timepoints


def timelapse(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij timelapse``."""
    from deepd3_ij.model import load_model

    typed = typed_of(arguments)
    parameters = typed_parameters(TimelapseParameters, arguments)
    groups = series_of(arguments.files, arguments.times)
    if arguments.frame is not None and any(member.frame is not None for each in groups.values() for member in each):
        raise ParameterError(f"--frame is {arguments.frame}, and all time points of the file are followed; leave out "
                             "--frame.")
    for members in groups.values():
        if arguments.reference is not None and not 1 <= arguments.reference <= len(members):
            raise ParameterError(f"--reference is {arguments.reference}; accepted: 1 to {len(members)}, in the order "
                                 "of time.")
    folder = check_output_folder(arguments.out)
    ledgers = {stem: Ledger(folder, stem, arguments.overwrite) for stem in groups}
    for stem, ledger in ledgers.items():
        ledger.check(TIMELAPSE_ENDINGS, [member.path for member in groups[stem]])
    model = load_model(arguments.model)
    reading = {name: getattr(arguments, name) for name in ("xy_um", "z_um", "channel", "frame")}
    for stem, members in groups.items():
        points = []
        for member in members:
            with shown_progress(arguments.quiet) as progress:
                point, is_new = read_time_point(member, folder, model, typed, reading, z_range=arguments.z_range,
                                                overwrite=arguments.overwrite, progress=progress)
            points.append(point)
            print(f"{point.name}: {len(point.spines)} spines, {point.lines.total_um:.0f} µm of dendrite"
                  + ("" if is_new else " (finished before)"))
        reference = None if arguments.reference is None else arguments.reference - 1
        series = link_timepoints(points, parameters=parameters, reference=reference, edits=read_edits(folder, stem))
        with shown_progress(arguments.quiet) as progress:
            files = write_timelapse(series, folder, stem, ledgers[stem], progress=progress)
        _print_series(series)
        print_files(files)


def _print_series(series: Timelapse) -> None:
    classes = series.tracks["class"].value_counts()
    print(f"{len(series.tracks)} spines followed: " + ", ".join(f"{count} {name}" for name, count in classes.items()))
    rows = series.summary[series.summary["dendrite_id"] == "all"]
    for row in rows.itertuples():
        print(f"{row.time_point} to {row.next_time_point}: {row.gained} gained, {row.lost} lost, {row.stable} stable, "
              f"{row.undecided} undecided; turnover {row.turnover:.3f}")
