import os
from pathlib import Path

import pytest

MISSING = "what runs notebooks is not installed: pip install -e '.[dev]'"
nbformat = pytest.importorskip("nbformat", reason=MISSING)
nbclient = pytest.importorskip("nbclient", reason=MISSING)
pytest.importorskip("ipykernel", reason=MISSING)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "train_your_own_model.ipynb"
TINY = """
FOLDER = Path("tiny")
STACKS, SIDE_PX, PLANES = 3, 96, 6
FILTERS, STEPS, BATCH, TILE_PX = 1, 6, 2, 32
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run with settings that take seconds, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    after = 1 + next(number for number, cell in enumerate(notebook.cells)
                     if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(after, nbformat.v4.new_code_cell(TINY))
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3",
                            resources={"metadata": {"path": str(folder)}}).execute(env=environment)
    return notebook, folder / "tiny"


def test_the_notebook_runs_from_top_to_bottom_and_shows_its_pictures(executed):
    notebook, _ = executed
    pictures = [output for cell in notebook.cells for output in cell.get("outputs", ())
                if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    text = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "windows to draw from" in text
    assert "recall" in text


def test_the_notebook_leaves_training_data_and_a_model_that_opens(executed):
    from deepd3_ij.files.d3set import read_d3set
    from deepd3_ij.model import load_model

    _, folder = executed
    assert len(read_d3set(folder / "training.d3set")) == 1
    assert len(read_d3set(folder / "validation.d3set")) == 2
    for suffix in (".keras", ".h5"):
        model = load_model(folder / f"my_model{suffix}")
        assert model.card.resolution_um == 0.12
        assert model.card.recommended["Roi3DParameters"]["mode"] == "connected"


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None and not cell.outputs for cell in code)
