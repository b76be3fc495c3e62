"""The guide's names give the original's results wherever the original is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij.compat.core import analysis
from deepd3_ij.compat.core.dendrite import DendriteSWC
from deepd3_ij.compat.core.export import ExportCentroids, ExportImageJ
from deepd3_ij.compat.core.roi_dictionary import roi_set_of

FLOODFILL = [
    ("iso_a", (0.25, 0.8, 0.2, 2.0), (20, 1000, 1), {"xy": 0.2, "z": 0.2}),
    ("iso_b", (0.15, 0.5, 0.5, 1.2), (5, 3000, 1), {"xy": 0.1, "z": 0.1}),
    ("aniso_a_right_axes", (0.25, 0.8, 0.2, 2.0), (20, 1000, 1), {"xy": 0.094, "z": 0.5}),
]


@pytest.fixture(scope="module")
def reference(shared):
    def load(name):
        with np.load(shared / "reference" / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)
    return load


@pytest.fixture(scope="module")
def maps(reference):
    return reference("roi/maps")


@pytest.fixture
def stack(tmp_path, maps):
    """A Stack whose prediction is the reference maps."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(maps["spine"].shape, np.uint8), photometric="minisblack")
    made = analysis.Stack(tmp_path / "a.tif")
    made.prediction[..., 0] = made.prediction[..., 2] = maps["dendrite"]
    made.prediction[..., 1] = maps["spine"]
    return made


@pytest.mark.parametrize(("name", "area", "sizes", "dilation"), [
    ("cc_a", 0.25, (20, 1000, 1), 0), ("cc_b_dilated", 0.5, (10, 5000, 1), 1), ("cc_c", 0.4, (5, 800, 3), 0)])
def test_connected_components_with_ids_and_centroids(reference, maps, name, area, sizes, dilation):
    expected = reference(f"roi/roi3d_{name}")
    creator = analysis.ROI3D_Creator(maps["dendrite"], maps["spine"], "connected components", areaThreshold=area)
    assert creator.create(*sizes, dilation=dilation) == len(expected["roi_centroids_zyx"]) - 1
    np.testing.assert_array_equal(creator.roi_map, expected["roi_map"])
    np.testing.assert_allclose(creator.roi_centroids[1:], expected["roi_centroids_zyx"][1:], atol=1e-4)


@pytest.mark.parametrize(("name", "settings", "sizes", "dimensions"), FLOODFILL)
def test_floodfill_rois_and_their_raw_regions(reference, maps, name, settings, sizes, dimensions):
    expected = reference(f"roi/roi3d_ff_{name}")
    area, peak, delta, distance = settings
    creator = analysis.ROI3D_Creator(maps["dendrite"], maps["spine"], "floodfill", area, peak, delta, distance,
                                     dimensions)
    assert creator.create(*sizes) == expected["roi_map"].max()
    np.testing.assert_array_equal(creator.roi_map, expected["roi_map"])
    seeds = analysis._get_sorted_seeds(maps["spine"], peak)
    for pitch in (dimensions, (dimensions["xy"], dimensions["z"])):
        labels, count = analysis.connected_components_3d(maps["spine"], seeds, delta, area, distance, pitch)
        np.testing.assert_array_equal(labels, expected["raw_labels"])
        assert count == expected["raw_N"]


def test_seeds_are_the_most_probable_first(reference, maps):
    np.testing.assert_array_equal(analysis._get_sorted_seeds(maps["spine"], 0.8),
                                  reference("roi/roi3d_ff_iso_a")["seeds_zyx"])


def test_the_distance_takes_the_pitch_of_each_axis(reference, maps):
    creator = analysis.ROI3D_Creator(maps["dendrite"], maps["spine"], seedDelta=0.2, distanceToSeed=2.0)
    creator.create(20, 1000, 1)
    assert creator.roi_map.max() == 33 < reference("roi/roi3d_ff_aniso_a")["roi_map"].max()


