"""Files that are made to hang, to take all memory or to crash: one line, at once."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from deepd3_ij import input_limits, open_stack
from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.errors import AnnotationError, DeepD3Error, FileFormatError, ModelError, StackError
from deepd3_ij.files.d3set import read_d3set
from deepd3_ij.files.hdf5 import read_prediction, write_prediction
from deepd3_ij.files.masks import read_spine_mask
from deepd3_ij.files.roi_settings import read_roi_settings
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.files.swc import parse_swc, read_swc
from deepd3_ij.files.tables import read_table
from deepd3_ij.model.card import ModelCard, read_card
from deepd3_ij.model.network_file import read_network
from deepd3_ij.stack import label_prediction, label_stack
from deepd3_ij.training.fitting import load_checkpoint
from tests.fuzz.readers import READERS, keras_files

SIZE = {"xy_um": 0.1, "z_um": 0.5}
SHAPE = (3, 64, 64)


@pytest.fixture
def stack() -> Any:
    return label_stack(np.zeros(SHAPE, np.uint8), **SIZE)


# ---------------------------------------------------------------- what has no end

@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("read", [
    lambda path, stack: open_stack(path, **SIZE), lambda path, stack: read_swc(path),
    lambda path, stack: read_table(path), lambda path, stack: read_prediction(path),
    lambda path, stack: read_d3set(path), lambda path, stack: read_roi_zip(path, stack),
    lambda path, stack: read_roi_settings(path), lambda path, stack: load_checkpoint(path),
    lambda path, stack: read_network(path),
])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_refused(tmp_path: Path, stack: Any, read: Callable, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DeepD3Error, match="pipe or a device"):
        read(path, stack)


# ---------------------------------------------------------------- memory

def test_an_hdf5_map_that_states_more_than_it_stores_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.prediction", "w") as file:
        for name in ("dendrites", "spines"):
            file.create_dataset(name, (800, 1000, 1000), "f4", chunks=(1, 1000, 1000))
    with pytest.raises(FileFormatError, match="states 3200000000 bytes and stores 0"):
        read_prediction(tmp_path / "a.prediction", **SIZE)


def test_an_empty_map_of_honest_size_is_read(tmp_path: Path, stack: Any) -> None:
    zeros = np.zeros((20, 512, 512), np.float32)
    large = label_stack(zeros, **SIZE)
    write_prediction(tmp_path / "a.prediction", label_prediction(zeros, zeros, large, {}))
    assert not read_prediction(tmp_path / "a.prediction")["spine"].values.any()


def test_a_table_of_more_rows_than_stacks_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.d3set").write_bytes(READERS["d3set"].samples()[0])
    with h5py.File(tmp_path / "a.d3set", "r+") as file:
        columns = file["meta/block1_values"].shape[1]
        del file["meta/block1_values"]
        values = file.create_dataset("meta/block1_values", (100_000_000, columns), "f8", chunks=(1000, columns))
        values.attrs["transposed"] = 1
    with pytest.raises(FileFormatError, match="100000000 rows for 2 stacks"):
        read_d3set(tmp_path / "a.d3set")


@pytest.mark.parametrize("lazy", [False, True])
def test_a_plane_that_is_larger_than_memory_is_refused(tmp_path: Path, lazy: bool) -> None:
    data = bytearray(READERS["tiff-plain"].samples()[1])  # compressed: the length of its data says nothing
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        places = [page.tags[name].offset for page in tif.pages for name in ("ImageWidth", "ImageLength")]
    for place in places:
        data[place + 2:place + 4] = struct.pack("<H", 4)
        data[place + 8:place + 12] = struct.pack("<I", 4_000_000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(StackError, match="memory"):
        open_stack(tmp_path / "a.tif", lazy=lazy, **SIZE)


def test_what_is_larger_than_memory_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_limits, "available_bytes", lambda: 100_000_000)
    with h5py.File(tmp_path / "a.mask", "w") as file:
        file.create_dataset("mask", data=np.ones((20, 2000, 3000), np.uint8), compression="gzip", chunks=True)
    with pytest.raises(AnnotationError, match=r"needs 0\.12 GB of memory, 0\.1 GB are free"):
        read_spine_mask(tmp_path / "a.mask", label_stack(np.zeros((1, 1, 1), np.uint8), **SIZE))


def test_weights_that_inflate_beyond_what_the_network_needs_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as whole, \
            zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("config.json", whole.read("config.json"))
        with bomb.open("model.weights.h5", "w") as member:
            for _ in range(60):
                member.write(bytes(2**20))
    with pytest.raises(ModelError, match=r"refused: its model\.weights\.h5 has"):
        read_network(tmp_path / "a.keras")


def test_rois_that_cover_more_than_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_limits, "available_bytes", lambda: 70_000_000)
    head = b"Iout" + struct.pack(">hBxhhhh", 227, 1, 0, 0, 5000, 5000) + bytes(48)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.roi", head)
    large = label_stack(np.broadcast_to(np.uint8(0), (2, 5000, 5000)), **SIZE)
    with pytest.raises(FileFormatError, match=r"What the ROIs of a\.zip cover needs"):
        read_roi_zip(tmp_path / "a.zip", large)


@pytest.mark.parametrize("name", ["big", "array"])
def test_a_checkpoint_that_states_more_than_it_holds_is_refused(tmp_path: Path, name: str) -> None:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(f"{name}.npy", content.getvalue())
    with pytest.raises(FileFormatError, match="states the shape"):
        load_checkpoint(tmp_path / "a.npz")


# ---------------------------------------------------------------- time

@pytest.mark.parametrize("far", [1e10, 1e20, 1e300, -1e15])
def test_a_tracing_with_an_absurd_coordinate_names_the_node(far: float) -> None:
    tracing = parse_swc(f"1 3 0 5 0 1 -1\n2 3 -5 {far} 0 0 1\n3 3 6 5 0 0 2\n", "a.swc")
    with pytest.raises(AnnotationError, match="node 2 lies at"):
        draw_tracing(tracing, SHAPE, **SIZE)


def test_a_tracing_with_an_absurd_radius_names_the_node() -> None:
    with pytest.raises(AnnotationError, match=r"node 1 .* radius 1e\+25"):
        draw_tracing(parse_swc("1 3 0 5 0 1e25 -1\n", "a.swc"), SHAPE, **SIZE)


def test_long_segments_are_drawn_only_where_the_volume_is() -> None:
    text = "".join(f"{2 * n + 1} 3 -1e7 {n % 6} 0.5 0 -1\n{2 * n + 2} 3 1e7 {n % 6} 0.5 0 {2 * n + 1}\n"
                   for n in range(3000))
    drawn = draw_tracing(parse_swc(text, "a.swc"), SHAPE, **SIZE)
    assert drawn[1, :51:10].all()
    assert drawn.sum() == 6 * SHAPE[2]


def test_many_tubes_that_fill_everything_end_soon() -> None:
    text = "".join(f"{n + 1} 3 3 3 0.5 1000 {n or -1}\n" for n in range(20_000))
    assert draw_tracing(parse_swc(text, "a.swc"), (20, 200, 200), **SIZE).all()


def composite(path: np.ndarray) -> bytes:
    head = bytearray(64)
    head[:4], head[6] = b"Iout", 1
    struct.pack_into(">h", head, 4, 227)
    struct.pack_into(">hhhh", head, 8, 0, 0, 60, 60)
    struct.pack_into(">i", head, 36, path.size)
    return bytes(head) + path.astype(">f4").tobytes()


@pytest.mark.parametrize(("curve", "count", "words"), [
    ([3, 1e30, -1e30, 1e35, 1e36, -1e37, 3e38], 3000, "no number of a size that an image can have"),
    ([3, 10, 50, 30, 7, 44, 12], 2_000_000, "more than 100000 curves"),
    ([3, 1e6, 5e6, 3e6, 7, 4e6, 1e6], 50_000, "more than 2000000 corners"),
])
def test_a_composite_of_very_many_or_absurd_curves_is_refused(tmp_path: Path, stack: Any, curve, count, words) -> None:
    (tmp_path / "a.roi").write_bytes(composite(np.concatenate([[0, 5, 5], np.tile(curve, count)])))
    with pytest.raises(FileFormatError, match=words):
        read_roi_zip(tmp_path / "a.roi", stack)


# ---------------------------------------------------------------- errors of other libraries

@pytest.mark.parametrize("damage", ["version", "name", "lzma"])
def test_a_damaged_zip_of_rois_is_one_line(tmp_path: Path, stack: Any, damage: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA if damage == "lzma" else zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", READERS["roi"].samples()[0] * 10)
    data = bytearray(buffer.getvalue())
    directory = data.index(b"PK\x01\x02")
    if damage == "version":
        data[directory + 6] = 99
    elif damage == "name":
        data[directory + 9] |= 8
        data[data.index(b"a.roi", directory)] = 0xFF
    else:
        data[directory - 20:directory - 4] = b"\xff" * 16
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FileFormatError) as error:
        read_roi_zip(tmp_path / "a.zip", stack)
    assert "\n" not in str(error.value)


def changed_model(path: Path, change: Callable[[str, bytes], bytes], method: int = 8) -> Path:
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as whole, zipfile.ZipFile(path, "w", method) as changed:
        for name in whole.namelist():
            changed.writestr(name, change(name, whole.read(name)))
    return path


@pytest.mark.parametrize("epsilon", [b"NaN", b"Infinity", b"0", b"-1", b"1e9"])
def test_a_network_with_an_epsilon_that_gives_no_numbers_is_refused(tmp_path: Path, epsilon: bytes) -> None:
    path = changed_model(tmp_path / "a.keras", lambda name, data: re.sub(
        rb'"epsilon": ?[0-9.e-]+', b'"epsilon": ' + epsilon, data) if name == "config.json" else data)
    with pytest.raises(ModelError, match="epsilon"):
        read_network(path)


def test_a_group_instead_of_weights_is_refused(tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith(".h5"):
            return data
        buffer = io.BytesIO(data)
        with h5py.File(buffer, "r+") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            del file[names[0]]
            file.create_group(names[0])
        return buffer.getvalue()

    with pytest.raises(ModelError, match="are a group"):
        read_network(changed_model(tmp_path / "a.keras", change))


@pytest.mark.parametrize("card", [
    b'{"training":' * 60_000, b'{"recommended": {"min_volume_um3": 1e308}}',
    b'{"recommended": {"min_volume_um3": ' + b"9" * 400 + b"}}", b'{"recommended": {"max_volume_um3": -1}}', b"\xff",
])
def test_an_unusable_card_is_one_line(tmp_path: Path, card: bytes) -> None:
    path = changed_model(tmp_path / "a.keras", lambda name, data: card if name == "deepd3_card.json" else data)
    with pytest.raises(ModelError) as error:
        read_card(path)
    assert "\n" not in str(error.value)


def test_a_card_may_recommend_volumes(tmp_path: Path) -> None:
    assert ModelCard(recommended={"min_volume_um3": 0.05}).recommended == {"min_volume_um3": 0.05}


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"minPx": 1e999}', b'{"minPx": ' + b"9" * 5000 + b"}", b"null"])
def test_unusable_settings_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.roi3d_settings").write_bytes(content)
    with pytest.raises(FileFormatError) as error:
        read_roi_settings(tmp_path / "a.roi3d_settings")
    assert "\n" not in str(error.value)


def test_a_file_that_another_program_has_locked_is_read(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    (tmp_path / "a.prediction").write_bytes(READERS["prediction"].samples()[0])
    with (tmp_path / "a.prediction").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert set(read_prediction(tmp_path / "a.prediction")) == {"dendrite", "spine"}
