"""Work in slabs: the same for every height, within the memory that was given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deepd3_ij import memory
from deepd3_ij.cleaning import clean
from deepd3_ij.errors import OutputError, ParameterError
from deepd3_ij.files.hdf5 import read_rois, write_rois
from deepd3_ij.files.ome_zarr_writing import write_ome_zarr
from deepd3_ij.files.opening import read_rois_of_any_kind
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.measurement import measure
from deepd3_ij.memory import kept_to, parse_memory, plan
from deepd3_ij.outputs.registry import write_roi_map
from deepd3_ij.parameters import CleaningParameters, MeasureParameters, Roi2DParameters, Roi3DParameters
from deepd3_ij.rois import RoiSet, build_rois_2d, build_rois_3d
from deepd3_ij.slab_tasks import Arrays, BandWork, Cutting, done_on_planes, sharing_slabs
from deepd3_ij.slabs import (
    Band,
    FileVolume,
    Workspace,
    in_workspace,
    is_lazy,
    lazily,
    slabs_of,
    working_in,
    workspace,
)
from deepd3_ij.stack import label_prediction, label_stack

Z_UM, XY_UM = 0.5, 0.1
HEIGHTS = (1, 2, 3, 7)
BANDS = (None, 1, 2, 4)
LEVELS = st.sampled_from([np.float32(v) for v in (0, 0.2, 0.3, 0.5, 0.7, 0.72, 0.85, 0.9, 1)])
MAPS = hnp.array_shapes(min_dims=3, max_dims=3, max_side=9).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.float32, shape, elements=LEVELS)] * 2))


def prediction_of(dendrite: np.ndarray, spine: np.ndarray) -> xr.Dataset:
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=XY_UM, z_um=Z_UM), {})


@contextmanager
def in_slabs(planes: int, folder: Path, prediction: xr.Dataset, rows: int | None = None) -> Iterator[xr.Dataset]:
    """The prediction in scratch files, and slabs of a height, or bands of rows."""
    with working_in(Workspace(slab_planes=planes, band_rows=rows, scratch=folder)):
        yield prediction.assign({name: in_workspace(prediction[name]) for name in ("dendrite", "spine")})


class InTasks:
    """Slabs of a height as tasks that know nothing of each other, the last one first."""

    def __init__(self, height: int) -> None:
        self._height = height

    def run(self, work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None
            ) -> Iterator[tuple[Band, Arrays]]:
        depth, height, _ = cutting.shape
        slabs = [Band(z, min(z + self._height, depth), 0, height, cutting.shape) for z in range(0, depth, self._height)]
        made = {}
        for slab in reversed(slabs):
            own = None
            if runs is not None:
                inside = (runs[0] >= slab.first_row) & (runs[0] < slab.end_row)
                own = tuple(part[inside] for part in runs)
            made[slab] = done_on_planes(work, cutting, (slab.first, slab.last), own)
        done(depth)
        yield from ((slab, made[slab]) for slab in slabs)


def equal_rois(one: RoiSet, other: RoiSet) -> None:
    np.testing.assert_array_equal(one.labels.values, other.labels.values)
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    for name in ("plane", "roi_id", "is_hole", "start", "count", "points_yx"):
        np.testing.assert_array_equal(getattr(one.contours, name), getattr(other.contours, name))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(MAPS, st.sampled_from(HEIGHTS), st.sampled_from(BANDS), st.booleans(), st.builds(
    Roi3DParameters, mode=st.sampled_from(["floodfill", "connected"]), area_threshold=st.sampled_from([0.1, 0.25, 0.6]),
    peak_threshold=st.sampled_from([0.3, 0.7, 0.8]), seed_delta=st.sampled_from([0.0, 0.2, 1.0]),
    distance_um=st.sampled_from([0.3, 2.0]), min_voxels=st.sampled_from([1, 4]), max_voxels=st.just(10**6),
    min_planes=st.sampled_from([1, 2]), min_peak=st.sampled_from([0.0, 0.85]), sigma_px=st.sampled_from([0.0, 1.0]),
    dilation=st.sampled_from([0, 1]), watershed=st.booleans(), split_prominence=st.sampled_from([0.0, 1.0])))
@settings(max_examples=100, deadline=None)
def test_rois_are_the_same_for_every_height_of_slabs_and_bands(scratch, maps, height, rows, filed, parameters):
    prediction = prediction_of(*maps)
    whole = build_rois_3d(prediction, parameters)
    if filed:
        with in_slabs(height, scratch, prediction, rows) as lazy:
            found = build_rois_3d(lazy, parameters)
            assert is_lazy(found.labels)
            equal_rois(found, whole)
    else:
        with working_in(Workspace(slab_planes=height, band_rows=rows)):
            equal_rois(build_rois_3d(prediction, parameters), whole)


@given(MAPS, st.sampled_from(HEIGHTS), st.sampled_from(BANDS), st.builds(
    CleaningParameters, closing=st.booleans(), closing_iterations=st.sampled_from([1, 2]),
    dendrite_dimensions=st.sampled_from([2, 3]), min_dendrite_voxels=st.sampled_from([2, 9]),
    spine_distance_um=st.sampled_from([0.0, 0.2, 0.6, 1.1]), spine_iterations=st.sampled_from([None, None, 0, 2])))
@settings(max_examples=100, deadline=None)
def test_cleaned_maps_are_the_same_for_every_height_of_slabs_and_bands(scratch, maps, height, rows, parameters):
    prediction = prediction_of(*maps)
    whole = clean(prediction, parameters)
    with in_slabs(height, scratch, prediction, rows) as lazy:
        xr.testing.assert_identical(clean(lazy, parameters).compute(), whole)


@given(MAPS, st.sampled_from(HEIGHTS), st.sampled_from(HEIGHTS), st.sampled_from(BANDS), st.builds(
    CleaningParameters, closing_iterations=st.sampled_from([1, 2]), dendrite_dimensions=st.sampled_from([2, 3]),
    min_dendrite_voxels=st.sampled_from([2, 9]), spine_distance_um=st.sampled_from([0.0, 0.6]),
    spine_iterations=st.sampled_from([None, 2])), st.builds(
    Roi3DParameters, mode=st.sampled_from(["floodfill", "connected"]), min_voxels=st.just(1), max_voxels=st.just(10**6),
    sigma_px=st.sampled_from([0.0, 1.0]), dilation=st.sampled_from([0, 1])))
@settings(max_examples=100, deadline=None)
def test_slabs_may_be_tasks_that_are_cut_further(scratch, maps, task, height, rows, cleaning, building):
    prediction = prediction_of(*maps)
    wanted = clean(prediction, cleaning)
    with in_slabs(height, scratch, prediction, rows) as lazy, sharing_slabs(InTasks(task)):
        cleaned = clean(lazy, cleaning)
        xr.testing.assert_identical(cleaned.compute(), wanted)
        found = build_rois_3d(cleaned, building)
        equal_rois(found, build_rois_3d(wanted, building))


@pytest.fixture(scope="module")
def neuron() -> tuple[xr.Dataset, xr.DataArray]:
    """A dendrite with spines in 14 planes, and its image."""
    z, y, x = np.meshgrid(np.arange(14), np.arange(60), np.arange(150), indexing="ij")
    shaft = np.hypot((z - 6) * 2.5, y - 30)
    dendrite = (1 / (1 + np.exp(shaft - 6))).astype(np.float32)
    spine = np.zeros(z.shape, np.float32)
    for number, at in enumerate(range(12, 150, 14)):
        away = np.sqrt(((z - 4 - number % 5) * 2.5) ** 2 + (y - (18 if number % 2 else 42)) ** 2 + (x - at) ** 2)
        spine = np.maximum(spine, 1 / (1 + np.exp(1.5 * (away - 4)))).astype(np.float32)
    noise = np.random.default_rng(0).poisson(60 + 900 * np.maximum(dendrite, spine)).astype(np.uint16)
    return prediction_of(dendrite, spine), label_stack(noise, xy_um=XY_UM, z_um=Z_UM)


@pytest.mark.parametrize("height", [1, 3])
def test_tables_are_the_same_for_every_height_of_slabs(neuron, tmp_path, height):
    prediction, stack = neuron
    whole = build_rois_3d(prediction, Roi3DParameters())
    expected = measure(whole, prediction, stack, MeasureParameters())
    assert len(expected.spines) > 5
    with in_slabs(height, tmp_path, prediction) as lazy:
        rois = build_rois_3d(lazy, Roi3DParameters())
        found = measure(rois, lazy, in_workspace(stack), MeasureParameters())
    pd.testing.assert_frame_equal(found.spines, expected.spines, check_exact=True)
    pd.testing.assert_frame_equal(found.dendrites, expected.dendrites, check_exact=True)


@pytest.mark.parametrize("height", [1, 2, 5])
@pytest.mark.parametrize("mode", ["floodfill", "connected"])
def test_a_roi_through_all_slabs_ties_and_sizes_at_borders(height, mode, tmp_path):
    spine = np.zeros((6, 12, 30), np.float32)
    spine[:, 5:8, 3:6] = 0.9  # through every slab, all probabilities equal
    spine[1:3, 2:4, 10:14] = 0.9  # 16 voxels, two in each of the slabs' ends
    spine[3, 8, 20:30] = 0.9  # one plane
    for corner in range(6):  # held together by corners alone
        spine[corner, corner, 15 + corner] = 0.95
    prediction = prediction_of(np.zeros_like(spine), spine)
    parameters = Roi3DParameters(mode=mode, distance_um=9, min_voxels=6, max_voxels=54, min_planes=1)
    whole = build_rois_3d(prediction, parameters)
    assert sorted(whole.statistics.voxels) == [6, 10, 16, 54]
    with in_slabs(height, tmp_path, prediction) as lazy:
        equal_rois(build_rois_3d(lazy, parameters), whole)
        fewer = build_rois_3d(lazy, Roi3DParameters(mode=mode, distance_um=9, min_voxels=17, max_voxels=53))
        assert len(fewer) == len(fewer.contours) == 0


@pytest.mark.parametrize("watershed", [False, True])
def test_2d_rois_of_lazy_maps_are_those_in_memory(neuron, tmp_path, watershed):
    prediction, _ = neuron
    whole = build_rois_2d(prediction, Roi2DParameters(watershed=watershed))
    assert len(whole) > 5
    with in_slabs(3, tmp_path, prediction) as lazy:
        found = build_rois_2d(lazy, Roi2DParameters(watershed=watershed))
        assert is_lazy(found.labels)
        equal_rois(found, whole)


@pytest.mark.parametrize("ending", ["rois", "zip", "tif", "ome.zarr"])
def test_rois_of_files_are_the_same_for_every_height_of_slabs(neuron, tmp_path, ending):
    prediction, _ = neuron
    rois = build_rois_3d(prediction, Roi3DParameters())
    path = tmp_path / f"neuron.{ending}"
    if ending == "rois":
        write_rois(path, rois)
    elif ending == "zip":
        write_roi_zip(path, rois)
    elif ending == "tif":
        write_roi_map(path, rois)
    else:
        write_ome_zarr(path, prediction, rois)
    with in_slabs(3, tmp_path, prediction) as lazy:
        found = read_rois_of_any_kind(path, lazy)
        assert is_lazy(found.labels)
        equal_rois(found, rois)


@pytest.mark.parametrize("largest", [1, 9])
def test_2d_rois_of_the_original_are_numbered_alike_in_slabs(neuron, tmp_path, largest):
    prediction, _ = neuron
    each_from_1 = np.minimum(build_rois_2d(prediction, Roi2DParameters()).labels.values % 10, largest)
    write_rois(tmp_path / "a.rois", RoiSet.from_labels(each_from_1, prediction))
    with h5py.File(tmp_path / "a.rois", "r+") as file:
        del file["deepd3"]
    whole = read_rois(tmp_path / "a.rois", like=prediction, dimensions=2)
    assert len(whole) > 5
    with in_slabs(3, tmp_path, prediction) as lazy:
        equal_rois(read_rois(tmp_path / "a.rois", like=lazy, dimensions=2), whole)


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)), st.data())
@settings(max_examples=40, deadline=None)
def test_parts_of_lazy_volumes_are_those_of_arrays(scratch, array, data):
    volume = FileVolume.new(scratch / "parts", array.shape, np.uint16)
    for z in range(len(array)):
        volume.write(z, array[z:z + 1])
    lazy = xr.DataArray(lazily(volume), dims=("z", "y", "x"))
    key = tuple(data.draw(st.integers(0, size - 1) | st.builds(slice, st.integers(0, size), st.integers(0, size),
                                                               st.integers(1, 3))) for size in array.shape)
    np.testing.assert_array_equal(lazy[key].values, array[key])
    np.testing.assert_array_equal(slabs_of(lazy).read_box(((0, 1), (0, 1), (0, array.shape[2]))), array[:1, :1])


def test_scratch_files_go_when_nothing_uses_them(tmp_path):
    volume = FileVolume.new(tmp_path / "one", (1, 2, 3), np.float32)
    assert not volume.read(0, 1).any()
    del volume
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "count"), [("6GB", 6e9), ("800 M", 8e8), ("4GiB", 2**32), ("1.5g", 1.5e9),
                                             ("1000000", 1e6)])
def test_amounts_of_memory(text, count):
    assert parse_memory(text) == count


@pytest.mark.parametrize("text", ["", "6", "much", "-1GB", "6 PB", "0GB"])
def test_other_texts_are_no_amounts_of_memory(text):
    if text == "6":
        assert parse_memory(text) == 6
        return
    with pytest.raises(ParameterError, match="6GB or 800MB"):
        parse_memory(text)


@pytest.fixture
def fresh_process(monkeypatch):
    """The memory of a process that has done nothing yet, whatever the tests before have left."""
    monkeypatch.setattr(memory, "resident_bytes", lambda: 300_000_000)


@pytest.mark.usefixtures("fresh_process")
def test_what_fits_is_done_in_memory_and_the_rest_in_slabs(tmp_path):
    small = plan((10, 100, 100), 100_000_000_000)
    with kept_to(small, tmp_path):
        assert workspace().scratch is None
    assert "in memory" in small.describe()
    large = plan((200, 4096, 4096), 6_000_000_000, what="uint16", image_bytes=2, output_bytes=10)
    assert large.describe().startswith("200 × 4096 × 4096 uint16: ")
    assert "slabs of" in large.describe()
    assert "at most 6 GB of memory" in large.describe()


@pytest.mark.usefixtures("fresh_process")
def test_too_little_memory_and_too_small_a_disk_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ParameterError, match=r"--memory is 100 MB, and 9 × 4096 × 4096 needs at least .* GB|MB"):
        plan((9, 4096, 4096), 100_000_000)
    with pytest.raises(OutputError, match="need about"), kept_to(
            plan((200, 4096, 4096), 6_000_000_000, output_bytes=10**18), tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_planes_that_do_not_fit_with_those_around_them_are_cleaned_in_bands(monkeypatch):
    monkeypatch.setattr(memory, "resident_bytes", lambda: 0)
    planned = plan((60, 1000, 1000), 150_000_000)
    assert planned.band_rows < 1000
    assert f"cleaned in bands of {planned.band_rows} rows, at most 150 MB" in planned.describe()
    assert "bands" not in plan((60, 1000, 1000), 150_000_000, cleaned=False).describe()
    with pytest.raises(ParameterError, match="needs at least 92 MB"):
        plan((60, 1000, 1000), 80_000_000)


def test_what_the_prediction_of_a_plane_takes_is_counted(monkeypatch):
    monkeypatch.setattr(memory, "resident_bytes", lambda: 0)
    assert plan((60, 9000, 9000), 6_000_000_000, predicted=True, plane_bytes=10 ** 9).slab_bytes
    with pytest.raises(ParameterError, match="needs at least 6"):
        plan((60, 9000, 9000), 6_000_000_000, predicted=True, plane_bytes=4 * 10 ** 9)


def test_a_small_machine_is_no_reason_to_refuse_what_nobody_limited(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "available_bytes", lambda: 300_000_000)
    planned = plan((70, 1024, 340), None, image_bytes=1, predicted=True)
    assert planned.slab_planes == 1
    assert "at most 180 MB" not in planned.describe()
    assert (planned.memory_bytes or 0) > 350_000_000  # which prediction alone takes
    with kept_to(planned, tmp_path):
        assert workspace().scratch is not None
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak where Linux tells it")
def test_60_planes_of_1024_by_1024_take_less_than_400_mb(tmp_path):
    """ROIs and tables; the interpreter with its libraries takes 270 MB of them."""
    import subprocess

    volume = FileVolume.new(tmp_path / "spine", (60, 1024, 1024), np.float32)
    rng = np.random.default_rng(0)
    for z in range(60):
        plane = np.zeros((1024, 1024), np.float32)
        for y, x in rng.integers(8, 1016, (20, 2)) if z % 4 == 0 else ():
            plane[y - 5:y + 5, x - 5:x + 5] = 0.9
        volume.write(z, plane[np.newaxis])
    stack = label_stack(lazily(volume), xy_um=XY_UM, z_um=Z_UM)
    from deepd3_ij.files.tiff import write_prediction_maps

    write_prediction_maps(tmp_path, "maps", label_prediction(lazily(volume), lazily(volume), stack, {}), eight_bit=True)
    # What the system counts; ru_maxrss would also count the parent, from which the process was split off.
    command = [sys.executable, "-c", "import sys\nfrom deepd3_ij.cli import main\ncode = main(sys.argv[1:])\n"
               "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
               "sys.exit(code)",
               "rois", "--dendrite", str(tmp_path / "maps_dendrites.tif"), "--spine", str(tmp_path / "maps_spines.tif"),
               "--out", str(tmp_path / "out"), "--memory", "400MB"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "slabs of" in done.stderr
    peak_bytes = int(done.stdout.split()[-1]) * 1024
    assert peak_bytes < 400_000_000
