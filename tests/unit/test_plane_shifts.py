"""Planes between which the tissue moved are aligned before they are averaged."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from deepd3_ij import label_stack, predict
from deepd3_ij.segmentation.plane_shifts import average_aligned, moved, shift_between, spectrum
from deepd3_ij.segmentation.smoothing import average_planes, smooth_along_z


def picture(seed: int = 0) -> np.ndarray:
    """A smooth picture of 96 × 80 pixels, dark at the border."""
    random = np.zeros((96, 80))
    random[16:-16, 16:-16] = np.random.default_rng(seed).random((64, 48)) ** 8
    return ndimage.gaussian_filter(random, 2.0).astype(np.float32) * 500


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -3.0), (-1.5, 0.25), (0.4, 4.0)])
def test_the_shift_between_two_noisy_planes_is_found(shift: tuple[float, float]) -> None:
    rng = np.random.default_rng(1)
    fixed = picture()
    moving = ndimage.shift(fixed, [-part for part in shift], mode="nearest")
    noisy = [plane + rng.normal(0, 1, plane.shape) for plane in (fixed, moving)]
    found = shift_between(spectrum(noisy[0]), spectrum(noisy[1]), 80, 6.25)
    assert found == pytest.approx(shift, abs=0.2)


def test_a_shift_beyond_the_largest_is_not_believed() -> None:
    fixed = picture()
    assert shift_between(spectrum(fixed), spectrum(np.roll(fixed, 9, 1)), 80, 6.25) == (0.0, 0.0)


def test_moving_is_linear_interpolation_and_the_border_goes_on() -> None:
    plane = np.arange(20, dtype=np.uint8).reshape(4, 5)
    assert moved(plane, (0, 1))[1].tolist() == [5, 5, 6, 7, 8]
    assert moved(plane, (0.5, 0))[:, 0].tolist() == [0, 2.5, 7.5, 12.5]
    np.testing.assert_array_equal(moved(plane, (-1.25, 0.75), slice(1, 3)), moved(plane, (-1.25, 0.75))[1:3])


def test_the_average_of_aligned_planes_keeps_what_moving_blurs() -> None:
    still = picture()
    shifts = [(0, 0), (3, -2), (-2, 1), (1, 3), (0, -3)]
    planes = [ndimage.shift(still, shift, mode="nearest") for shift in shifts]
    aligned = average_aligned(planes, range(5), 0.7, 2, 0.12)
    plain = smooth_along_z(np.stack(planes), 0.7, 1.0)
    inside = (slice(8, -8), slice(8, -8))
    for z in range(5):
        error, blurred = (np.abs(average[z] - planes[z])[inside].mean() for average in (aligned, plain))
        assert error < 0.25 * blurred
    same = [still] * 5
    np.testing.assert_allclose(average_aligned(same, range(5), 0.7, 2, 0.12), smooth_along_z(np.stack(same), 0.7, 1.0),
                               rtol=1e-4, atol=1e-2)


def test_parts_of_a_stack_are_predicted_as_the_whole() -> None:
    planes = np.stack([np.roll(picture(), (z, -z), (0, 1)) for z in range(6)]).astype(np.uint8)
    stack = label_stack(planes, xy_um=0.12, z_um=1.0)
    typed = {"z_sigma_um": 0.7, "align_planes": True}
    whole, part = (predict(stack, parameters=typed, z_range=planes) for planes in (None, (2, 4)))
    np.testing.assert_allclose(part["spine"][2:4], whole["spine"][2:4], atol=1e-5)
    plain = predict(stack, parameters={"z_sigma_um": 0.7, "align_planes": False})
    assert float(np.abs(plain["spine"] - whole["spine"]).max()) > 1e-3


def test_an_average_is_the_same_whichever_others_are_wanted_and_takes_no_memory_for_planes():
    planes = list(np.random.default_rng(2).integers(0, 60_000, (9, 1200, 400)).astype(np.uint16))
    whole = average_planes(planes, range(9), 0.7, 0.5)
    np.testing.assert_allclose(whole[4], smooth_along_z(np.stack(planes), 0.7, 0.5)[4])
    tracemalloc.start()
    one = average_planes(planes, range(4, 5), 0.7, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(one[0], whole[4])
    assert peak < 1.5 * one.nbytes
