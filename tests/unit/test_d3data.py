"""Training data files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from deepd3_ij.errors import AnnotationError, FileFormatError
from deepd3_ij.files.d3data import cut_d3data, read_d3data, update_meta, write_d3data
from deepd3_ij.stack import label_stack
from tests.unit.pickles import pickles_in


def annotated(dtype=np.uint16, shape=(6, 20, 30)):
    generator = np.random.default_rng(1)
    stack = label_stack(generator.integers(0, 200, shape).astype(dtype), xy_um=0.12, z_um=0.4,
                        source="/home/someone/secret/cell.tif")
    return stack, generator.random(shape) > 0.7, generator.integers(0, 2, shape) * 255


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_training_data_come_back_in_their_pixel_type(tmp_path, dtype):
    data = cut_d3data(*annotated(dtype))
    write_d3data(tmp_path / "a.d3data", data)
    assert pickles_in(tmp_path / "a.d3data") == []
    back = read_d3data(tmp_path / "a.d3data")
    assert back.stack.dtype == dtype
    assert back.dendrite.dtype == back.spines.dtype == bool
    for name in ("stack", "dendrite", "spines"):
        assert np.array_equal(getattr(back, name), getattr(data, name))
    assert (back.xy_um, back.z_um) == (0.12, 0.4)


def test_a_box_at_the_edge_keeps_the_last_row_column_and_plane(tmp_path):
    stack, dendrite, spines = annotated()
    data = cut_d3data(stack, dendrite, spines, (slice(2, 6), slice(5, 20), slice(10, 30)))
    assert data.stack.shape == (4, 15, 20)
    assert np.array_equal(data.spines, spines[2:, 5:, 10:] > 0)
    assert {name: data.meta[name] for name in ("X", "Y", "Z_begin", "Z_end", "Width", "Height", "Depth", "crop")} == {
        "X": 10, "Y": 5, "Z_begin": 2, "Z_end": 5, "Width": 20, "Height": 15, "Depth": 4, "crop": True}


def test_without_a_box_width_and_height_are_those_of_the_stack():
    meta = cut_d3data(*annotated()).meta
    assert (meta["Width"], meta["Height"], meta["Depth"], meta["crop"]) == (30, 20, 6, False)


def test_only_the_file_name_of_the_source_is_stored(tmp_path):
    write_d3data(tmp_path / "a.d3data", cut_d3data(*annotated()))
    assert read_d3data(tmp_path / "a.d3data").meta["Generated_from"] == "cell.tif"
    assert b"secret" not in (tmp_path / "a.d3data").read_bytes()


def test_masks_of_another_shape_are_refused():
    stack, dendrite, spines = annotated()
    with pytest.raises(AnnotationError, match=r"spine mask has shape \(5, 20, 30\)"):
        cut_d3data(stack, dendrite, spines[1:])


def test_metadata_can_be_changed_and_the_change_is_noted(tmp_path):
    write_d3data(tmp_path / "a.d3data", cut_d3data(*annotated()))
    before = read_d3data(tmp_path / "a.d3data")
    update_meta(tmp_path / "a.d3data", {"Resolution_XY": "0.2", "X": "7", "crop": "true"})
    after = read_d3data(tmp_path / "a.d3data")
    assert (after.xy_um, after.meta["X"], after.meta["crop"]) == (0.2, 7, True)
    assert len(after.meta["Changed"]) == 15
    assert np.array_equal(before.stack, after.stack)


@pytest.mark.parametrize("changes", [{"Width": 3}, {"Colour": 1}, {"X": "many"}, {"X": 1.5}, {"Resolution_Z": 0},
                                     {"Resolution_XY": "nan"}, {"crop": "perhaps"}])
def test_an_unfit_change_is_refused_and_changes_nothing(tmp_path, changes):
    write_d3data(tmp_path / "a.d3data", cut_d3data(*annotated()))
    before = (tmp_path / "a.d3data").read_bytes()
    with pytest.raises(AnnotationError, match="accepted"):
        update_meta(tmp_path / "a.d3data", changes)
    assert (tmp_path / "a.d3data").read_bytes() == before


def test_damaged_and_foreign_files_are_one_clear_line(tmp_path):
    write_d3data(tmp_path / "a.d3data", cut_d3data(*annotated()))
    content = (tmp_path / "a.d3data").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    (tmp_path / "text").write_bytes(b"hello")
    with h5py.File(tmp_path / "empty", "w"):
        pass
    for name, change in (("shape", lambda file: file.move("data/stack", "data/spines2")),
                         ("size", lambda file: file["meta"].attrs.pop("Resolution_XY"))):
        (tmp_path / name).write_bytes(content)
        with h5py.File(tmp_path / name, "r+") as file:
            change(file)
    for name in ("cut", "text", "empty", "shape", "size", "none"):
        with pytest.raises(FileFormatError) as error:
            read_d3data(tmp_path / name)
        assert "\n" not in str(error.value)
