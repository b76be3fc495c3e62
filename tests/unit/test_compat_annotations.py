"""The guide's converters of tracings and spine masks, and its distances."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from deepd3_ij.compat.core import distance
from deepd3_ij.compat.core.dendrite import DendriteSWC, line_w_sphere, sphere, xyzr
from deepd3_ij.compat.core.spines import Spines
from deepd3_ij.errors import AnnotationError, ParameterError, VoxelSizeError

SWC = "# traced\n1 3 5.7 6.2 2 2.4 -1\n\t7 3\t15 6 2  1 1\n"


@pytest.fixture
def traced(tmp_path):
    (tmp_path / "t.swc").write_text(SWC)
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((5, 20, 30), np.uint8), photometric="minisblack")
    made = DendriteSWC([1, 1, 2])
    made.open(str(tmp_path / "t.swc"), str(tmp_path / "image.tif"))
    return made


def test_a_tracing_becomes_a_mask_beside_its_stack(traced, tmp_path):
    told = []
    traced.node.connect(lambda i, n: told.append((i, n)))
    assert traced.convert() == str(tmp_path / "image_dendrite.tif")
    written = tifffile.imread(tmp_path / "image_dendrite.tif")
    np.testing.assert_array_equal(written, traced.stack)
    assert np.unique(written).tolist() == [0, 255]
    assert written[2, 6, 15] == 255  # the last node
    assert told[-1] == (1, 1)
    assert (tmp_path / "image_dendrite_max.png").is_file()


def test_nodes_are_listed_by_their_ids_and_read_as_whole_numbers(traced):
    assert traced.swc.columns.tolist() == ["idx", "kind", "x", "y", "z", "r", "parent"]
    assert xyzr(traced.swc, 1) == ((6, 5, 2), 2)
    assert xyzr(traced.swc, 7) == ((6, 15, 2), 1)


def test_an_unequal_pitch_in_the_plane_is_refused():
    with pytest.raises(VoxelSizeError, match="x and y equal"):
        DendriteSWC([1, 2, 1])


def test_a_ball_is_cut_off_at_the_border_and_does_not_wrap():
    volume = np.zeros((9, 20, 30), np.uint8)
    sphere(volume, (0, 29, 4), 8)
    assert volume[4, 0, 29] == 255
    assert np.argwhere(volume).min(axis=0).tolist() == [0, 0, 25]
    sphere(volume, (-50, 5, 4), 8)
    sphere(volume, (-4, 5, 4), 7.9)
    assert not volume[:, :, :20].any()


def test_a_ball_is_as_wide_as_its_diameter_in_the_unit_of_the_spacing(capsys):
    volume = np.zeros((21, 41, 41), np.uint8)
    sphere(volume, (20, 20, 10), 10, spacing=[0.5, 0.5, 1], color=7, debug=True)
    extent = np.ptp(np.argwhere(volume == 7), axis=0) + 1
    assert extent.tolist() == [11, 21, 21]
    assert capsys.readouterr().out.splitlines()[5] == "plane 10: radius 10.00 px"


def test_a_line_tapers_and_reaches_its_end():
    volume = np.zeros((11, 30, 60), np.uint16)
    line_w_sphere(volume, (15, 10, 5), (15, 50, 5), 6, 2, color=300)
    assert volume[5, 15, 50] == 300
    widths = [(volume[5, :, x] > 0).sum() for x in (10, 30, 50)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == 13


def test_a_tiff_of_spines_is_converted(tmp_path):
    labels = np.zeros((3, 10, 12), np.uint16)
    labels[1, 2:4, 5] = 700
    tifffile.imwrite(tmp_path / "s.TIF", labels, photometric="minisblack")
    spines = Spines()
    spines.open(str(tmp_path / "s.TIF"))
    path = spines.convert()
    assert path == str(tmp_path / "s_spines.tif")
    np.testing.assert_array_equal(tifffile.imread(path), (labels > 0) * 255)
    assert (tmp_path / "s_spines_max.png").is_file()


def test_a_pipra_file_of_spines_is_turned_and_converted(tmp_path):
    mask = np.zeros((3, 12, 10), bool)
    mask[1, 5, 2] = True
    with h5py.File(tmp_path / "s.mask", "w") as file:
        file["mask"] = mask
    spines = Spines()
    spines.open(str(tmp_path / "s.mask"))
    assert np.argwhere(tifffile.imread(spines.convert())).tolist() == [[1, 2, 5]]


def test_other_spine_files_are_refused(tmp_path):
    spines = Spines()
    with pytest.raises(AnnotationError, match="call open"):
        spines.convert()
    spines.open(str(tmp_path / "s.png"))
    with pytest.raises(AnnotationError, match=r"suffix .png"):
        spines.convert()


def test_distances_take_the_pitch_of_each_axis():
    assert distance._computeDistance((0, 0, 0), (2, 0, 0)) == pytest.approx(1.0)
    assert distance._computeDistance((0, 0, 0), (0, 3, 4), dxy=0.2) == pytest.approx(1.0)
    matrix = distance._distanceMatrix([(0, 0, 0), (1, 0, 0)], [(0, 0, 10)], dxy=0.1, dz=0.5)
    np.testing.assert_allclose(matrix, [[1.0], [np.sqrt(1.25)]])


def test_points_without_plane_are_measured_in_the_plane_but_not_mixed_with_others():
    np.testing.assert_allclose(distance.distanceMatrix([(0, 0)], [(30, 40)]), [[5.0]])
    assert distance.distanceMatrix([], [(1, 2, 3)]).shape == (0, 1)
    with pytest.raises(ParameterError, match="pt1 has 2 columns and pt2 3"):
        distance.distanceMatrix([(0, 0)], [(5, 0, 0)])


def test_occurrences_are_counted():
    assert distance._countOccurences([3, 1, 3]) == {1: 1, 3: 2}
    assert distance._countOccurrences is distance._countOccurences


def test_of_several_points_the_nearest_one_gets_the_partner():
    first = [(0, 0, 0), (0, 0, 3), (0, 90, 90)]
    matched, unmatched, used = distance.findMatches(first, [(0, 0, 4), (0, 0, 50)])
    assert [(a.tolist(), b.tolist()) for a, b in matched] == [([0, 0, 3], [0, 0, 4])]
    assert [point.tolist() for point in unmatched] == [[0, 0, 0], [0, 90, 90]]
    assert used == [0]
    assert distance.findMatches(first, [])[0] == []


def test_a_match_map_has_midpoints_and_radii():
    table = distance.createMatchMap([((0, 0, 0), (2, 3, 4)), ((1, 1), (1, 1))])
    assert table.columns.tolist() == ["Z1", "Z2", "Y1", "Y2", "X1", "X2", "CZ", "CY", "CX", "R"]
    np.testing.assert_allclose(table.iloc[0], [0, 2, 0, 3, 0, 4, 1, 1.5, 2, 6])
    assert table["R"].iloc[1] == 0
    assert len(distance.createMatchMap([])) == 0
