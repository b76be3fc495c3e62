"""Sets of training data."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepd3_ij.errors import AnnotationError, Cancelled, FileFormatError
from deepd3_ij.files.d3data import D3Data, cut_d3data, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.stack import label_stack
from tests.unit.pickles import pickles_in


def data(seed: int, shape=(3, 12, 14), dtype=np.uint8) -> D3Data:
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 99, shape).astype(dtype)
    stack = label_stack(image, xy_um=0.1 * seed, z_um=0.5, source=f"{seed}.tif")
    return cut_d3data(stack, generator.random(shape) > 0.5, generator.random(shape) > 0.8)


def test_a_set_of_data_and_files_comes_back_in_order(tmp_path):
    items = [data(1), data(2, (2, 9, 8), np.uint16), data(3)]
    write_d3data(tmp_path / "b.d3data", items[1])
    write_d3set(tmp_path / "a.d3set", [items[0], tmp_path / "b.d3data", items[2]])
    back = read_d3set(tmp_path / "a.d3set")
    for one, other in zip(items, back, strict=True):
        assert dict(one.meta) == dict(other.meta)
        assert one.stack.dtype == other.stack.dtype
        for name in ("stack", "dendrite", "spines"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_table_holds_no_pickle(tmp_path):
    write_d3set(tmp_path / "a.d3set", [data(1)])
    assert pickles_in(tmp_path / "a.d3set") == []
    with h5py.File(tmp_path / "a.d3set") as file:
        assert file["meta/block3_values"][0].tolist()[0] == b"1.tif"
        assert file["meta/axis0"][()].tolist() == sorted(file["meta/axis0"][()].tolist())


def test_sizes_in_the_table_are_those_of_the_arrays(tmp_path):
    item = data(1)
    wrong = D3Data(item.stack, item.dendrite, item.spines, {**item.meta, "Width": 5, "Height": 4, "Depth": 1})
    write_d3set(tmp_path / "a.d3set", [wrong])
    meta = read_d3set(tmp_path / "a.d3set")[0].meta
    assert (meta["Width"], meta["Height"], meta["Depth"]) == (14, 12, 3)


def test_a_pickle_in_a_set_is_never_loaded(tmp_path):
    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return (Path.touch, (marker,))

    write_d3set(tmp_path / "a.d3set", [data(1)])
    with h5py.File(tmp_path / "a.d3set", "r+") as file:
        del file["meta/block3_values"]
        node = file["meta"].create_dataset("block3_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
        node[0] = np.frombuffer(pickle.dumps(Payload()), np.uint8)
        node.attrs["PSEUDOATOM"] = np.bytes_(b"object")
        file["meta/axis0"].attrs["name"] = np.bytes_(pickle.dumps(Payload(), 0))
    meta = read_d3set(tmp_path / "a.d3set")[0].meta
    assert meta["Width"] == 14
    assert "Timestamp" not in meta
    assert not marker.exists()


def test_an_empty_or_inconsistent_set_is_refused_and_leaves_no_file(tmp_path):
    item = data(1)
    broken = D3Data(item.stack, item.dendrite[1:], item.spines, item.meta)
    for items in ([], [item, broken], [item, tmp_path / "none.d3data"]):
        with pytest.raises((AnnotationError, FileFormatError)) as error:
            write_d3set(tmp_path / "a.d3set", items)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_cancelling_leaves_no_file(tmp_path):
    def stop(done, total, message):
        if done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_d3set(tmp_path / "a.d3set", [data(1), data(2)], progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_damaged_sets_are_one_clear_line(tmp_path):
    write_d3set(tmp_path / "a.d3set", [data(1), data(2)])
    content = (tmp_path / "a.d3set").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) * 2 // 3])
    for name, gone in (("array", "data/spines/x1"), ("table", "meta"), ("stack", "data/stacks/x1"),
                       ("numbers", "meta/block2_values"), ("sizes", "meta/block1_values")):
        (tmp_path / name).write_bytes(content)
        with h5py.File(tmp_path / name, "r+") as file:
            del file[gone]
    for name in ("cut", "array", "table", "stack", "sizes", "none"):
        with pytest.raises(FileFormatError) as error:
            read_d3set(tmp_path / name)
        assert "\n" not in str(error.value)
