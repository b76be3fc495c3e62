"""Environment variables, folders that cannot be written, locks of other programs: none of them costs an analysis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepd3_ij import compiled as compiled_module
from deepd3_ij.compiled import compiled
from deepd3_ij.errors import FileFormatError
from deepd3_ij.files.hdf5 import read_prediction, write_prediction
from deepd3_ij.stack import label_prediction, label_stack

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **variables})


@pytest.mark.parametrize("backend", ["module://not_installed.backend", "nonsense", "module://matplotlib_inline.backend"])
def test_pictures_are_drawn_whatever_backend_a_notebook_names(tmp_path: Path, backend: str) -> None:
    done = python(f"""
import os, pathlib
from deepd3_ij.training.training_run import draw_learning_curve
draw_learning_curve([{{"step": 1, "dendrite_loss": 1}}, {{"step": 2, "dendrite_loss": .5}}],
                    pathlib.Path({str(tmp_path / "a.png")!r}))
print(os.environ["MPLBACKEND"])""", MPLBACKEND=backend)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == backend
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_keras_is_set_up_as_shipped_whatever_the_user_set(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(
        '{"backend": "nonsense", "floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1}')
    done = python("""
from deepd3_ij.model.backend import keras
k = keras()
print(k.config.floatx(), k.config.image_data_format(), k.config.epsilon())""",
                  KERAS_BACKEND="", KERAS_HOME=str(tmp_path))
    assert done.stdout.split() == ["float32", "channels_last", "1e-07"], done.stderr[-500:]


def module_with_function(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "twice.py").write_text(
        "from deepd3_ij.compiled import compiled\n\n\n@compiled\ndef twice(x):\n    return 2 * x\n")
    return folder


def call_twice(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return python(f"import sys; sys.path.insert(0, {str(folder)!r}); from twice import twice; print(twice(3))",
                  **variables)


def test_a_damaged_cache_of_compiled_functions_is_made_again(tmp_path: Path) -> None:
    folder, cache = module_with_function(tmp_path / "code"), tmp_path / "cache"
    cache.mkdir()
    assert call_twice(folder, NUMBA_CACHE_DIR=str(cache)).stdout == "6\n"
    files = [path for path in cache.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) == 2
    for damaged in files:
        whole = damaged.read_bytes()
        for content in (b"", whole[:20], b"\x80\x04garbage"):
            damaged.write_bytes(content)
            assert call_twice(folder, NUMBA_CACHE_DIR=str(cache)).stdout == "6\n"
    assert all(path.stat().st_size > 20 for path in files)


def test_what_calls_a_generator_is_compiled_also_if_the_generator_was_before(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "counting.py").write_text(
        "from deepd3_ij.compiled import compiled\n\n\n@compiled\ndef up_to(size):\n    for i in range(size):\n"
        "        yield i\n\n\n"
        "@compiled\ndef last(size):\n    found = 0\n    for i in up_to(size):\n        found = i\n    return found\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'code')!r}); from counting import last; print(last(3))"
    cache = tmp_path / "cache"
    cache.mkdir()
    for _ in range(2):
        assert python(code, NUMBA_CACHE_DIR=str(cache)).stdout == "2\n"
        for file in cache.rglob("*last*"):  # a run that was stopped before it was kept
            file.unlink()


def test_without_any_place_for_a_cache_functions_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(self: object, function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiled_module._Cache, "__init__", nowhere)
    monkeypatch.setattr(compiled_module, "_private_folder", lambda: None)
    assert compiled(lambda x: x + 1)(1) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_folder_that_others_can_fill_is_no_place_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_module.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = tmp_path / f"deepd3_ij-{os.getuid()}"
    assert compiled_module._private_folder() == folder
    folder.chmod(0o777)
    assert compiled_module._private_folder() is None
    shutil.rmtree(folder)
    (tmp_path / "other").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "other")
    assert compiled_module._private_folder() is None


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    maps = np.zeros((2, 8, 8), np.float32)
    path = tmp_path / "a.prediction"
    write_prediction(path, label_prediction(maps, maps, label_stack(maps, xy_um=0.1, z_um=0.5), {}))
    return path


def test_a_file_that_another_program_has_locked_is_read(prediction: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="needs locks of POSIX")
    with prediction.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert read_prediction(prediction)["spine"].shape == (2, 8, 8)


def test_a_lock_that_the_user_insists_on_is_told(prediction: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*arguments: object, **options: object) -> None:
        raise BlockingIOError(11, "Unable to synchronously open file (unable to lock file, errno = 11)")

    monkeypatch.setattr(h5py, "File", locked)
    with pytest.raises(FileFormatError, match="is in use by another program; close it there"):
        read_prediction(prediction)
