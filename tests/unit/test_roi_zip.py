"""ROI zips: what is written, and what comes back from ImageJ."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from deepd3_ij.colours import roi_colour
from deepd3_ij.errors import Cancelled, FileFormatError, OutputError
from deepd3_ij.files.imagej_roi import roi_name
from deepd3_ij.files.roi_zip import read_roi_zip, write_roi_zip
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack
from tests.notes import told


def roi_set(labels: np.ndarray, dimensions: int = 3) -> RoiSet:
    return RoiSet(label_stack(np.asarray(labels, dtype=np.int32), xy_um=0.1, z_um=0.5), dimensions=dimensions)


def empty(shape: tuple[int, int, int] = (3, 20, 24)) -> RoiSet:
    return roi_set(np.zeros(shape))


def save(path: Path, *rois: ImagejRoi) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, roi in enumerate(rois):
            archive.writestr(f"{roi.name or number}.roi", roi.tobytes())
    return path


def polygon(points_xy: list[tuple[float, float]], plane: int = 0, name: str = "", **options: object) -> ImagejRoi:
    points = np.array(points_xy)
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    roi = ImagejRoi(roitype=ROI_TYPE.POLYGON, name=name, left=int(low[0]), top=int(low[1]), right=int(high[0]),
                    bottom=int(high[1]), z_position=plane + 1, n_coordinates=len(points), **options)
    roi.integer_coordinates = (points - low).astype(np.int32)
    if points.dtype.kind == "f":
        roi.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.subpixel_coordinates = points.astype(np.float32)
    return roi


def box(top: int, left: int, bottom: int, right: int, plane: int = 0, name: str = "", kind: int = ROI_TYPE.RECT,
        **options: object) -> ImagejRoi:
    return ImagejRoi(roitype=ROI_TYPE(kind), name=name, left=left, top=top, right=right, bottom=bottom,
                     z_position=plane + 1, **options)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=arrays(np.int32, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
                     elements=st.sampled_from([0, 0, 1, 2, 7, 2_000_000_000])),
       dimensions=st.sampled_from([2, 3]))
def test_labels_come_back_identical(tmp_path: Path, labels: np.ndarray, dimensions: int) -> None:
    rois = roi_set(labels, dimensions)
    write_roi_zip(tmp_path / "rois.zip", rois)
    back = read_roi_zip(tmp_path / "rois.zip", rois.labels)
    assert np.array_equal(back.labels.values, labels)
    assert back.dimensions == (dimensions if labels.any() else 3)
    assert back.labels.coords.equals(rois.labels.coords)


def test_one_roi_per_spine_and_plane_with_name_position_property_and_colour(tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 8))
    labels[1:, 2:4, 2:5] = 12
    labels[2, 5:7, 5:7] = 3
    write_roi_zip(tmp_path / "a.zip", roi_set(labels))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        rois = {name: ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()}
    assert sorted(rois) == ["spine0003_z003.roi", "spine0012_z002.roi", "spine0012_z003.roi"]
    roi = rois["spine0012_z002.roi"]
    assert (roi.name, roi.z_position, roi.position, roi.c_position, roi.t_position) == ("spine0012_z002", 2, 2, 0, 0)
    assert roi.properties["deepd3.id"] == 12
    assert roi.stroke_color == bytes((255, *roi_colour(12)))
    assert roi.group == 0
    assert roi.roitype == ROI_TYPE.TRACED
    assert sorted(map(tuple, roi.coordinates().tolist())) == [(2, 2), (2, 4), (5, 2), (5, 4)]


def test_parts_and_holes_of_a_plane_stay_one_roi(tmp_path: Path) -> None:
    labels = np.zeros((1, 12, 12))
    labels[0, 1:6, 1:6] = 4
    labels[0, 3, 3] = 0
    labels[0, 9:11, 9:11] = 4
    write_roi_zip(tmp_path / "a.zip", roi_set(labels))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["spine0004_z001.roi"]
        roi = ImagejRoi.frombytes(archive.read("spine0004_z001.roi"))
    assert roi.composite
    assert len(roi.coordinates(multi=True)) == 3


def test_colours_of_neighbouring_ids_differ_clearly() -> None:
    colours = np.array([roi_colour(roi_id) for roi_id in range(1, 500)])
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 120
    assert colours.max(axis=1).min() == 255


def test_an_older_zip_is_replaced_not_extended(tmp_path: Path) -> None:
    labels = np.zeros((1, 6, 6))
    labels[0, 1, 1] = 1
    write_roi_zip(tmp_path / "a.zip", roi_set(labels))
    first = (tmp_path / "a.zip").read_bytes()
    write_roi_zip(tmp_path / "a.zip", roi_set(labels))
    assert (tmp_path / "a.zip").read_bytes() == first


def test_no_rois_give_a_valid_zip_without_entries(tmp_path: Path) -> None:
    write_roi_zip(tmp_path / "a.zip", empty())
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == []
    assert len(read_roi_zip(tmp_path / "a.zip", empty().labels)) == 0


def test_cancelling_keeps_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"old")
    labels = np.ones((1, 3, 3))

    def stop(done: int, total: int, message: str, /) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_roi_zip(tmp_path / "a.zip", roi_set(labels), progress=stop)
    assert (tmp_path / "a.zip").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_a_missing_output_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write_roi_zip(tmp_path / "none" / "a.zip", empty())


def test_rectangle_covers_its_pixels_and_is_clipped_to_the_image(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 3, 5, 7, plane=1, name="spine0005_z002"),
         box(-3, -2, 2, 2, name="spine0006_z001"))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    expected = np.zeros((3, 20, 24))
    expected[1, 2:5, 3:7] = 5
    expected[0, :2, :2] = 6
    assert np.array_equal(labels, expected)


def test_oval_holds_pixels_whose_centres_satisfy_its_equation(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 3, 9, 12, kind=ROI_TYPE.OVAL))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    y, x = np.mgrid[:20, :24]
    inside = ((x + 0.5 - 7.5) / 4.5) ** 2 + ((y + 0.5 - 5.5) / 3.5) ** 2 <= 1
    assert np.array_equal(labels[0] > 0, inside)


def test_sub_pixel_polygon_holds_pixels_whose_centre_is_inside(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", polygon([(2.6, 3.4), (6.4, 3.4), (6.4, 5.6), (2.6, 5.6)]))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert np.argwhere(labels[0]).tolist() == [[y, x] for y in (3, 4, 5) for x in (3, 4, 5)]


def test_composite_with_curves_is_read(tmp_path: Path) -> None:
    k = 0.5522847 * 5
    path = [0, 10, 5, 3, 10 + k, 5, 15, 10 - k, 15, 10, 3, 15, 10 + k, 10 + k, 15, 10, 15,
            3, 10 - k, 15, 5, 10 + k, 5, 10, 3, 5, 10 - k, 10 - k, 5, 10, 5, 4]
    roi = box(5, 5, 15, 15)
    roi.multi_coordinates = np.array(path, dtype=np.float32)
    roi.shape_roi_size = len(path)
    save(tmp_path / "a.zip", roi)
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    y, x = np.mgrid[:20, :24]
    assert np.array_equal(labels[0] > 0, (x + 0.5 - 10) ** 2 + (y + 0.5 - 10) ** 2 < 25)


def test_rotated_ellipse_lies_along_its_axis(tmp_path: Path) -> None:
    roi = ImagejRoi(roitype=ROI_TYPE.FREEHAND, subtype=ROI_SUBTYPE.ELLIPSE, x1=4.0, y1=4.0, x2=14.0, y2=14.0,
                    left=3, top=3, right=15, bottom=15, z_position=1)
    data = bytearray(roi.tobytes())
    data[52:56] = struct.pack(">f", 0.4)
    (tmp_path / "a.roi").write_bytes(data)
    labels = read_roi_zip(tmp_path / "a.roi", empty().labels).labels.values[0] > 0
    y, x = np.mgrid[:20, :24]
    along, across = (x + y - 17) / 2**0.5, (x - y) / 2**0.5
    half = 50**0.5
    assert np.array_equal(labels, (along / half) ** 2 + (across / (0.4 * half)) ** 2 < 0.995)


def test_later_roi_wins_where_rois_overlap(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 8, 8, name="spine0001_z001"), box(5, 5, 10, 10, name="spine0002_z001"))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert labels[0, 6, 6] == 2
    assert labels[0, 3, 3] == 1


def test_property_decides_before_the_name(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 4, 4, name="spine0001_z001", props="deepd3.id: 9\n"))
    assert read_roi_zip(tmp_path / "a.zip", empty().labels).ids.tolist() == [9]


def test_unnamed_rois_join_across_planes_where_they_overlap(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 6, 6, 0, "0004-0004"), box(3, 3, 7, 7, 1, "x"), box(12, 12, 15, 15, 1, "y"))
    rois = read_roi_zip(tmp_path / "a.zip", empty().labels)
    assert rois.ids.tolist() == [1, 2]
    assert rois.labels.values[0, 3, 3] == rois.labels.values[1, 4, 4] == 1


def test_touching_spines_stay_apart_when_joined_across_planes(tmp_path: Path) -> None:
    # Each region overlaps both regions of the next plane, its own one more.
    save(tmp_path / "a.zip", box(2, 2, 6, 8, 0, "a"), box(2, 8, 6, 14, 0, "b"),
         box(2, 3, 6, 9, 1, "c"), box(2, 9, 6, 15, 1, "d"))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert labels[0, 3, 3] == labels[1, 3, 4] != labels[0, 3, 12]
    assert labels[0, 3, 12] == labels[1, 3, 13]


def test_a_redrawn_plane_joins_the_spine_it_continues(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 6, 6, 0, "spine0007_z001"), box(2, 2, 6, 6, 1, "0004-0004"),
         box(2, 2, 6, 6, 2, "spine0007_z003"), box(12, 12, 15, 15, 1, "0013-0013"))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert (labels[:, 3, 3] == 7).all()
    assert labels[1, 13, 13] == 8


def test_different_known_spines_are_never_joined(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 6, 6, 0, "spine0001_z001"), box(2, 2, 6, 6, 1, "drawn"),
         box(2, 2, 6, 6, 2, "spine0002_z003"))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert (labels[0, 3, 3], labels[2, 3, 3]) == (1, 2)


def test_two_dimensional_rois_are_not_joined(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 6, 6, 0, "a"), box(2, 2, 6, 6, 1, "b"))
    rois = read_roi_zip(tmp_path / "a.zip", empty().labels, dimensions=2)
    assert rois.ids.tolist() == [1, 2]
    assert rois.dimensions == 2


def test_roi_without_position_counts_for_all_planes(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 4, 4, plane=-1))
    assert (read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values[:, 2:4, 2:4] == 1).all()


def test_hyperstack_position_goes_before_stack_position(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 4, 4, plane=1, position=3), box(8, 8, 9, 9, plane=-1, position=3))
    labels = read_roi_zip(tmp_path / "a.zip", empty().labels).labels.values
    assert np.flatnonzero(labels[:, 2, 2]).tolist() == [1]
    assert np.flatnonzero(labels[:, 8, 8]).tolist() == [2]


def test_points_lines_and_rois_outside_are_left_out_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", box(2, 2, 4, 4, name="good"), ImagejRoi(roitype=ROI_TYPE.LINE, name="ruler", x2=4.0),
         polygon([(1, 1)], name="dot", ), box(2, 2, 4, 4, plane=9, name="deep"))
    with told("3 of 4 selections were left out"):
        rois = read_roi_zip(tmp_path / "a.zip", empty().labels)
    assert len(rois) == 1
    assert [entry.split(":")[0] for entry in rois.provenance["skipped"]] == ["ruler", "dot", "deep"]


def test_entry_names_are_never_used_as_paths(tmp_path: Path) -> None:
    target = tmp_path / "inner"
    target.mkdir()
    with zipfile.ZipFile(target / "a.zip", "w") as archive:
        archive.writestr("../../spine0003_z001.roi", box(2, 2, 4, 4).tobytes())
        archive.writestr("__MACOSX/._x.roi", b"finder")
        archive.writestr("notes.txt", b"hello")
    assert read_roi_zip(target / "a.zip", empty().labels).ids.tolist() == [3]
    assert [file.name for file in tmp_path.iterdir()] == ["inner"]
    assert [file.name for file in target.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("cut", [3, 40, 63, 64, 70])
def test_a_damaged_entry_is_named(tmp_path: Path, cut: int) -> None:
    data = polygon([(1, 1), (5, 1), (5, 5)]).tobytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.roi", data)
        archive.writestr("broken.roi", data[:cut])
    with pytest.raises(FileFormatError, match=r"broken.*damaged") as error:
        read_roi_zip(tmp_path / "a.zip", empty().labels)
    assert "\n" not in str(error.value)


def test_a_damaged_compressed_entry_is_named(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("broken.roi", polygon([(1, 1), (5, 1), (5, 5)]).tobytes())
    data = bytearray(buffer.getvalue())
    data[45:60] = bytes(15)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FileFormatError, match=r"broken.*damaged"):
        read_roi_zip(tmp_path / "a.zip", empty().labels)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut off"])
def test_a_file_of_another_kind_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FileFormatError, match="neither a zip of ImageJ ROIs nor"):
        read_roi_zip(tmp_path / "a.zip", empty().labels)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="does not exist"):
        read_roi_zip(tmp_path / "none.zip", empty().labels)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"Iout", box(1, 1, 9, 9).tobytes()[:64]]))
def test_any_bytes_give_rois_or_a_clear_error(tmp_path: Path, data: bytes, start: bytes) -> None:
    (tmp_path / "a.roi").write_bytes(start + data)
    message = ""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_roi_zip(tmp_path / "a.roi", empty().labels)
        except FileFormatError as error:
            message = str(error)
    assert "\n" not in message


def test_name_of_a_roi_counts_planes_from_one() -> None:
    assert roi_name(12, 6) == "spine0012_z007"
    assert roi_name(123456, 1200) == "spine123456_z1201"


# ---------------------------------------------------------------- files of other programs and habits

def zip_of(folder, entries: dict[str, bytes]):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return folder / "a.zip"


def square(x: int, **positions: int) -> bytes:
    roi = ImagejRoi.frompoints([[x, 2], [x + 4, 2], [x + 4, 6], [x, 6]])
    for name, value in positions.items():
        setattr(roi, name, value)
    return roi.tobytes()


def planes_of_rois(path, planes: int = 8) -> dict[int, list[int]]:
    like = label_stack(np.zeros((planes, 20, 40), np.uint8), xy_um=0.1, z_um=0.5)
    labels = read_roi_zip(path, like).labels.values
    return {int(i): np.unique(np.nonzero(labels == i)[0]).tolist() for i in np.unique(labels[labels > 0])}


@pytest.mark.parametrize("z", [0, 1])
@pytest.mark.parametrize("c", [0, 2])
def test_time_points_of_rois_without_planes_are_their_planes(tmp_path, z, c):
    path = zip_of(tmp_path, {"1.roi": square(2, z_position=z, t_position=3, c_position=c),
                             "2.roi": square(20, z_position=z, t_position=6, c_position=c)})
    with told("time points .* are taken as planes"):
        assert planes_of_rois(path) == {1: [2], 2: [5]}


def test_time_points_beyond_the_planes_are_refused(tmp_path):
    path = zip_of(tmp_path, {"1.roi": square(2, t_position=3), "2.roi": square(20, t_position=9)})
    with pytest.raises(FileFormatError, match=r"time points \(3 to 9\) and no planes; the stack has 8 planes"):
        planes_of_rois(path)


def test_channels_of_rois_without_planes_are_refused(tmp_path):
    path = zip_of(tmp_path, {"1.roi": square(2, c_position=1), "2.roi": square(20, c_position=5)})
    with pytest.raises(FileFormatError, match=r"channels \(1 to 5\) and no planes"):
        planes_of_rois(path)


def test_planes_win_over_time_points(tmp_path):
    path = zip_of(tmp_path, {"1.roi": square(2, z_position=3, t_position=1),
                             "2.roi": square(20, z_position=6, t_position=4)})
    assert planes_of_rois(path) == {1: [2], 2: [5]}


def test_rois_without_a_plane_count_for_all_planes_and_say_so(tmp_path):
    with told("1 of 2 ROIs have no plane; each counts for all 8 planes"):
        assert planes_of_rois(zip_of(tmp_path, {"1.roi": square(2), "2.roi": square(20, position=3)})) \
            == {1: list(range(8)), 2: [2]}


def test_the_names_that_imagej_gives_to_rois_of_a_stack_tell_their_plane(tmp_path):
    assert planes_of_rois(zip_of(tmp_path, {"0003-0004-0004.roi": square(2), "0006-0004-0022-1.roi": square(20)})) \
        == {1: [2], 2: [5]}


@pytest.mark.parametrize("shadow", ["._a.roi", "ROIs/._a.roi", "ROIs/__MACOSX/._a.roi", "__MACOSX/ROIs/._a.roi",
                                    "__MACOSX/a.roi"])
def test_shadow_entries_of_macos_are_passed_over_wherever_they_lie(tmp_path, shadow):
    path = zip_of(tmp_path, {"ROIs/a.roi": square(2, position=3), shadow: b"\0\5\x16\7\0\2\0\0" + bytes(74)})
    assert planes_of_rois(path) == {1: [2]}


def test_a_zip_of_other_files_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"holds no ROI \(its first file is 'b.tif'\)"):
        planes_of_rois(zip_of(tmp_path, {"a/b.tif": b"II*\0"}))


def test_an_empty_zip_has_no_rois_and_says_so(tmp_path):
    with told("holds no ROI"):
        assert planes_of_rois(zip_of(tmp_path, {})) == {}
