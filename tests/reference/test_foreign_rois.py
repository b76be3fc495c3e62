"""ROI files that ImageJ wrote, against their expected content."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.stack import label_stack
from tests.notes import told

LIKE = label_stack(np.zeros((6, 400, 400), np.uint8), xy_um=0.1, z_um=0.5)
AREAS = ["composite-rect-in-rect", "composite-two-ovals", "ellipse", "freehand", "oval", "oval-left", "polygon",
         "polygon-left", "rectangle"]


def expected(shared: Path, name: str) -> dict:
    content = json.loads((shared / f"data/foreign/roi/read-roi__{name}.json").read_text())
    return content.get(name) or next(iter(content.values()))


def read(shared: Path, name: str) -> np.ndarray:
    labels = read_roi_zip(shared / f"data/foreign/roi/read-roi__{name}.roi", LIKE).labels.values
    return labels.any(axis=0)


def inside(polygon_xy: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels whose centres lie inside, by another library, and pixels whose centres lie on no edge."""
    from matplotlib.path import Path as Outline

    y, x = np.mgrid[:shape[0], :shape[1]]
    centres = np.column_stack([x.ravel(), y.ravel()]) + 0.5
    near = [Outline(polygon_xy).contains_points(centres + shift).reshape(shape)
            for shift in 1e-6 * np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])]
    return near[0], np.all(near, axis=0) | ~np.any(near, axis=0)


@pytest.mark.parametrize("name", AREAS)
def test_every_area_selection_is_read(shared, name):
    assert read(shared, name).any()


@pytest.mark.parametrize("name", ["line1", "point", "multipoint", "polyline"])
def test_selections_without_an_area_are_left_out_with_a_warning(shared, name):
    with told("1 of 1 selections were left out"):
        assert not read(shared, name).any()


def test_rectangle_has_its_stated_sides(shared):
    box = expected(shared, "rectangle")
    pixels = np.argwhere(read(shared, "rectangle"))
    assert pixels.min(axis=0).tolist() == [box["top"], box["left"]]
    assert (np.ptp(pixels, axis=0) + 1).tolist() == [box["height"], box["width"]]
    assert len(pixels) == box["height"] * box["width"]


@pytest.mark.parametrize("name", ["oval", "oval-left"])
def test_oval_fills_its_stated_box_like_an_ellipse(shared, name):
    box = expected(shared, name)
    found = read(shared, name)
    y, x = np.mgrid[:400, :400] + 0.5
    rx, ry = box["width"] / 2, box["height"] / 2
    assert np.array_equal(found, ((x - box["left"] - rx) / rx) ** 2 + ((y - box["top"] - ry) / ry) ** 2 <= 1)


@pytest.mark.parametrize("name", ["polygon", "polygon-left", "freehand"])
def test_polygon_holds_the_pixels_inside_of_its_stated_corners(shared, name):
    content = expected(shared, name)
    corners = np.column_stack([content["x"], content["y"]]).astype(float)
    filled, clear = inside(corners, (400, 400))
    assert np.array_equal(read(shared, name)[clear], filled[clear])
    assert np.count_nonzero(~clear) < 0.05 * np.count_nonzero(filled)


def test_composite_of_two_rectangles_has_the_stated_pixels(shared):
    paths = expected(shared, "composite-rect-in-rect")["paths"]
    filled = np.zeros((400, 400), bool)
    for path in paths:
        filled ^= inside(np.array(path, float), (400, 400))[0]
    assert np.array_equal(read(shared, "composite-rect-in-rect"), filled)


def test_no_warning_for_selections_with_an_area(shared):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in AREAS:
            read(shared, name)
