"""The page about an analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.measurement import measure
from deepd3_ij.measurement.measurements import Measurements
from deepd3_ij.outputs.report_page import distributions, draw_report
from tests.unit.test_overview import scene


def tables(count: int = 1, **columns: list[float]) -> Measurements:
    stack, prediction, rois = scene()
    found = measure(rois, prediction, stack)
    spines = pd.concat([found.spines] * count, ignore_index=True).drop(columns=["length_um", "volume_relative"],
                                                                       errors="ignore").assign(**columns)
    return Measurements(spines, found.dendrites, found.tracing)


def test_medians_quartiles_and_numbers_are_told() -> None:
    density, length, size, confidence = distributions(tables(
        5, length_um=[1.0, 2.0, 3.0, 4.0, np.nan], volume_relative=[0.5] * 5, confidence=[0.9, 0.2, 0.5, 0.6, 0.7]))
    assert length.summary == "median 2.5 µm (quartiles 1.75 to 3.25), n = 4 spines, 1 not measured"
    assert density.summary.startswith("median ")
    assert size.summary == "median 0.5 µm (quartiles 0.5 to 0.5), n = 5 spines"
    assert confidence.summary == "median 0.6 (quartiles 0.5 to 0.7), n = 5 ROIs"


def test_without_shapes_the_rois_stand_for_length_and_size() -> None:
    titles = [shown.title for shown in distributions(tables(2, confidence=[np.nan, np.nan]))]
    assert titles == ["Density of spines along dendrites", "Diameter of balls of the ROIs' volumes", "Volume of ROIs"]


@pytest.mark.parametrize("shape", [(2, 200, 30), (2, 30, 200), (3, 60, 60)])
@pytest.mark.parametrize("rois", [True, False])
def test_a_report_is_one_page_of_any_stack(tmp_path: Path, shape: tuple[int, int, int], rois: bool) -> None:
    stack, prediction, found = scene(shape, rois=rois and shape == (3, 60, 60))
    measurements = measure(found, prediction, stack)
    for name in ("a.pdf", "b.pdf"):
        draw_report(tmp_path / name, stack, prediction, found, measurements)
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 1
    assert content == (tmp_path / "b.pdf").read_bytes()


def test_many_dendrites_are_listed_as_far_as_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    texts = []
    original = Axes.text
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **more: texts.append(text)
                        or original(self, x, y, text, **more))
    stack, prediction, rois = scene()
    found = tables()
    many = pd.concat([found.dendrites] * 100, ignore_index=True)
    draw_report(tmp_path / "a.pdf", stack, prediction, rois, Measurements(found.spines, many, found.tracing))
    (rest,) = [text for text in texts if text.endswith(" shorter")]
    assert 70 < int(rest.split()[1]) < 95
