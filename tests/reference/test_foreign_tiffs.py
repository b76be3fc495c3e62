"""Files written by other programs: right pixels or one clear line, never wrong pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij import open_stack
from deepd3_ij.errors import StackError

SHARED = Path(__file__).resolve().parents[3] / "shared"


def foreign_tiffs() -> list[dict[str, str]]:
    manifest = SHARED / "data" / "foreign" / "manifest.csv"
    if not manifest.is_file():
        return []
    with manifest.open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["kind"] == "tiff"]


TIFFS = foreign_tiffs()


def expected_shape(row: dict[str, str]) -> tuple[int, int, int]:
    sizes = dict(zip(row["axes"], map(int, row["shape"].split("x")), strict=True))
    planes = sizes.get("Z", 1) * sizes.get("I", 1) * sizes.get("Q", 1)
    return planes, sizes["Y"], sizes["X"]


def open_pixels(shared: Path, row: dict[str, str], *, lazy: bool) -> np.ndarray:
    """Pixels of a file whose voxel size is of no interest; the first channel if there are several."""
    channel = 0 if "C" in row["axes"] else None
    stack = open_stack(shared / "data" / "foreign" / row["file"], xy_um=0.1, z_um=0.5, channel=channel, lazy=lazy)
    return np.asarray(stack)


@pytest.mark.skipif(not TIFFS, reason="the shared reference data are not beside this checkout")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("row", TIFFS, ids=lambda row: Path(row["file"]).name)
def test_a_foreign_tiff_gives_right_pixels_or_a_clear_error(shared: Path, row: dict[str, str], lazy: bool) -> None:
    try:
        pixels = open_pixels(shared, row, lazy=lazy)
    except StackError as error:
        pixels, message = None, str(error)
    if pixels is None:
        assert row["expect"] != "open"
        assert "\n" not in message
        assert Path(row["file"]).name in message
        return
    assert row["expect"] != "clear error"
    assert pixels.shape == expected_shape(row)
    assert pixels.dtype in (np.uint8, np.uint16, np.int16, np.float32)
    assert pixels.sum(dtype=np.float64) == pytest.approx(float(row["sum"]), rel=1e-12)
    # The manifest rounds float16 to four digits.
    tolerance = 1e-4 if row["dtype"] == "float16" else 0
    assert float(pixels.min()) == pytest.approx(np.float32(row["min"]), rel=tolerance, abs=0)
    assert float(pixels.max()) == pytest.approx(np.float32(row["max"]), rel=tolerance, abs=0)


@pytest.mark.skipif(not TIFFS, reason="the shared reference data are not beside this checkout")
@pytest.mark.parametrize("row", [row for row in TIFFS if "S" in row["axes"]], ids=lambda row: Path(row["file"]).name)
def test_several_samples_per_pixel_are_refused_as_colour(shared: Path, row: dict[str, str]) -> None:
    with pytest.raises(StackError, match="colour image"):
        open_pixels(shared, row, lazy=False)


def test_the_channels_of_a_foreign_ome_tiff_are_no_planes(shared: Path) -> None:
    path = shared / "data" / "foreign" / "tiff" / "ome-types__ome.tiff"
    with pytest.raises(StackError, match=r"2 channels; choose one with --channel 0 to 1"):
        open_stack(path, xy_um=0.1, z_um=0.5)
    assert open_stack(path, xy_um=0.1, z_um=0.5, channel=1).shape == (1, 6, 6)


def test_the_calibration_of_a_fiji_stack_is_read(shared: Path) -> None:
    stack = open_stack(shared / "data" / "foreign" / "tiff" / "bia-notebooks__Bead_Image1_crop.tif")
    assert stack.attrs["voxel_size_um"] == pytest.approx((0.125, 0.022492, 0.022492), rel=1e-4)


@pytest.mark.parametrize("session", ["tp0", "tp2", "tp4"])
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_a_real_stack_opens_with_its_calibration(shared: Path, session: str, lazy: bool) -> None:
    stack = open_stack(shared / "data" / "real" / f"rr30a_{session}_x000-340.tif", lazy=lazy)
    assert stack.shape == (70, 1024, 340)
    assert stack.dtype == np.uint8
    assert stack.attrs["voxel_size_um"] == (1.0, 0.12, 0.12)
    assert stack.attrs["source"] == f"rr30a_{session}_x000-340.tif"
    assert int(stack[35].max()) > 0
