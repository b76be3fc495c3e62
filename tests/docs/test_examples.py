"""The Python examples of the README and of the docs run from top to bottom, on a small simulated stack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deepd3_ij.files.tiff import write_stack
from deepd3_ij.outputs.scene_files import write_scene
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.simulation import simulate
from tests.conftest import ROOT

WRITTEN = {"neuron_spines.csv", "neuron_dendrites.swc", "neuron_spines_evaluation.json", "cell_spines.csv"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the examples read: a stack, its annotated spines, and a folder with stacks."""
    scene = simulate(SimulationParameters(planes=6, height_px=160, width_px=160), seed=7)
    write_scene(scene, tmp_path, "neuron")
    (tmp_path / "neuron_true_spines.csv").rename(tmp_path / "annotated.csv")
    (tmp_path / "recordings" / "day1").mkdir(parents=True)
    write_stack(tmp_path / "recordings" / "day1" / "cell.tif", scene.stack)
    return tmp_path


@pytest.mark.parametrize(("page", "written"), [
    ("README.md", set()), ("docs/python.md", WRITTEN), ("docs/simulator.md", set())])
def test_the_examples_of_a_page_run_and_write_the_files_that_it_speaks_of(
    page: str, written: set[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    names: dict[str, object] = {"__name__": "example"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page}, example {number}", "exec"), names)
    assert written <= {path.name for path in folder.rglob("*")}