def test_outlines_list_the_rois_of_every_plane_around_those_of_the_original(reference, maps):
    expected = reference("roi/roi3d_cc_a")
    creator = analysis.ROI3D_Creator(maps["dendrite"], maps["spine"], "connected components")
    creator.create(20, 1000, 1)
    assert sorted(creator.rois) == list(range(24))
    listed = {(plane, roi["ROI_id"]) for plane, rois in creator.rois.items() for roi in rois}
    assert listed == {(int(plane), int(roi)) for plane, roi, _, _ in expected["contour_index"]}
    for plane, roi_id, start, count in expected["contour_index"].tolist():
        theirs = expected["contour_points_yx"][start:start + count]
        outlines = np.concatenate([roi["contour"] for roi in creator.rois[plane] if roi["ROI_id"] == roi_id])
        assert (theirs >= outlines.min(axis=0)).all()
        assert (theirs <= outlines.max(axis=0)).all()


def test_the_originals_outlines_are_exported_too(reference, tmp_path):
    expected = reference("files/side_files")
    rois = {plane: [] for plane in range(8)}
    for (plane, roi_id, start, count), centroid in zip(
            expected["contour_index"].tolist(), expected["contour_centroids_zyx"], strict=True):
        rois[plane].append({"ROI_id": roi_id, "centroid": centroid,
                            "contour": expected["contour_points_yx"][start:start + count]})
    labels = roi_set_of(rois).labels.values
    depth, height, width = labels.shape
    there = expected["roi_map"][:depth, :height, :width]
    assert (there[labels > 0] == labels[labels > 0]).all()
    assert np.count_nonzero(labels) > 0.9 * np.count_nonzero(expected["roi_map"])
    ExportImageJ(rois).export(tmp_path / "rois.zip")
    assert (tmp_path / "rois.zip").stat().st_size > 1000


def test_exported_centroids_are_the_originals_without_the_background(shared, reference, maps, tmp_path):
    _, settings, sizes, dimensions = FLOODFILL[0]
    creator = analysis.ROI3D_Creator(maps["dendrite"], maps["spine"], "floodfill", *settings, dimensions)
    creator.create(*sizes)
    ExportCentroids(creator.roi_centroids).export(tmp_path / "a.csv")
    ours = pd.read_csv(tmp_path / "a.csv", index_col=0)
    theirs = pd.read_csv(shared / "reference/roi/centroids_ff_iso_a.csv", index_col=0).iloc[1:]
    assert ours.index.tolist() == theirs.index.tolist()
    np.testing.assert_allclose(ours[["Pos", "Y", "X"]], theirs[["Pos", "Y", "X"]], atol=2e-4)
    np.testing.assert_allclose(ours[["Z_um", "Y_um", "X_um"]], theirs[["Pos", "Y", "X"]] * 0.2, atol=1e-4)


def test_plane_rois_and_their_cleaning_keep_the_originals_set(reference, maps):
    expected = reference("roi/roi2d_plain")
    creator = analysis.ROI2D_Creator(maps["dendrite"], maps["spine"], 0.25)
    assert creator.create() == 188
    np.testing.assert_array_equal(creator.roi_map > 0, expected["roi_map"] > 0)
    assert creator.clean(30, 10) == (188, 107)
    np.testing.assert_array_equal(creator.roi_map > 0, expected["clean_roi_map"] > 0)
    assert creator.clean(30, 10) == (107, 107)
    centres = sorted((plane, *np.round(roi["centroid"], 2)) for plane, rois in creator.rois.items() for roi in rois)
    index, centroids = expected["clean_contour_index"], expected["clean_contour_centroids_xy"]
    theirs = sorted((int(row[0]), *np.round(centre, 2)) for row, centre in zip(index, centroids, strict=True))
    np.testing.assert_allclose(sorted(set(centres)), sorted(set(theirs)), atol=0.02)


