"""Tracings drawn as volumes, compared with the original's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.files.swc import read_swc

SPACINGS = {"iso": 1.0, "aniso": 2.5}


def drawn(shared: Path, name: str, spacing: str) -> np.ndarray:
    return draw_tracing(read_swc(shared / "reference" / "swc" / f"{name}.swc"), (20, 120, 140), xy_um=1.0,
                        z_um=SPACINGS[spacing], units="px")


def original(shared: Path, name: str, spacing: str) -> np.ndarray:
    with np.load(shared / "reference" / "swc" / f"{name}_{spacing}.npz", allow_pickle=False) as file:
        return file["stack"] > 0


def depth_px(tracing: Tracing, points_um: np.ndarray) -> np.ndarray:
    """Distance of points (z, y, x) to the surface of the tubes; negative inside."""
    nearest = np.full(len(points_um), np.inf)
    for begin, end in tracing.segments:
        for t in np.linspace(0, 1, 200):
            centre = (1 - t) * tracing.xyz[begin] + t * tracing.xyz[end]
            radius = (1 - t) * tracing.radius[begin] + t * tracing.radius[end]
            nearest = np.minimum(nearest, np.linalg.norm(points_um - centre[::-1], axis=1) - radius)
    return nearest


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_plain_tracing_agrees_with_the_original(shared: Path, spacing: str) -> None:
    ours, theirs = drawn(shared, "plain", spacing), original(shared, "plain", spacing)
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) >= 0.90
    tracing = read_swc(shared / "reference" / "swc" / "plain.swc").pixels_to_um(xy_um=1.0, z_um=SPACINGS[spacing])
    differing = np.argwhere(ours ^ theirs) * [SPACINGS[spacing], 1.0, 1.0]
    assert np.abs(depth_px(tracing, differing)).max() <= 1.5


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_tracing_with_fractions_is_not_rounded_but_holds_nearly_all_that_the_original_draws(
    shared: Path, spacing: str
) -> None:
    ours, theirs = drawn(shared, "trace", spacing), original(shared, "trace", spacing)
    assert (theirs & ours).sum() / theirs.sum() >= 0.90
    tracing = read_swc(shared / "reference" / "swc" / "trace.swc").pixels_to_um(xy_um=1.0, z_um=SPACINGS[spacing])
    missing = np.argwhere(theirs & ~ours) * [SPACINGS[spacing], 1.0, 1.0]
    assert depth_px(tracing, missing).max() <= 1.5 * SPACINGS[spacing]


def test_thin_and_last_nodes_are_drawn(shared: Path) -> None:
    ours = drawn(shared, "trace", "iso")
    tracing = read_swc(shared / "reference" / "swc" / "trace.swc")
    for identity in (19, 20, 26):
        x, y, z = np.floor(tracing.xyz[tracing.ids == identity][0] + 0.5).astype(int)
        assert ours[z, y, x]


@pytest.mark.parametrize("name", ["tabs", "gaps"])
def test_tabs_and_gaps_in_ids_give_the_same_volume(shared: Path, name: str) -> None:
    np.testing.assert_array_equal(drawn(shared, name, "iso"), drawn(shared, "trace", "iso"))
