"""The same stack and model give the same ROIs, whichever way they are asked for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import deepd3_ij as d3
from deepd3_ij.cli import main
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.model import load_model
from deepd3_ij.parameters import Roi3DParameters, SimulationParameters, resolve
from deepd3_ij.simulation import simulate
from deepd3_ij.stack import voxel_size_um

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("truth")
    write_stack(place / "neuron.tif", simulate(SimulationParameters(planes=6, height_px=160, width_px=160), 7).stack)
    return place


@pytest.fixture(scope="module")
def analysis(folder: Path) -> d3.Analysis:
    return d3.analyze(d3.open_stack(folder / "neuron.tif"))


def labels_of(path: Path) -> np.ndarray:
    return d3.open_stack(path).values.astype(np.int32)


def test_an_analysis_finds_spines_and_states_what_ran(analysis: d3.Analysis) -> None:
    assert len(analysis.rois) > 3
    expected = resolve(Roi3DParameters, recommended=load_model().card.recommended,
                       voxel_size_um=voxel_size_um(analysis.stack))
    assert expected.parameters.mode == "connected"  # the model recommends other values than the defaults
    assert analysis.rois.provenance["Roi3DParameters"] == expected.parameters.to_dict()
    assert analysis.rois.provenance["origins"]["Roi3DParameters"] == expected.origins


def test_the_steps_of_the_readme_give_the_rois_of_an_analysis(
    folder: Path, analysis: d3.Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    rois, tables = names["rois"], names["tables"]
    assert isinstance(rois, d3.RoiSet)
    assert isinstance(tables, d3.Measurements)
    np.testing.assert_array_equal(rois.labels, analysis.rois.labels)
    assert rois.provenance == analysis.rois.provenance
    assert tables.spines.equals(analysis.measurements.spines)


def test_the_command_line_gives_the_rois_of_an_analysis_in_one_go_and_step_by_step(
    folder: Path, analysis: d3.Analysis
) -> None:
    whole, steps = folder / "whole", folder / "steps"
    assert main(["analyze", str(folder / "neuron.tif"), "--out", str(whole), "--quiet"]) == 0
    assert main(["segment", str(folder / "neuron.tif"), "--out", str(steps), "--quiet"]) == 0
    assert main(["clean", "--prediction", str(steps / "neuron.prediction"), "--out", str(steps), "--quiet"]) == 0
    assert main(["rois", "--prediction", str(steps / "neuron_cleaned.prediction"), "--out", str(steps), "--quiet"]) == 0
    np.testing.assert_array_equal(labels_of(whole / "neuron_roi_map.tif"), analysis.rois.labels)
    np.testing.assert_array_equal(labels_of(steps / "neuron_cleaned_roi_map.tif"), analysis.rois.labels)


def test_what_is_typed_wins_everywhere_and_the_rest_stays_recommended(folder: Path, analysis: d3.Analysis) -> None:
    typed = {"area_threshold": 0.4}
    one = d3.build_rois_3d(analysis.prediction, typed)
    two = d3.analyze(analysis.stack, parameters={Roi3DParameters: typed}).rois
    assert main(["analyze", str(folder / "neuron.tif"), "--out", str(folder / "typed"), "--quiet",
                 "--area-threshold", "0.4"]) == 0
    assert one.provenance["origins"]["Roi3DParameters"]["area_threshold"] == "typed"
    assert one.provenance["origins"]["Roi3DParameters"]["mode"] == "recommended"
    assert not np.array_equal(one.labels, analysis.rois.labels)
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(labels_of(folder / "typed" / "neuron_roi_map.tif"), one.labels)
