"""Followed spines laid on the reference: images, outlines, colours, and what happened to each."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ImagejRoi

import deepd3_ij as d3
from deepd3_ij.colours import CHANGE_COLOURS, roi_colour
from deepd3_ij.errors import Cancelled
from deepd3_ij.outputs.timelapse_files import write_timelapse
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.rois import RoiSet
from deepd3_ij.simulation_series import simulate_timepoints
from deepd3_ij.stack import label_prediction
from deepd3_ij.timelapse.registered import changes, grid_of, marks, registered_planes
from deepd3_ij.timelapse.states import States

FIELD = SimulationParameters(planes=12, height_px=200, width_px=200, dendrites=2, axons=0, blob_clusters=0, clouds=0)
MOVING = TimeSeriesParameters(sessions=3, drift_um=3, drift_z_um=1.0, turn_deg=3, cut_planes=0, brightness_spread=0)


@pytest.fixture(scope="module")
def series() -> d3.Timelapse:
    points = []
    for number, point in enumerate(simulate_timepoints(FIELD, MOVING, seed=3), start=1):
        scene = point.scene
        prediction = label_prediction(scene.dendrite.values.astype(np.float32),
                                      (scene.spine.values > 0).astype(np.float32), scene.stack, {})
        rois = RoiSet.from_labels(scene.spine.values, prediction)
        points.append(d3.TimePoint.from_results(f"t{number}", point.day, d3.measure(rois, prediction, scene.stack),
                                                prediction, rois, scene.stack))
    return d3.link_timepoints(points)


def test_images_that_moved_lie_on_the_reference(series: d3.Timelapse) -> None:
    grid = grid_of(series)
    planes = np.stack(list(registered_planes(series))).reshape(3, *grid.shape).astype(float)
    reference = planes[series.reference]
    assert np.array_equal(reference, grid.values)
    for number in {0, 1, 2} - {series.reference}:
        seen = planes[number] > 0
        laid = np.corrcoef(planes[number][seen], reference[seen])[0, 1]
        raw = np.corrcoef(series.points[number].stack.values[seen], reference[seen])[0, 1]  # type: ignore[union-attr]
        assert laid > 0.6 > raw + 0.2


def test_outlines_lie_on_the_light_of_their_spines(series: d3.Timelapse) -> None:
    grid = grid_of(series)
    planes = np.stack(list(registered_planes(series))).reshape(3, *grid.shape)
    found = [mark for mark in marks(series) if mark.roi_id]
    assert len(found) > 30
    inside = []
    for mark in found:
        y, x = np.clip(np.floor(mark.outline_yx_px.mean(axis=0)).astype(int), 0, np.array(grid.shape[1:]) - 1)
        inside.append(planes[mark.session, mark.plane, y, x])
    assert np.median(inside) > 3 * np.median(planes)
    own = [mark for mark in found if mark.session == series.reference]
    labels = series.points[series.reference].labels
    assert labels is not None
    for mark in own:
        y, x = np.floor(mark.outline_yx_px[0] + 0.25).astype(int)
        assert mark.roi_id in labels.values[mark.plane, max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]


def test_a_change_is_told_from_the_last_time_point_that_tells() -> None:
    state = np.array([["present", "present", "absent", "absent", "present"],
                      ["absent", "unobservable", "present", "recovered", "undecided"]], dtype=object)
    observable = state != "unobservable"
    states = States(np.full(state.shape, -1), state, np.full(state.shape, "", object), observable,
                    *[np.zeros(state.shape)] * 3, np.zeros((2, 3)))
    assert changes(states).tolist() == [["stable", "stable", "lost", "lost", "gained"],
                                        ["", "unobservable", "gained", "stable", "undecided"]]


def test_files_for_imagej_have_axes_calibration_positions_and_colours(series: d3.Timelapse, tmp_path: Path) -> None:
    files = {path.name for path in write_timelapse(series, tmp_path, "timelapse")}
    assert {"timelapse_registered.tif", "timelapse_rois_by_track.zip", "timelapse_rois_by_change.zip"} <= files
    assert "timelapse_files.csv" not in files  # the time points come from no file
    with tifffile.TiffFile(tmp_path / "timelapse_registered.tif") as file:
        metadata = file.imagej_metadata
        assert file.series[0].axes == "TZYX"
        assert (metadata["frames"], metadata["slices"]) == (3, 12)
        assert metadata["unit"] == "micron"
        assert metadata["spacing"] == pytest.approx(1.0)
        assert metadata["Labels"][12].startswith("t2 (")
    for kind in ("track", "change"):
        with zipfile.ZipFile(tmp_path / f"timelapse_rois_by_{kind}.zip") as archive:
            rois = [ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
        shown = marks(series)
        assert [(roi.c_position, roi.z_position, roi.t_position) for roi in rois] == [
            (1, mark.plane + 1, mark.session + 1) for mark in shown]
        for roi, mark in zip(rois, shown, strict=True):
            colour = roi_colour(mark.track) if kind == "track" else CHANGE_COLOURS[mark.change]
            assert tuple(roi.stroke_color[1:]) == colour
            assert np.allclose(roi.coordinates()[:, ::-1], mark.outline_yx_px, atol=0.01)


def test_writing_can_be_stopped_and_leaves_nothing(series: d3.Timelapse, tmp_path: Path) -> None:
    def stop(done: int, total: int, message: str) -> None:
        if message.startswith("Laying") and done > 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_timelapse(series, tmp_path, "timelapse", progress=stop)
    assert not list(tmp_path.iterdir())


def test_time_points_of_other_voxel_sizes_are_followed_in_um() -> None:
    points = []
    for number, point in enumerate(simulate_timepoints(FIELD, MOVING, seed=3), start=1):
        step = 1 if number == 1 else 2
        scene = point.scene
        stack = d3.label_stack(scene.stack.values[:, ::step, ::step], xy_um=FIELD.xy_um * step, z_um=FIELD.z_um)
        labels = np.ascontiguousarray(scene.spine.values[:, ::step, ::step])
        prediction = label_prediction(np.ascontiguousarray(scene.dendrite.values[:, ::step, ::step], np.float32),
                                      (labels > 0).astype(np.float32), stack, {})
        rois = RoiSet.from_labels(labels, prediction)
        points.append(d3.TimePoint.from_results(f"t{number}", point.day, d3.measure(rois, prediction, stack),
                                                prediction, rois, stack))
    followed = d3.link_timepoints(points, reference=0)
    assert followed.registration["registered"].all()
    tracks = [{mark.track for mark in marks(followed) if mark.session == session and mark.roi_id} for session in (0, 1)]
    assert len(tracks[0] & tracks[1]) > 8
    planes = np.stack(list(registered_planes(followed))).reshape(3, *grid_of(followed).shape).astype(float)
    seen = planes[1] > 0
    assert np.corrcoef(planes[1][seen], planes[0][seen])[0, 1] > 0.5
