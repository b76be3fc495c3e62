"""Files that the original wrote: read exactly, and ours laid out alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - makes the blosc filter known to HDF5
import numpy as np
import pytest
from roifile import ImagejRoi, roiwrite

from deepd3_ij.files.d3data import read_d3data, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.files.hdf5 import read_prediction, read_rois, write_prediction, write_rois
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.stack import label_stack


def tiff(path: Path) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as file:
        return np.stack([page.asarray() for page in file.pages])


def dump(path: Path) -> dict[str, Any]:
    """Everything about a file's layout: nodes, types, filters, attributes with their exact types."""
    result: dict[str, Any] = {}

    def attributes(node: h5py.HLObject) -> dict[str, Any]:
        found = {}
        for name in node.attrs:
            attribute = h5py.h5a.open(node.id, name.encode())
            kind = attribute.get_type()
            text = (kind.get_cset(), kind.get_strpad()) if kind.get_class() == h5py.h5t.STRING else ()
            value = node.attrs[name]
            found[name] = (kind.get_class(), text, attribute.shape, None if isinstance(value, h5py.Empty) else value)
        return found

    def visit(name: str, node: h5py.HLObject) -> None:
        entry: dict[str, Any] = {"attributes": attributes(node)}
        if isinstance(node, h5py.Dataset):
            kind, properties = node.id.get_type(), node.id.get_create_plist()
            filters = [properties.get_filter(index) for index in range(properties.get_nfilters())]
            entry |= {"class": kind.get_class(), "size": kind.get_size(), "shape": node.shape, "chunks": node.chunks,
                      "filters": filters, "maxshape": node.maxshape}
        result[name] = entry

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    return result


def same_layout(ours: dict[str, Any], theirs: dict[str, Any], nodes: list[str]) -> None:
    for name in nodes:
        assert ours[name] == theirs[name], name


def test_prediction_is_read_exactly(shared):
    files = shared / "reference/files"
    prediction = read_prediction(files / "stack.prediction", xy_um=0.094, z_um=0.5)
    with np.load(files / "side_files.npz") as expected:
        assert np.array_equal(prediction.dendrite.values, expected["dendrites"])
        assert np.array_equal(prediction.spine.values, expected["spines"])
    assert prediction.dendrite.dtype == np.float32


def test_roi_map_is_read_exactly(shared):
    files = shared / "reference/files"
    rois = read_rois(files / "stack.rois", xy_um=0.094, z_um=0.5)
    with np.load(files / "side_files.npz") as expected:
        assert np.array_equal(rois.labels.values, expected["roi_map"])
    assert len(rois) == 14


def test_prediction_is_laid_out_as_by_the_original(shared, tmp_path):
    source = shared / "reference/files/stack.prediction"
    write_prediction(tmp_path / "a.prediction", read_prediction(source, xy_um=0.094, z_um=0.5))
    same_layout(dump(tmp_path / "a.prediction"), dump(source), ["/", "dendrites", "spines"])


def test_roi_map_is_laid_out_as_by_the_original(shared, tmp_path):
    source = shared / "reference/files/stack.rois"
    write_rois(tmp_path / "a.rois", read_rois(source, xy_um=0.094, z_um=0.5))
    same_layout(dump(tmp_path / "a.rois"), dump(source), ["/", "roi_map"])


def test_outlines_list_the_same_rois_per_plane_as_the_original(shared, tmp_path):
    source = shared / "reference/files/stack.rois"
    write_rois(tmp_path / "a.rois", read_rois(source, xy_um=0.094, z_um=0.5))
    with np.load(shared / "reference/files/side_files.npz") as expected:
        index, centroids = expected["contour_index"], expected["contour_centroids_zyx"]
    with h5py.File(tmp_path / "a.rois") as file:
        for plane in range(8):
            entries = list(file[f"rois/__pair{plane}/value"].values())
            assert {int(entry.attrs["ROI_id"]) for entry in entries} == set(index[index[:, 0] == plane, 1].tolist())
            for entry in entries:
                row = np.flatnonzero((index[:, 0] == plane) & (index[:, 1] == entry.attrs["ROI_id"]))[0]
                assert np.allclose(entry.attrs["centroid"], centroids[row], atol=1e-4)


