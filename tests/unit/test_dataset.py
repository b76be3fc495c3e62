from pathlib import Path

import numpy as np
import pytest
import tifffile
from matplotlib.image import imread

from deepd3_ij.errors import AnnotationError, Cancelled, FileFormatError, ParameterError, VoxelSizeError
from deepd3_ij.files.d3data import read_d3data
from deepd3_ij.files.d3set import read_d3set
from deepd3_ij.parameters import TrainingDataParameters
from deepd3_ij.stack import label_stack
from deepd3_ij.training.dataset import (
    arrange_training_data,
    box_of,
    create_training_data,
    cut_training_data,
    describe_training_data,
    overlay,
    preview_training_data,
    read_training_data,
    set_meta,
)

SHAPE = (6, 40, 50)


@pytest.fixture
def stack():
    grey = np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)
    return label_stack(grey, xy_um=0.1, z_um=0.5, source="cell.tif")


@pytest.fixture
def masks():
    dendrite, spines = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    dendrite[1:5, 18:22] = True
    spines[2:4, 22:25, 10:14] = True
    spines[2:4, 22:25, 30:34] = True
    return dendrite, spines


@pytest.fixture
def files(tmp_path, stack, masks):
    """A stack without voxel size, a traced dendrite and a spine mask in one folder."""
    tifffile.imwrite(tmp_path / "cell.tif", stack.values, photometric="minisblack")
    for name, mask in zip(("dendrite", "spines"), masks, strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", mask.astype(np.uint8) * 255, photometric="minisblack")
    (tmp_path / "cell.swc").write_text("# traced\n1 3 0 2.0 1.0 0.25 -1\n2 3 4.9 2.0 1.0 0.25 1\n")
    return tmp_path


def create(folder: Path, out: str = "cell.d3data", *, dendrite="dendrite.tif", spines="spines.tif", **box):
    return create_training_data(folder / "cell.tif", folder / dendrite, folder / spines, folder / out,
                                TrainingDataParameters(**box), xy_um=0.1, z_um=0.5)


# The box

def test_a_box_up_to_the_edges_keeps_the_last_row_column_and_plane():
    parameters = TrainingDataParameters(x_px=10, y_px=5, width_px=40, height_px=35, z_begin=2, z_end=5)
    assert box_of(SHAPE, parameters) == (slice(2, 6), slice(5, 40), slice(10, 50))
    assert box_of(SHAPE, TrainingDataParameters(x_px=10, y_px=5, z_begin=2)) == box_of(SHAPE, parameters)
    assert box_of(SHAPE, TrainingDataParameters()) == tuple(slice(0, length) for length in SHAPE)


@pytest.mark.parametrize(("box", "message"), [
    ({"z_end": 6}, "Planes 0 to 6 are not all in the stack; it has planes 0 to 5"),
    ({"z_begin": 6}, "Planes 6 to 5 are not"),
    ({"x_px": 20, "width_px": 31}, "columns 20 to 50; the stack has columns 0 to 49"),
    ({"x_px": 50}, "columns 50 to 50"),
    ({"y_px": 39, "height_px": 2}, "rows 39 to 40; the stack has rows 0 to 39"),
])
def test_a_box_that_reaches_out_of_the_stack(box, message):
    with pytest.raises(AnnotationError, match=message):
        box_of(SHAPE, TrainingDataParameters(**box))


def test_a_range_of_planes_that_runs_backwards():
    with pytest.raises(ParameterError, match=r"z_end is 1; accepted: at least z_begin \(3\)"):
        TrainingDataParameters(z_begin=3, z_end=1)


def test_stack_and_masks_are_cut_alike(stack, masks):
    data = cut_training_data(stack, *masks, TrainingDataParameters(x_px=8, y_px=10, width_px=20, z_begin=1, z_end=3))
    window = (slice(1, 4), slice(10, 40), slice(8, 28))
    np.testing.assert_array_equal(data.stack, stack.values[window])
    np.testing.assert_array_equal(data.dendrite, masks[0][window])
    np.testing.assert_array_equal(data.spines, masks[1][window])
    assert data.stack.dtype == np.uint16
    assert data.dendrite.dtype == data.spines.dtype == bool
    expected = {"X": 8, "Y": 10, "Width": 20, "Height": 30, "Depth": 3, "Z_begin": 1, "Z_end": 3, "crop": True,
                "Resolution_XY": 0.1, "Resolution_Z": 0.5, "Generated_from": "cell.tif"}
    assert {name: data.meta[name] for name in expected} == expected


def test_without_a_box_everything_is_kept_and_marked_as_not_cropped(stack, masks):
    data = cut_training_data(stack, *masks)
    assert data.stack.shape == SHAPE
    assert data.meta["crop"] is False


def test_masks_of_another_shape(stack, masks):
    with pytest.raises(AnnotationError, match=r"spine mask has shape \(6, 40, 49\), the stack \(6, 40, 50\)"):
        cut_training_data(stack, masks[0], masks[1][..., 1:])


def test_a_mask_that_is_empty_altogether_or_in_the_box(stack, masks):
    with pytest.raises(AnnotationError, match="dendrite mask has no foreground at all"):
        cut_training_data(stack, np.zeros(SHAPE, bool), masks[1])
    beside = TrainingDataParameters(x_px=40)
    with pytest.raises(AnnotationError, match="spine mask has no foreground in the box; its 48 voxels lie outside"):
        cut_training_data(stack, *masks, beside)
    allowed = TrainingDataParameters(x_px=40, allow_empty=True)
    assert not cut_training_data(stack, *masks, allowed).spines.any()


# From files to files

def test_a_stack_with_masks_becomes_a_d3data_file(files, stack, masks):
    written = create(files, x_px=5, y_px=6, width_px=45, height_px=34, z_begin=1, z_end=5)
    read = read_d3data(files / "cell.d3data")
    window = (slice(1, 6), slice(6, 40), slice(5, 50))
    for data in (written, read):
        np.testing.assert_array_equal(data.stack, stack.values[window])
        np.testing.assert_array_equal(data.dendrite, masks[0][window])
        np.testing.assert_array_equal(data.spines, masks[1][window])
    assert read.meta["Generated_from"] == "cell.tif"
    assert (read.xy_um, read.z_um) == (0.1, 0.5)


@pytest.mark.parametrize("units", ["um", "px"])
def test_a_tracing_is_drawn_in_the_units_it_has(files, units):
    if units == "px":
        (files / "cell.swc").write_text("1 3 0 20 2 0.25 -1\n2 3 49 20 2 0.25 1\n")
    dendrite = create(files, dendrite="cell.swc", swc_units=units).dendrite
    rows = np.flatnonzero(dendrite.any(axis=(0, 2)))
    assert rows.tolist() == [18, 19, 20, 21, 22]
    assert dendrite.any(axis=(0, 1)).all()


def test_the_box_is_applied_after_the_tracing_is_drawn(files):
    whole = create(files, dendrite="cell.swc").dendrite
    cut = create(files, "cut.d3data", dendrite="cell.swc", x_px=9, y_px=12, z_begin=1, z_end=4).dendrite
    np.testing.assert_array_equal(cut, whole[1:5, 12:, 9:])


def test_a_failure_leaves_the_earlier_file_as_it_was(files):
    create(files)
    before = (files / "cell.d3data").read_bytes()
    with pytest.raises(AnnotationError):
        create(files, z_end=99)
    with pytest.raises(AnnotationError):
        create(files, x_px=40)
    assert (files / "cell.d3data").read_bytes() == before
    assert sorted(path.name for path in files.iterdir()) == sorted(
        ["cell.tif", "dendrite.tif", "spines.tif", "cell.swc", "cell.d3data"])


def test_a_stack_without_voxel_size_asks_for_one(files):
    with pytest.raises(VoxelSizeError):
        create_training_data(files / "cell.tif", files / "dendrite.tif", files / "spines.tif", files / "x.d3data")


def test_creation_can_be_cancelled(files):
    def cancel(done, total, message):
        if done == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        create_training_data(files / "cell.tif", files / "dendrite.tif", files / "spines.tif", files / "x.d3data",
                             xy_um=0.1, z_um=0.5, progress=cancel)
    assert not (files / "x.d3data").exists()


def test_metadata_are_shown_and_changed(files):
    create(files)
    set_meta(files / "cell.d3data", {"Resolution_XY": "0.2"})
    table = describe_training_data(files / "cell.d3data")
    assert len(table) == 1
    row = table.iloc[0]
    assert row["Resolution_XY"] == 0.2
    assert (row["Depth"], row["Height"], row["Width"]) == SHAPE
    assert (row["dtype"], row["dendrite_voxels"], row["spine_voxels"], row["spine_objects"]) == ("uint16", 800, 48, 2)
    assert row["Changed"]
    with pytest.raises(AnnotationError, match="Resolution"):
        set_meta(files / "cell.d3data", {"Resolution": 0.1})


def test_d3data_files_are_arranged_to_a_set_in_their_order(files):
    create(files, "a.d3data", x_px=5)
    create(files, "b.d3data", z_begin=1)
    arrange_training_data([files / "b.d3data", files / "a.d3data"], files / "both.d3set")
    stacks = read_d3set(files / "both.d3set")
    assert [data.stack.shape for data in stacks] == [(5, 40, 50), (6, 40, 45)]
    assert describe_training_data(files / "both.d3set")["X"].tolist() == [0, 5]
    assert len(read_training_data(files / "both.d3set")) == 2


def test_a_set_of_nothing_of_one_file_twice_or_of_other_files(files):
    create(files)
    with pytest.raises(AnnotationError, match="at least one"):
        arrange_training_data([], files / "x.d3set")
    with pytest.raises(AnnotationError, match="given twice"):
        arrange_training_data([files / "cell.d3data", files / "." / "cell.d3data"], files / "x.d3set")
    with pytest.raises(FileFormatError):
        arrange_training_data([files / "cell.d3data", files / "cell.tif"], files / "x.d3set")
    with pytest.raises(FileFormatError, match=r"ends in \.d3data or \.d3set"):
        read_training_data(files / "cell.tif")
    assert not (files / "x.d3set").exists()


# Pictures

def test_the_picture_shows_masks_in_their_colours_beside_the_image(stack, masks):
    picture = overlay(cut_training_data(stack, *masks), min_side_px=50)
    assert picture.shape == (40, 50 + 1 + 50, 3)
    plain, painted = picture[:, :50].astype(int), picture[:, 51:].astype(int)
    assert (plain[..., 0] == plain[..., 1]).all()
    changed = (plain != painted).any(axis=2)
    dendrite, spines = (mask.any(axis=0) for mask in masks)
    assert not changed[~(dendrite | spines)].any()
    only_dendrite = painted[dendrite & ~spines]
    assert (only_dendrite[:, 0] > only_dendrite[:, 1]).all()
    assert (painted[spines][:, 1] > painted[spines][:, 0]).all()


def test_small_and_constant_stacks_can_be_pictured(stack, masks):
    constant = label_stack(np.full(SHAPE, 9, np.uint8), xy_um=0.1, z_um=0.5)
    assert overlay(cut_training_data(constant, *masks)).shape == (440, 11 * 101, 3)


def test_previews_are_png_files_with_all_stacks_of_a_set(files):
    create(files, "a.d3data", x_px=5)
    create(files, "b.d3data")
    arrange_training_data([files / "a.d3data", files / "b.d3data"], files / "both.d3set")
    preview_training_data(files / "a.d3data", files / "a.png")
    preview_training_data(files / "both.d3set", files / "both.png")
    one, both = imread(files / "a.png"), imread(files / "both.png")
    assert one.shape[0] < both.shape[0]
    np.testing.assert_array_equal(both[:one.shape[0], :one.shape[1]], one)


def test_files_of_the_original_are_described(shared):
    table = describe_training_data(shared / "reference" / "files" / "set.d3set")
    assert table["Resolution_XY"].tolist() == [0.094, 0.12, 0.094]
    assert table["shape"].tolist() == [(10, 160, 200), (8, 179, 179), (6, 150, 170)]
    assert table["dtype"].tolist() == ["uint8", "uint16", "uint8"]
    assert (table[["dendrite_voxels", "spine_voxels", "spine_objects"]] > 0).all(axis=None)
