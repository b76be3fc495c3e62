"""Diameters, frusta and branch orders of dendrites."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.measurement.dendrite_shape import (
    DiameterProfile,
    branch_orders,
    diameter_profiles,
    frusta,
    thickness,
)
from deepd3_ij.measurement.dendrites import find_dendrites
from deepd3_ij.measurement.straightened import Imaging, gaussian_width, straight_branches, tube_radius_um
from deepd3_ij.parameters import MeasureParameters, SimulationParameters
from deepd3_ij.simulation import simulate
from tests.unit.test_spacing import y_shaped

BLUR_UM = 0.17


@pytest.mark.parametrize("radius", [0.2, 0.4, 0.8])
def test_the_radius_of_a_blurred_tube_is_found(radius: float) -> None:
    across = np.arange(-22, 23) * 0.1
    fine = np.arange(-4, 4.001, 0.01)
    chord = np.sqrt(np.maximum(radius ** 2 - fine ** 2, 0))
    kernel = np.exp(-0.5 * (fine / BLUR_UM) ** 2)
    profile = 7 + 100 * np.interp(across, fine, np.convolve(chord, kernel / kernel.sum(), mode="same"))
    sigma, base, middle = gaussian_width(across, profile)
    assert tube_radius_um(sigma, BLUR_UM) == pytest.approx(radius, rel=0.1)
    assert base == pytest.approx(7, abs=6)
    assert middle == 0


def test_what_is_not_wider_than_the_blur_has_no_radius() -> None:
    assert np.isnan(tube_radius_um(0.16, BLUR_UM))
    assert np.isnan(tube_radius_um(np.nan, BLUR_UM))
    assert np.isnan(tube_radius_um(0.3, np.nan))


def test_a_cylinder_and_a_cone_have_their_surface_and_volume() -> None:
    position = np.arange(0, 10.01, 0.5)
    surface, volume = frusta(DiameterProfile(position, np.full(21, 0.8)))
    assert (surface, volume) == pytest.approx((np.pi * 0.8 * 10, np.pi * 0.16 * 10))
    surface, volume = frusta(DiameterProfile(position, 2 - 0.2 * position))
    assert (surface, volume) == pytest.approx((np.pi * np.hypot(10, 1), np.pi / 3 * 10))


def test_the_taper_is_the_median_slope_and_gaps_do_not_matter() -> None:
    position = np.arange(0, 20, 0.5)
    diameter = 1.2 - 0.02 * position
    diameter[[4, 9]] = 2.5, np.nan
    found = thickness([DiameterProfile(position, diameter)])
    assert found["taper_um_per_um"] == pytest.approx(-0.02, abs=1e-3)


def test_a_dendrite_that_is_mostly_below_the_resolution_has_no_thickness() -> None:
    profile = DiameterProfile(np.arange(4.0), np.array([np.nan, np.nan, np.nan, 0.4]))
    assert all(np.isnan(value) for value in thickness([profile]).values())
    assert all(np.isnan(value) for value in thickness([]).values())


def test_orders_grow_behind_branchings_from_the_thicker_end() -> None:
    line = y_shaped()
    line.radius_um[:80] = 0.8
    orders = branch_orders(line)
    assert (orders[0], orders[99], orders[150], orders[200], orders[-1]) == (1, 1, 2, 2, 2)
    line.radius_um[120:201] = 1.2
    orders = branch_orders(line)
    assert (orders[200], orders[110], orders[0], orders[-1]) == (1, 1, 2, 2)


def test_diameters_agree_with_the_simulated_dendrite() -> None:
    parameters = SimulationParameters(planes=13, height_px=220, width_px=220, xy_um=0.1, z_um=0.5, dendrites=1,
                                      branching=0, spine_density_per_um=0, bits=16, gain=2, line_smear=0, clouds=0,
                                      axons=0, blob_clusters=0)
    scene = simulate(parameters, 3)
    line = find_dendrites(scene.dendrite.astype(np.float32), MeasureParameters()).centre_lines[0]
    known = MeasureParameters(psf_xy_um=0.4, psf_z_um=2.2)
    imaging = Imaging.of(scene.stack, known)
    branches = straight_branches(line, scene.stack, None, imaging)
    profiles = diameter_profiles(branches, known, imaging)
    true = 2 * scene.tracing["radius_um"].mean()
    assert thickness(profiles)["mean_diameter_um"] == pytest.approx(true, rel=0.12)
    wider = diameter_profiles(branches, MeasureParameters(), imaging)
    assert thickness(wider)["mean_diameter_um"] > 0.4