@pytest.mark.parametrize("name", ["stack0", "stack1"])
def test_d3data_is_read_exactly(shared, name):
    files = shared / "reference/files"
    data = read_d3data(files / f"{name}.d3data")
    meta = data.meta
    depth, height, width = data.stack.shape
    part = np.s_[meta["Z_begin"]:meta["Z_begin"] + depth, meta["Y"]:meta["Y"] + height, meta["X"]:meta["X"] + width]
    assert np.array_equal(data.stack, tiff(files / f"{name}.tif")[part])
    assert np.array_equal(data.dendrite, tiff(files / f"{name}_dend.tif")[part] > 0)
    assert np.array_equal(data.spines, tiff(files / f"{name}_sp.tif")[part] > 0)
    assert meta["Z_end"] == meta["Z_begin"] + depth - 1
    assert meta["Generated_from"] == f"{name}.tif"


@pytest.mark.parametrize("name", ["stack0", "stack1"])
def test_d3data_is_laid_out_as_by_the_original(shared, tmp_path, name):
    source = shared / f"reference/files/{name}.d3data"
    write_d3data(tmp_path / "a.d3data", read_d3data(source))
    ours, theirs = dump(tmp_path / "a.d3data"), dump(source)
    assert ours == theirs


def test_d3set_is_read_exactly_without_its_pickled_texts(shared):
    files = shared / "reference/files"
    items = read_d3set(files / "set.d3set")
    assert [item.stack.shape for item in items] == [(10, 160, 200), (8, 179, 179), (6, 150, 170)]
    for name, item in zip(("stack0", "stack1"), items, strict=False):
        single = read_d3data(files / f"{name}.d3data")
        for part in ("stack", "dendrite", "spines"):
            assert np.array_equal(getattr(item, part), getattr(single, part))
        assert {**item.meta, "Generated_from": "", "Timestamp": ""} == {
            **single.meta, "Generated_from": "", "Timestamp": ""}
    assert (items[2].meta["Width"], items[2].meta["Height"]) == (140, 130)
    assert not items[2].meta["crop"]
    assert "Generated_from" not in items[0].meta


def test_d3set_is_laid_out_as_by_the_original_but_for_the_pickle(shared, tmp_path):
    source = shared / "reference/files/set.d3set"
    write_d3set(tmp_path / "a.d3set", read_d3set(source))
    ours, theirs = dump(tmp_path / "a.d3set"), dump(source)
    assert set(ours) == set(theirs)
    for name, node in theirs.items():
        # The name of an unnamed index is a pickled None.
        if "kind" in node["attributes"]:
            assert node["attributes"].pop("name")[3] == b"N."
        if name != "meta/block3_values":
            assert ours[name] == node, name
    assert ours["meta/block3_values"]["class"] == h5py.h5t.STRING
    assert ours["meta/block3_values"]["shape"] == (3, 2)


def test_rois_of_the_original_with_random_names_are_grouped_again(shared, tmp_path):
    with np.load(shared / "reference/files/side_files.npz") as files:
        index, points, roi_map = files["contour_index"], files["contour_points_yx"], files["roi_map"]
    rois = []
    for plane, _, start, count in index.tolist():
        # The original writes pixel-centre coordinates; the half pixel is put right here to compare.
        rois.append(ImagejRoi.frompoints(points[start:start + count, ::-1] + 0.5, z=plane))
    roiwrite(tmp_path / "rois.zip", rois, mode="w")
    back = read_roi_zip(tmp_path / "rois.zip", label_stack(roi_map, xy_um=0.094, z_um=0.5)).labels.values
    pairs = np.unique(np.stack([roi_map[back > 0], back[back > 0]], axis=1), axis=0)
    pairs = pairs[pairs[:, 0] > 0]
    assert len(np.unique(pairs[:, 0])) == 14
    # No two spines are joined. Two come in two pieces: their outlines do not overlap between two planes.
    assert len(pairs) == len(np.unique(pairs[:, 1])) == 16
