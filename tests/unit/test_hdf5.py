"""Predictions and ROIs as HDF5."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import FileFormatError, OutputError, StackError, VoxelSizeError
from deepd3_ij.files.hdf5 import read_prediction, read_rois, write_prediction, write_rois
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_prediction, label_stack, provenance_of
from tests.unit.pickles import pickles_in


@pytest.fixture
def prediction():
    maps = np.random.default_rng(3).random((2, 3, 40, 50), dtype=np.float32)
    like = label_stack(maps[0], xy_um=0.094, z_um=0.5, source="cell.tif")
    like = like.assign_coords(z=like.z + 1.5)
    return label_prediction(*maps, like, {"model": "m", "parameters": {"µ": 1}})


@pytest.fixture
def rois():
    labels = np.zeros((3, 20, 24), dtype=np.int32)
    labels[0:2, 2:6, 3:8] = 4
    labels[1, 3, 4] = 0
    labels[1, 10, 10] = labels[1, 11, 11] = 9
    return RoiSet(label_stack(labels, xy_um=0.1, z_um=0.4, source="cell.tif"), provenance={"mode": "floodfill"})


def sorted_nodes(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return sorted(names)


def executed_marker(folder: Path) -> tuple[Path, bytes]:
    """A pickle that leaves a file when it is loaded."""
    marker = folder / "executed"

    class Payload:
        def __reduce__(self):
            return (Path.touch, (marker,))

    return marker, pickle.dumps(Payload())


def test_prediction_comes_back_with_values_coordinates_and_provenance(tmp_path, prediction):
    write_prediction(tmp_path / "a.prediction", prediction)
    back = read_prediction(tmp_path / "a.prediction")
    assert back.dendrite.equals(prediction.dendrite)
    assert back.spine.equals(prediction.spine)
    assert back.attrs["voxel_size_um"] == prediction.attrs["voxel_size_um"]
    assert back.attrs["source"] == "cell.tif"
    assert provenance_of(back) == provenance_of(prediction)


def test_long_provenance_is_kept(tmp_path, prediction):
    prediction = label_prediction(prediction.dendrite.values, prediction.spine.values, prediction,
                                  {"text": "x" * 200_000})
    write_prediction(tmp_path / "a.prediction", prediction)
    assert len(provenance_of(read_prediction(tmp_path / "a.prediction"))["text"]) == 200_000


def test_given_voxel_size_goes_before_the_stored_one(tmp_path, prediction):
    write_prediction(tmp_path / "a.prediction", prediction)
    assert read_prediction(tmp_path / "a.prediction", xy_um=0.2).attrs["voxel_size_um"] == (0.5, 0.2, 0.2)


def test_prediction_without_voxel_size_asks_for_it(tmp_path):
    with h5py.File(tmp_path / "a.prediction", "w") as file:
        file["dendrites"] = file["spines"] = np.zeros((2, 4, 4), np.float32)
    with pytest.raises(VoxelSizeError, match="--xy and --z"):
        read_prediction(tmp_path / "a.prediction")


def test_older_key_for_dendrites_is_understood(tmp_path):
    values = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
    with h5py.File(tmp_path / "a.prediction", "w") as file:
        file["dendrite"], file["spines"] = values, values / 2
    back = read_prediction(tmp_path / "a.prediction", xy_um=0.1, z_um=0.5)
    assert np.array_equal(back.dendrite.values, values)


def test_prediction_of_another_stack_is_refused(tmp_path, prediction):
    write_prediction(tmp_path / "a.prediction", prediction)
    other = label_stack(np.zeros((3, 40, 51)), xy_um=0.1, z_um=0.5)
    with pytest.raises(StackError, match=r"does not belong to this stack.*\(3, 40, 50\)"):
        read_prediction(tmp_path / "a.prediction", like=other)


def test_rois_come_back_with_labels_dimensions_provenance_and_table(tmp_path, rois):
    table = pd.DataFrame({"id": [4, 9], "volume_um3": [0.25, np.nan], "note": ["näher", ""]})
    write_rois(tmp_path / "a.rois", rois, table)
    back = read_rois(tmp_path / "a.rois")
    assert back.labels.equals(rois.labels)
    assert (back.dimensions, back.provenance) == (3, {"mode": "floodfill"})
    with h5py.File(tmp_path / "a.rois") as file:
        stored = file["deepd3/table"]
        assert json.loads(stored["columns"][()]) == ["id", "volume_um3", "note"]
        assert stored["column0"][()].tolist() == [4, 9]
        np.testing.assert_array_equal(stored["column1"], [0.25, np.nan])
        assert [text.decode() for text in stored["column2"][()]] == ["näher", ""]


def test_rois_without_table_or_without_rois_are_fine(tmp_path, rois):
    none = RoiSet(rois.labels * 0, dimensions=2)
    write_rois(tmp_path / "a.rois", none)
    assert len(read_rois(tmp_path / "a.rois")) == 0
    assert read_rois(tmp_path / "a.rois").dimensions == 2
    with h5py.File(tmp_path / "a.rois") as file:
        assert "table" not in file["deepd3"]


def test_outlines_are_plain_groups_per_plane_with_every_part(tmp_path, rois):
    write_rois(tmp_path / "a.rois", rois)
    with h5py.File(tmp_path / "a.rois") as file:
        planes = [file[f"rois/__pair{plane}"] for plane in range(3)]
        assert [plane.attrs["key"] for plane in planes] == [0, 1, 2]
        titles = [plane["value"].attrs["TITLE"] for plane in planes]
        assert titles[0] == b"list:1"
        assert titles[2] == b"list:0"
        entry = planes[0]["value/i0"].attrs
        assert entry["ROI_id"] == 4
        assert sorted(map(tuple, entry["contour"].tolist())) == [(1.5, 2.5), (1.5, 7.5), (5.5, 2.5), (5.5, 7.5)]
        assert entry["centroid"].shape == (3,)


def test_no_pickle_is_written(tmp_path, rois, prediction):
    write_rois(tmp_path / "a.rois", rois, pd.DataFrame({"note": ["a", "b"], "size": [1.5, 2.5]}))
    write_prediction(tmp_path / "a.prediction", prediction)
    assert pickles_in(tmp_path / "a.rois") == []
    assert pickles_in(tmp_path / "a.prediction") == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_would_be_noticed_wherever_it_is(tmp_path, rois, protocol):
    write_rois(tmp_path / "a.rois", rois)
    pickled = np.bytes_(pickle.dumps({"a": np.arange(3)}, protocol))
    with h5py.File(tmp_path / "a.rois", "r+") as file:
        places = ["/", *sorted_nodes(file)]
        for name in places:
            file[name].attrs["also"] = pickled
        group = file.create_group("deepd3/last")
        group["text"] = pickled
        group.create_dataset("objects", (1,), dtype=h5py.vlen_dtype(np.uint8))
    assert len(places) >= 16
    assert sorted(pickles_in(tmp_path / "a.rois")) == sorted(
        [*(f"{name}@also" for name in places), "deepd3/last/text", "deepd3/last/objects"])


def test_a_pickle_in_a_rois_file_is_never_loaded(tmp_path, rois):
    marker, payload = executed_marker(tmp_path)
    pickle.loads(payload)
    assert marker.exists(), "the payload would be noticed"
    marker.unlink()
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = rois.labels.values
        kind = h5py.vlen_dtype(np.uint8)
        for name in ("rois", "deepd3"):
            node = file.create_dataset(name, (1,), dtype=kind)
            node[0] = np.frombuffer(payload, np.uint8)
            node.attrs["PSEUDOATOM"] = np.bytes_(b"object")
        file.attrs["provenance"] = np.bytes_(payload)
    back = read_rois(tmp_path / "a.rois", xy_um=0.1, z_um=0.5)
    assert np.array_equal(back.labels.values, rois.labels.values)
    assert not marker.exists()


def test_links_to_other_files_are_not_followed(tmp_path, rois):
    write_rois(tmp_path / "secret.rois", rois)
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = h5py.ExternalLink("secret.rois", "/roi_map")
    with pytest.raises(FileFormatError, match="roi_map is missing"):
        read_rois(tmp_path / "a.rois", xy_um=0.1, z_um=0.5)


def test_two_dimensional_maps_get_ids_that_are_unique_through_the_stack(tmp_path):
    labels = np.zeros((2, 6, 6), np.int32)
    labels[0, 0, 0], labels[0, 4, 4], labels[1, 2, 2] = 1, 2, 1
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = labels
    back = read_rois(tmp_path / "a.rois", xy_um=0.1, z_um=0.5, dimensions=2)
    assert back.labels.values[labels > 0].tolist() == [1, 2, 3]


def test_binarised_two_dimensional_maps_are_split_into_pieces(tmp_path):
    labels = np.zeros((2, 6, 6), np.int32)
    labels[0, 0, 0] = labels[0, 4, 4] = labels[1, 2, 2] = 1
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = labels
    back = read_rois(tmp_path / "a.rois", xy_um=0.1, z_um=0.5, dimensions=2)
    assert back.labels.values[labels > 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((2, 4, 4), 0.5), np.full((2, 4, 4), -1),
                                    np.full((2, 4, 4), 2**40), np.array([[[b"x"]]])])
def test_a_roi_map_of_another_kind_is_a_clear_error(tmp_path, values):
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = values
    with pytest.raises(FileFormatError, match="accepted"):
        read_rois(tmp_path / "a.rois", xy_um=0.1, z_um=0.5)


def test_truncated_foreign_and_missing_files_are_one_clear_line(tmp_path, prediction):
    write_prediction(tmp_path / "a.prediction", prediction)
    content = (tmp_path / "a.prediction").read_bytes()
    for name, data in (("cut", content[: len(content) // 2]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
    with h5py.File(tmp_path / "other", "w") as file:
        file["something"] = 1
    with h5py.File(tmp_path / "shapes", "w") as file:
        file["dendrites"], file["spines"] = np.zeros((1, 2, 3)), np.zeros((1, 2, 4))
    for name in ("cut", "text", "empty", "none", "other", "shapes"):
        with pytest.raises(FileFormatError) as error:
            read_prediction(tmp_path / name, xy_um=0.1, z_um=0.5)
        assert "\n" not in str(error.value)


def test_damaged_compressed_data_are_a_clear_error(tmp_path, prediction):
    write_prediction(tmp_path / "a.prediction", prediction)
    with h5py.File(tmp_path / "a.prediction") as file:
        chunk = file["dendrites"].id.get_chunk_info(0)
    content = bytearray((tmp_path / "a.prediction").read_bytes())
    content[chunk.byte_offset:chunk.byte_offset + 16] = b"\xff" * 16
    (tmp_path / "a.prediction").write_bytes(content)
    assert not chunk.filter_mask, "the chunk is compressed, so that it can be damaged"
    with pytest.raises(FileFormatError, match="damaged"):
        read_prediction(tmp_path / "a.prediction")


def test_prediction_and_rois_can_be_written_over_older_files(tmp_path, prediction, rois):
    for _ in range(2):
        write_prediction(tmp_path / "a.prediction", prediction)
        write_rois(tmp_path / "a.rois", rois)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.prediction", "a.rois"]


def test_a_missing_output_folder_is_a_clear_error(tmp_path, prediction):
    with pytest.raises(OutputError, match="does not exist"):
        write_prediction(tmp_path / "none" / "a.prediction", prediction)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits need POSIX")
@pytest.mark.parametrize("limit", [3_000, 40_000, 300_000])
def test_a_full_disk_is_a_clear_error_and_leaves_the_older_file(tmp_path, limit):
    """A file size limit stands for the full disk; it needs a process of its own."""
    code = f"""
import resource, signal
import numpy as np
from deepd3_ij.errors import OutputError
from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_prediction, label_stack
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
maps = np.random.default_rng(0).random((3, 200, 200), dtype=np.float32)
stack = label_stack(maps, xy_um=0.1, z_um=0.5)
labels = np.zeros(maps.shape, np.int32)
labels[:, ::4, ::4] = np.arange(1, 2501).reshape(50, 50)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
rois = RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5))
for name, write, data in (("a.prediction", write_prediction, label_prediction(maps, maps, stack, {{}})),
                          ("a.rois", write_rois, rois)):
    try:
        write({str(tmp_path)!r} + "/" + name, data)
    except OutputError as error:
        print("refused:", error)
"""
    for name in ("a.prediction", "a.rois"):
        (tmp_path / name).write_bytes(b"older")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused:") == 2
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.prediction": b"older",
                                                                           "a.rois": b"older"}
