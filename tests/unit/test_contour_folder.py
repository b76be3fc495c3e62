"""Outlines as a folder of CSV files."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.errors import Cancelled, OutputError
from deepd3_ij.files.contour_folder import write_contour_folder
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack


def roi_set(**regions: tuple) -> RoiSet:
    labels = np.zeros((3, 12, 12), np.int32)
    for name, place in regions.items():
        labels[place] = int(name[1:])
    return RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5))


def test_a_file_per_plane_and_roi_with_outlines_relative_to_pixel_centres(tmp_path):
    folder = write_contour_folder(tmp_path, "cell", roi_set(_7=np.s_[1:3, 2:4, 5:8], _8=np.s_[2, 9, 9]))
    assert folder == tmp_path / "cell"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.csv"))
    assert files == ["1/7.csv", "2/7.csv", "2/8.csv"]
    lines = (folder / "1" / "7.csv").read_text().splitlines()
    assert lines[0] == "y,x"
    assert sorted(lines[1:]) == ["1.5,4.5", "1.5,7.5", "3.5,4.5", "3.5,7.5"]


def test_parts_and_holes_are_numbered_and_the_areas_add_up_to_the_pixels(tmp_path):
    rois = roi_set(_1=np.s_[0, 1:6, 1:6])
    rois.labels.values[0, 3, 3] = 0
    rois.labels.values[0, 9:11, 9:12] = 1
    folder = write_contour_folder(tmp_path, "cell", rois)
    text = (folder / "0" / "1.csv").read_text().splitlines()
    assert text[0] == "y,x,part,hole"
    rows = np.array([line.split(",") for line in text[1:]], float)
    area = 0.0
    for part in np.unique(rows[:, 2]):
        y, x, _, hole = rows[rows[:, 2] == part].T
        size = abs(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))) / 2
        area += -size if hole[0] else size
    assert area == np.count_nonzero(rois.labels.values)
    assert len(np.unique(rows[:, 2])) == 3


def test_an_older_export_is_replaced_as_a_whole(tmp_path):
    write_contour_folder(tmp_path, "cell", roi_set(_1=np.s_[0, 1, 1]))
    folder = write_contour_folder(tmp_path, "cell", roi_set(_2=np.s_[1, 1, 1]))
    assert [str(file.relative_to(folder)) for file in folder.rglob("*.csv")] == ["1/2.csv"]
    assert [file.name for file in tmp_path.iterdir()] == ["cell"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "thesis.doc").write_text("precious")
    with pytest.raises(OutputError, match="no folder of exported outlines"):
        write_contour_folder(tmp_path, "cell", roi_set(_1=np.s_[0, 1, 1]))
    assert (tmp_path / "cell" / "thesis.doc").read_text() == "precious"


def test_cancelling_keeps_the_older_export(tmp_path):
    write_contour_folder(tmp_path, "cell", roi_set(_1=np.s_[0, 1, 1]))

    def stop(done, total, message):
        if done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_contour_folder(tmp_path, "cell", roi_set(_2=np.s_[1, 1, 1]), progress=stop)
    assert [file.name for file in tmp_path.rglob("*.csv")] == ["1.csv"]
    assert [file.name for file in tmp_path.iterdir()] == ["cell"]


@pytest.mark.parametrize("stem", ["", "..", "../up", "a/b", "/etc"])
def test_a_stem_cannot_leave_its_folder(tmp_path, stem):
    with pytest.raises(OutputError, match="no name for a folder"):
        write_contour_folder(tmp_path, stem, roi_set(_1=np.s_[0, 1, 1]))


def test_no_rois_give_an_empty_folder(tmp_path):
    assert list(write_contour_folder(tmp_path, "cell", roi_set()).iterdir()) == []


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_contour_folder(tmp_path / "none", "cell", roi_set())