def test_cleaning(reference, stack):
    expected = reference("roi/cleaning")
    np.testing.assert_array_equal(stack.cleanDendrite(0.7, 100), expected["cleanDendrite_thr07_min100"])
    np.testing.assert_array_equal(stack.cleanDendrite3D(0.8, 100), expected["cleanDendrite3D_thr08_min100"])
    same = ~expected["cleanDendrite3D_thr07_min100_differs_because_of_bug10"]
    np.testing.assert_array_equal(stack.cleanDendrite3D(0.7, 100)[same],
                                  expected["cleanDendrite3D_thr07_min100"][same])
    np.testing.assert_array_equal(stack.cleanSpines(0.7, 12), expected["cleanSpines_thr07_dil12"])
    np.testing.assert_array_equal(stack.closing(), expected["closing_1"])


def test_label_functions(reference):
    expected = reference("roi/labels")
    sums, counts, planes = analysis.centroids3D_from_labels(expected["labels"])
    np.testing.assert_allclose(sums[1:], expected["sums_zyx"][1:], rtol=1e-6)
    np.testing.assert_array_equal(counts, expected["counts"])
    np.testing.assert_array_equal(planes, expected["planes"])
    np.testing.assert_array_equal(analysis.reid(expected["reid_in"]), expected["reid_out"])
    np.testing.assert_array_equal(analysis.cleanLabels(expected["labels"], expected["clean_ids"]),
                                  expected["clean_out"])
    np.testing.assert_allclose(analysis.centroid3D(expected["labels"] == 1), expected["centroid_of_label1_zyx"])
    np.testing.assert_array_equal(analysis.getROIsizes(expected["labels"]), np.bincount(expected["labels"].ravel()))


@pytest.mark.parametrize("pixels", ["u8", "u16"])
def test_whole_planes_are_predicted_as_by_the_original(shared, reference, pixels):
    folder = shared / "reference/model"
    stack = analysis.Stack(folder / f"stack_{pixels}.tif")
    assert stack.predictWholeImage(folder / "DeepD3_8F_random.h5") is True
    expected = reference(f"model/predictWholeImage_{pixels}")
    assert stack.segmented
    for channel, name in ((0, "dendrites"), (1, "spines"), (2, "dendrites")):
        np.testing.assert_allclose(stack.prediction[..., channel], expected[name], atol=1e-4)


@pytest.mark.parametrize(("name", "spacing"), [("iso", (1, 1, 1)), ("aniso", [1, 1, 2.5])])
def test_a_tracing_is_drawn_nearly_as_by_the_original(shared, reference, tmp_path, name, spacing):
    folder = shared / "reference/swc"
    converter = DendriteSWC(spacing)
    converter.open(folder / "plain.swc", folder / "ref.tif")
    path = converter.convert(tmp_path / "drawn.tif")
    expected, ours = reference(f"swc/plain_{name}")["stack"] > 0, tifffile.imread(path) > 0
    assert converter.stack.dtype == np.uint8
    assert ours.shape == expected.shape
    assert 2 * (ours & expected).sum() / (ours.sum() + expected.sum()) >= 0.90


@pytest.mark.parametrize("case", ["noscale", "res094", "norm01"])
def test_batches_are_the_originals_bit_for_bit(shared, reference, case):
    from deepd3_ij.compat.training.stream import DataGeneratorStream

    options = {"noscale": {}, "res094": {"target_resolution": 0.094},
               "norm01": {"size": (1, 96, 64), "normalize": [0, 1]}}[case]
    generator = DataGeneratorStream(shared / "reference/files/set.d3set", batch_size=4, samples_per_epoch=40,
                                    augment=False, shuffle=False, seed=42, **options)
    expected = reference("files/batches")
    assert len(generator) == 10
    for index in (1, 0):
        image, (dendrite, spine) = generator[index]
        for part, name in ((image, "X"), (dendrite, "Y0"), (spine, "Y1")):
            np.testing.assert_array_equal(part, expected[f"{case}_b{index}_{name}"])


def test_a_prediction_of_the_original_is_loaded(shared, reference, tmp_path):
    expected = reference("files/side_files")
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((8, 256, 256), np.uint8), photometric="minisblack")
    stack = analysis.Stack(tmp_path / "stack.tif", shared / "reference/files/stack.prediction")
    assert stack.segmented
    np.testing.assert_array_equal(stack.prediction[..., 0], expected["dendrites"])
    np.testing.assert_array_equal(stack.prediction[..., 1], expected["spines"])
