"""Angles, azimuths and sides of spines on dendrites of known direction."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.measurement.orientation import angle_deg, azimuth_deg, side_of

ALONG_X = np.array([[0.0, 0.0, 1.0]])


@pytest.mark.parametrize(("direction", "azimuth", "side"), [
    ((0, -1, 0), 90, "left"),  # rows run downwards: seen along x, the left side is towards row 0
    ((0, 1, 0), -90, "right"),
    ((1, 0, 0), 0, "above"),
    ((-1, 0, 0), 180, "below"),
    ((1, -0.9, 5), np.degrees(np.arctan2(0.9, 1)), "above"),
    ((0.9, -1, 5), np.degrees(np.arctan2(1, 0.9)), "left")])
def test_sides_along_the_x_axis(direction: tuple[float, ...], azimuth: float, side: str) -> None:
    measured = azimuth_deg(np.array([direction], dtype=float), ALONG_X)
    assert abs(measured[0]) == pytest.approx(abs(azimuth))
    assert np.sign(measured[0]) == np.sign(azimuth) or abs(azimuth) == 180
    assert side_of(measured)[0] == side


def test_walking_the_other_way_swaps_left_and_right() -> None:
    directions = np.random.default_rng(0).normal(size=(50, 3))
    tangents = np.random.default_rng(1).normal(size=(50, 3))
    there, back = azimuth_deg(directions, tangents), azimuth_deg(directions, -tangents)
    np.testing.assert_allclose(there, -back)
    swapped = {"left": "right", "right": "left", "above": "above", "below": "below"}
    assert [swapped[side] for side in side_of(there)] == list(side_of(back))
    np.testing.assert_allclose(angle_deg(directions, tangents), angle_deg(directions, -tangents))


def test_a_turn_around_the_tangent_is_right_handed_in_x_y_z() -> None:
    rng = np.random.default_rng(2)
    tangent = rng.normal(size=3)
    tangent /= np.linalg.norm(tangent)
    start = rng.normal(size=3)
    turn = np.radians(25.0)
    xyz_t, xyz_s = tangent[::-1], start[::-1]
    turned = (xyz_s * np.cos(turn) + np.cross(xyz_t, xyz_s) * np.sin(turn)
              + xyz_t * (xyz_t @ xyz_s) * (1 - np.cos(turn)))[::-1]
    before, after = azimuth_deg(np.stack([start, turned]), np.stack([tangent, tangent]))
    assert (after - before) % 360 == pytest.approx(25.0)


def test_nothing_is_said_where_nothing_is_known() -> None:
    upright = np.array([[1.0, 0.0, 0.0]])
    assert np.isnan(azimuth_deg(np.array([[0.0, 1.0, 0.0]]), upright)[0])
    assert np.isnan(azimuth_deg(2 * ALONG_X, ALONG_X)[0])
    assert np.isnan(azimuth_deg(0 * ALONG_X, ALONG_X)[0])
    assert np.isnan(angle_deg(0 * ALONG_X, ALONG_X)[0])
    assert side_of(np.array([np.nan]))[0] == ""


@pytest.mark.parametrize(("direction", "angle"), [((0, 1, 0), 90), ((0, 1, -1), 45), ((0, 0, 3), 0)])
def test_angles_are_between_lines(direction: tuple[float, ...], angle: float) -> None:
    assert angle_deg(np.array([direction], dtype=float), ALONG_X)[0] == pytest.approx(angle)
