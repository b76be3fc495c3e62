"""Stacks in OME-Zarr, as other programs write them, and as they should not be."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij import open_stack
from deepd3_ij.errors import ChannelError, StackError, VoxelSizeError
from deepd3_ij.file_identity import refuse_inputs, state_of
from deepd3_ij.files.stack_search import search_stacks
from deepd3_ij.inspection import inspect
from deepd3_ij.stems import beside, stem_of

PIXELS = np.arange(3 * 5 * 7, dtype=np.uint16).reshape(3, 5, 7)
SCALE = {"t": 1, "c": 1, "z": 0.5, "y": 0.1, "x": 0.1}
TYPES = {"t": "time", "c": "channel"}


def write_store(path: Any, pixels: np.ndarray = PIXELS, axes: str = "zyx", *, version: str = "0.4",
                unit: str | None = "micrometer", scale: dict[str, float] = SCALE, extra: list[dict] | None = None,
                **options: Any) -> Any:
    """An image of one level, its axes in the order given."""
    described = [{"name": axis, "type": TYPES.get(axis, "space")}
                 | ({"unit": unit} if unit and axis in "zyx" else {}) for axis in axes]
    transformations = [{"type": "scale", "scale": [scale[axis] for axis in axes]}, *(extra or [])]
    image = {"axes": described, "datasets": [{"path": "0", "coordinateTransformations": transformations}]}
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": version, **image}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [image]}
    options.setdefault("chunks", tuple(min(size, 4) for size in pixels.shape))
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, **options)[...] = pixels
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_channel_and_a_time_point_are_read(tmp_path: Path, version: str) -> None:
    pixels = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)
    path = write_store(tmp_path / "a.ome.zarr", pixels, "tczyx", version=version)
    stack = open_stack(path, channel=2, frame=1)
    np.testing.assert_array_equal(stack, pixels[1, 2])
    assert stack.attrs["voxel_size_um"] == (0.5, 0.1, 0.1)
    assert stack.attrs["source"] == "a.ome.zarr"
    np.testing.assert_array_equal(open_stack(path, channel=0, frame=0, lazy=True)[1], pixels[0, 0, 1])
    with pytest.raises(ChannelError, match="3 channels"):
        open_stack(path, frame=0)


ORDERS = ["".join(order) for order in itertools.permutations("zyx")] + ["yx", "xy", "czyx", "xyzct", "tyx"]


@given(axes=st.sampled_from(ORDERS), dtype=st.sampled_from(["u1", ">u2", "<i2", ">f4", "i1", "<u4", "f8"]),
       codec=st.sampled_from(["blosc", "gzip", "none"]), separator=st.sampled_from("./"), deep=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_every_order_type_codec_and_separator_gives_the_same_pixels(
        axes: str, dtype: str, codec: str, separator: str, deep: int) -> None:
    pixels = np.arange(3 * 5 * 7).reshape(3, 5, 7)[: 3 if "z" in axes else 1]
    stored = pixels[0] if "z" not in axes else pixels
    present = [axis for axis in "zyx" if axis in axes]
    stored = np.expand_dims(stored, tuple(range(sum(axis in "tc" for axis in axes))))
    first = [axis for axis in "tc" if axis in axes]
    stored = stored.transpose([(first + present).index(axis) for axis in axes]).astype(dtype)
    compressor = {"blosc": numcodecs.Blosc("zstd"), "gzip": numcodecs.GZip(), "none": None}[codec]
    with tempfile.TemporaryDirectory() as folder:
        path = write_store(Path(folder) / "a.zarr", stored, axes, compressors=compressor,
                           chunk_key_encoding={"name": "v2", "separator": separator},
                           chunks=tuple(min(deep, size) for size in stored.shape))
        np.testing.assert_array_equal(open_stack(path), pixels)


@pytest.mark.parametrize(("unit", "factor"), [("nanometer", 1000), ("meter", 1e-6), ("angstrom", 1e4),
                                              ("femtometer", 1e9)])
def test_every_unit_of_length_is_known(tmp_path: Path, unit: str, factor: float) -> None:
    path = write_store(tmp_path / "a.zarr", unit=unit, scale={name: size * factor for name, size in SCALE.items()})
    assert open_stack(path).attrs["voxel_size_um"] == pytest.approx((0.5, 0.1, 0.1), rel=1e-12)


@pytest.mark.parametrize(("unit", "scale", "told"), [
    (None, SCALE, "no unit"), ("furlong", SCALE, "furlong"), (None, dict.fromkeys("zyx", 1), "does not state")])
def test_an_unknown_voxel_size_is_asked_for(tmp_path: Path, unit: str | None, scale: dict, told: str) -> None:
    path = write_store(tmp_path / "a.zarr", unit=unit, scale=scale)
    with pytest.raises(VoxelSizeError, match=told):
        open_stack(path)
    assert open_stack(path, xy_um=0.2, z_um=1).attrs["voxel_size_um"] == (1, 0.2, 0.2)


def test_a_translation_is_kept_apart(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.zarr", unit="nanometer", extra=[{"type": "translation", "translation": [1, 2, 3]}])
    stack = open_stack(path, xy_um=0.1, z_um=0.5)
    assert stack.attrs["origin_um"] == (0.001, 0.002, 0.003)
    assert float(stack.z[0]) == 0


def test_an_address_is_read(tmp_path: Path) -> None:
    address = write_store("memory://bucket/secret/a.ome.zarr", version="0.5")
    np.testing.assert_array_equal(open_stack(address), PIXELS)
    assert inspect(address).facts["sizes"] == [3, 5, 7]
    path = write_store(tmp_path / "b.zarr")
    np.testing.assert_array_equal(open_stack(path.as_uri()), PIXELS)
    for wrong in ("memory://nowhere/a.zarr", "nosuch://a/b.zarr"):
        with pytest.raises(StackError, match=r"no OME-Zarr|not known"):
            open_stack(wrong)


def test_without_zarr_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_store(tmp_path / "a.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(StackError, match=r"deepd3_ij\[zarr\]"):
        open_stack(path)


def test_of_a_plate_an_image_is_asked_for(tmp_path: Path) -> None:
    plate = tmp_path / "plate.ome.zarr"
    group = zarr.open_group(plate, mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    write_store(plate / "A" / "1" / "0")
    with pytest.raises(StackError, match=r"2 wells .*for example plate\.ome\.zarr/A/1/0"):
        open_stack(plate)
    np.testing.assert_array_equal(open_stack(plate / "A" / "1" / "0"), PIXELS)
    assert stem_of(plate / "A" / "1" / "0") == "plate_A_1_0"
    assert beside(plate / "A" / "1" / "0", ".rois") == tmp_path / "plate_A_1_0.rois"
    series = tmp_path / "series.zarr"
    zarr.open_group(series, mode="w", zarr_format=2)
    write_store(series / "0")
    with pytest.raises(StackError, match=r"1 images .*series\.zarr/0"):
        open_stack(series)


def _no_metadata(path: Path) -> None:
    (path / ".zattrs").unlink()


def _no_group(path: Path) -> None:
    (path / ".zattrs").unlink()
    (path / ".zgroup").unlink()


def _no_array(path: Path) -> None:
    shutil.rmtree(path / "0")


def _no_chunks(path: Path) -> None:
    for file in (path / "0").iterdir():
        if not file.name.startswith("."):
            file.unlink()


def _broken_chunk(path: Path) -> None:
    next(file for file in (path / "0").iterdir() if not file.name.startswith(".")).write_bytes(b"no chunk")


def _broken_json(path: Path) -> None:
    (path / ".zattrs").write_text('{"multiscales": [')


def _deep_json(path: Path) -> None:
    (path / ".zattrs").write_text('{"multiscales":' + "[" * 100_000 + "]" * 100_000 + "}")


def _change(path: Path, file: str, change: dict[str, Any]) -> None:
    values = json.loads((path / file).read_text())
    (path / file).write_text(json.dumps({**values, **change}))


def _enormous(path: Path) -> None:
    _change(path, "0/.zarray", {"shape": [2**30, 2**30, 2**30]})


def _enormous_chunks(path: Path) -> None:
    _change(path, "0/.zarray", {"chunks": [2**20, 2**20, 2**20]})


def _other_axes(path: Path) -> None:
    _change(path, "0/.zarray", {"shape": [3, 35], "chunks": [3, 35]})


def _leaves_folder(path: Path) -> None:
    write_store(path.with_name("other.zarr"))
    values = json.loads((path / ".zattrs").read_text())
    values["multiscales"][0]["datasets"][0]["path"] = "../other.zarr/0"
    (path / ".zattrs").write_text(json.dumps(values))


def _link_out(path: Path) -> None:
    shutil.move(path / "0", path.with_name("elsewhere"))
    (path / "0").symlink_to(path.with_name("elsewhere"))


def _chunk_links_out(path: Path) -> None:
    chunk = next(file for file in (path / "0").iterdir() if not file.name.startswith("."))
    shutil.move(chunk, path.with_name("elsewhere"))
    chunk.symlink_to(path.with_name("elsewhere"))


def _pipe(path: Path) -> None:
    (path / ".zattrs").unlink()
    os.mkfifo(path / ".zattrs")


@pytest.mark.parametrize(("harm", "told"), [
    (_no_metadata, "multiscales"), (_no_group, "no OME-Zarr"), (_no_array, "incomplete"), (_no_chunks, "no pixels"),
    (_broken_chunk, "damaged"), (_broken_json, "cannot be opened|damaged"), (_deep_json, "cannot be opened|damaged"),
    (_enormous, "memory"), (_enormous_chunks, "memory"), (_other_axes, "contradicts"),
    (_leaves_folder, "leaves the folder"), (_link_out, "leads out"), (_chunk_links_out, "leads out"),
    (_pipe, "no file")])
def test_a_harmed_store_is_told_in_one_line(tmp_path: Path, harm: Any, told: str) -> None:
    path = write_store(tmp_path / "a.ome.zarr")
    harm(path)
    with pytest.raises(StackError, match=told) as caught:
        open_stack(path)
    assert "\n" not in str(caught.value)
    assert inspect(path).problem


@pytest.mark.parametrize(("dtype", "told"), [("c8", "complex64"), ("S4", "type")])
def test_pixels_that_are_no_brightness_are_refused(tmp_path: Path, dtype: str, told: str) -> None:
    with pytest.raises(StackError, match=told):
        open_stack(write_store(tmp_path / "a.zarr", np.ones((2, 3, 4)).astype(dtype)))


def test_missing_chunks_are_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_store(tmp_path / "a.zarr")
    next(file for file in sorted((path / "0").iterdir()) if not file.name.startswith(".")).unlink()
    stack = open_stack(path)
    assert "1 of 4 chunks are not stored" in caplog.text
    assert int(stack[0, 0, 3]) == 0
    assert int(stack[0, 4, 3]) == PIXELS[0, 4, 3]


def test_a_batch_finds_stores_and_does_not_look_into_them(tmp_path: Path) -> None:
    write_store(tmp_path / "in" / "a.ome.zarr")
    write_store(tmp_path / "in" / "deep" / "b.zarr", version="0.5")
    write_store(tmp_path / "in" / "own.ome.zarr")
    _change(tmp_path / "in" / "own.ome.zarr", ".zattrs", {"deepd3": {}})
    stacks, passed = search_stacks(tmp_path / "in")
    assert [stack.source.name for stack in stacks] == ["a.ome.zarr", "b.zarr"]
    assert [(item.path.name, item.reason) for item in passed] == [("own.ome.zarr", "a result of DeepD3")]


def test_a_changed_store_is_noticed(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.zarr")
    before = state_of([path])
    os.utime(next(file for file in (path / "0").iterdir()), ns=(0, 2**62))
    assert state_of([path]) != before


def test_a_result_never_replaces_the_store_that_is_read(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.zarr" / "0")
    with pytest.raises(Exception, match="would be lost"):
        refuse_inputs([tmp_path / "a.zarr"], [path])
