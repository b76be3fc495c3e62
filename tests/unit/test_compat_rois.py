"""The guide's ROI creators and exporters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij.compat.core.analysis import ROI2D_Creator, ROI3D_Creator
from deepd3_ij.compat.core.export import (
    ExportCentroids,
    ExportFolder,
    ExportImageJ,
    ExportPredictions,
    ExportROIMap,
)
from deepd3_ij.compat.core.roi_dictionary import roi_dictionary, roi_set_of
from deepd3_ij.compat.pitch import PitchedArray
from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.rois import RoiSet, build_rois_3d
from deepd3_ij.stack import label_prediction, label_stack

PITCH = {"xy": 0.1, "z": 0.4}


@pytest.fixture
def spine():
    """A ring with a hole, a piece of the same ROI that touches it in another plane, a blob at the border."""
    values = np.zeros((4, 30, 40), np.float32)
    values[1, 5:12, 5:12] = 0.9
    values[1, 7:10, 7:10] = 0.0
    values[2, 5:7, 5:7] = values[2, 10:12, 10:12] = 0.9
    values[3, 25:, 35:] = 0.95
    return values


@pytest.fixture
def creator(spine):
    made = ROI3D_Creator(np.zeros_like(spine), spine, "connected components", dimensions=PITCH)
    made.create(1, 1000, 1)
    return made


def grid(shape):
    return label_stack(np.zeros(shape, np.uint8), xy_um=PITCH["xy"], z_um=PITCH["z"])


def test_creating_rois_is_the_packages_own_building(spine):
    creator = ROI3D_Creator(np.zeros_like(spine), spine, dimensions=PITCH, seedDelta=0.1, distanceToSeed=1.0)
    count = creator.create(2, 500, 1)
    own = build_rois_3d(label_prediction(spine, spine, grid(spine.shape), {}), Roi3DParameters(
        seed_delta=0.1, distance_um=1.0, min_voxels=2, max_voxels=500))
    np.testing.assert_array_equal(creator.roi_map, own.labels)
    assert count == len(own) > 0


def test_an_unknown_mode_is_refused(spine):
    with pytest.raises(ParameterError, match="mode is 'floodfil'; accepted: floodfill"):
        ROI3D_Creator(spine, spine, "floodfil")


def test_maps_that_are_no_probabilities_are_refused(spine):
    with pytest.raises(StackError, match="values from 0 to 95"):
        ROI3D_Creator(spine, spine * 100)
    with pytest.raises(StackError, match="NaN"):
        ROI2D_Creator(spine, spine * np.nan, 0.2)


def test_sizes_of_zero_accept_all_as_in_the_original(spine):
    creator = ROI3D_Creator(spine, spine, "connected components")
    assert creator.create(0, 1000, 0) == 2


def test_the_dictionary_lists_every_part_with_id_and_centroid(creator):
    assert {plane: [roi["ROI_id"] for roi in rois] for plane, rois in creator.rois.items()} == {
        0: [], 1: [1], 2: [1, 1], 3: [2]}
    ring = creator.rois[1][0]
    assert ring["contour"].dtype == np.float64
    assert ring["contour"].tolist() == [[4.5, 4.5], [4.5, 11.5], [11.5, 11.5], [11.5, 4.5]]
    assert [len(hole) for hole in ring["holes"]] == [4]
    np.testing.assert_allclose(ring["centroid"], creator.roi_centroids[1], rtol=1e-6)
    np.testing.assert_allclose(creator.rois[3][0]["centroid"], [3, 27, 37])


def test_the_dictionary_holds_the_rois_voxel_for_voxel(creator):
    labels = roi_set_of(creator.rois).labels.values
    np.testing.assert_array_equal(labels, np.asarray(creator.roi_map))


def test_without_contours_the_dictionary_is_empty_but_the_map_is_not(spine):
    creator = ROI3D_Creator(spine, spine, "connected components")
    creator.computeContours = False
    assert creator.create(1, 1000, 1) == 2
    assert creator.rois == {0: [], 1: [], 2: [], 3: []}
    assert creator.roi_map.max() == 2


def test_signals_tell_planes_and_texts(spine):
    creator = ROI3D_Creator(spine, spine)
    planes, texts = [], []
    creator.zSignal.connect(lambda z, count: planes.append((z, count)))
    creator.log.connect(texts.append)
    creator.create(1, 1000, 1)
    assert planes == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert texts[-1] == "ROIs built"
    flat = ROI2D_Creator(spine, spine, 0.2)
    flat.zSignal.connect(lambda z, count: planes.append((z, count)))
    flat.create()
    assert planes[-1] == (4, 4)


def test_a_disconnected_slot_is_not_called_and_objects_do_not_share_slots(spine):
    first, second, heard = ROI3D_Creator(spine, spine), ROI3D_Creator(spine, spine), []
    first.log.connect(heard.append)
    second.create(1, 1000, 1)
    first.log.disconnect(heard.append)
    first.create(1, 1000, 1)
    assert heard == []


def test_plane_rois_have_the_same_ids_in_map_and_dictionary_and_keep_them_when_cleaned(spine):
    dendrite = np.zeros_like(spine)
    dendrite[2] = 0.9
    creator = ROI2D_Creator(dendrite, spine, 0.25)
    assert creator.create() == 4
    for plane, rois in creator.rois.items():
        assert {roi["ROI_id"] for roi in rois} == set(np.unique(creator.roi_map[plane]).tolist()) - {0}
    assert creator.clean(10, 1) == (4, 2)
    assert np.unique(creator.roi_map).tolist() == [0, 2, 3]
    assert creator.rois[2][0]["centroid"] == [5.5, 5.5]
    assert creator.clean(10, 1) == (2, 2)


def test_splitting_keeps_rois_at_the_border(spine):
    flat = ROI2D_Creator(spine, spine, 0.25)
    assert flat.create(applyWatershed=True, maskSize=5, minDistance=3) >= 4
    assert (flat.roi_map[3, 25:, 35:] > 0).all()
    solid = ROI3D_Creator(spine, spine, "connected components", dimensions=PITCH)
    solid.create(1, 1000, 1, applyWatershed=True)
    np.testing.assert_array_equal(solid.roi_map > 0, spine > 0)


def test_exported_rois_come_back_with_ids_and_replace_an_older_file(creator, tmp_path):
    path = tmp_path / "rois.zip"
    for _ in range(2):
        ExportImageJ(creator.rois).export(path)
    back = read_roi_zip(path, grid(creator.roi_map.shape))
    np.testing.assert_array_equal(back.labels, creator.roi_map)
    assert back.dimensions == 3


def test_plane_rois_are_exported_as_such(spine, tmp_path):
    creator = ROI2D_Creator(spine, spine, 0.25)
    creator.create()
    ExportImageJ(creator.rois).export(tmp_path / "rois.zip")
    back = read_roi_zip(tmp_path / "rois.zip", grid(spine.shape))
    np.testing.assert_array_equal(back.labels, creator.roi_map)
    assert back.dimensions == 2


def test_no_rois_make_an_empty_zip(tmp_path):
    ExportImageJ({0: [], 1: []}).export(tmp_path / "rois.zip")
    assert len(read_roi_zip(tmp_path / "rois.zip", grid((2, 5, 5)))) == 0


def test_outlines_are_exported_to_a_folder_per_plane(creator, tmp_path):
    ExportFolder(creator.rois).export("/data/stack7.tif", tmp_path / "out")
    files = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*.csv"))
    assert files == ["out/stack7/1/1.csv", "out/stack7/2/1.csv", "out/stack7/3/2.csv"]
    np.testing.assert_allclose(pd.read_csv(tmp_path / "out/stack7/3/2.csv"), creator.rois[3][0]["contour"])


def test_exported_centroids_have_ids_and_um_and_no_background(creator, tmp_path):
    ExportCentroids(creator.roi_centroids).export(tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", index_col=0)
    assert table.index.tolist() == [1, 2]
    assert table.columns[:3].tolist() == ["Pos", "Y", "X"]
    np.testing.assert_allclose(table.loc[2], [3, 27, 37, 1.2, 2.7, 3.7], rtol=1e-6)
    with pytest.raises(ParameterError, match="accepted: \\(N \\+ 1, 3\\)"):
        ExportCentroids(np.zeros(3))


def test_exported_maps_are_calibrated_stacks_with_all_planes(spine, tmp_path):
    maps = PitchedArray(np.stack([spine, spine / 2, spine], axis=-1), PITCH)
    ok, message = ExportPredictions(maps[..., 1], maps[..., 0]).export("a.tif", tmp_path)
    assert ok
    assert message == f"{tmp_path / 'a_spines.tif'}\n{tmp_path / 'a_dendrites.tif'}"
    for name, values in (("spines", spine / 2), ("dendrites", spine)):
        back = open_stack(tmp_path / f"a_{name}.tif")
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, np.rint(values * 255))
        np.testing.assert_allclose(back.attrs["voxel_size_um"], (0.4, 0.1, 0.1), rtol=1e-6)


def test_the_exported_roi_map_holds_ids_or_is_binary(creator, tmp_path):
    assert ExportROIMap(creator.roi_map).export(tmp_path / "ids.tif") == (True, str(tmp_path / "ids.tif"))
    assert ExportROIMap(creator.roi_map, binarize=True).export(tmp_path / "binary.tif")[0]
    ids, binary = open_stack(tmp_path / "ids.tif"), tifffile.imread(tmp_path / "binary.tif")
    np.testing.assert_array_equal(ids, creator.roi_map)
    np.testing.assert_allclose(ids.attrs["voxel_size_um"], (0.4, 0.1, 0.1), rtol=1e-6)
    np.testing.assert_array_equal(binary, (np.asarray(creator.roi_map) > 0) * 255)
    assert binary.dtype == np.uint8


def test_a_failed_export_says_why(creator, tmp_path):
    ok, error = ExportROIMap(creator.roi_map).export(tmp_path / "missing" / "a.tif")
    assert not ok
    assert "does not exist" in str(error)
    ok, error = ExportPredictions(creator.roi_map * 1.0, creator.roi_map[:1] * 1.0).export("a.tif", tmp_path)
    assert not ok
    assert "Shapes differ" in str(error)


def test_a_dictionary_of_one_plane_keeps_two_dimensional_centroids():
    labels = np.zeros((1, 4, 6), np.int32)
    labels[0, 1, 2:4] = 5
    listed = roi_dictionary(RoiSet(label_stack(labels, xy_um=1, z_um=1), dimensions=2))
    assert listed[0][0]["centroid"] == [2.5, 1.0]
    assert roi_set_of(listed).dimensions == 2
