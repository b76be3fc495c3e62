import itertools

import numpy as np
import pytest

from deepd3_ij.parameters import AugmentationParameters
from deepd3_ij.scan_motion import move_lines
from deepd3_ij.training.augmentation import DENDRITE, SPINE, Geometry, cut, draw_geometry, unchanged, vary_grey_levels

OFF = {name: 0.0 for name in AugmentationParameters().to_dict() if name.endswith("probability")}


def only(**values: float) -> AugmentationParameters:
    return AugmentationParameters(**{**OFF, **values})


@pytest.fixture
def volume():
    random = np.random.default_rng(5)
    image = random.random((4, 30, 40)).astype(np.float32)
    masks = random.integers(0, 4, image.shape).astype(np.uint8)
    return image, masks


def cut_out(volume, origin, geometry, size):
    out = tuple(np.full(size, np.nan, np.float32) for _ in range(3))
    cut(*volume, origin, geometry, out)
    return out


def test_an_unchanged_sample_is_the_window_itself(volume):
    image, dendrite, spine = cut_out(volume, (1, 7, 9), unchanged(2), (2, 12, 15))
    window = (slice(1, 3), slice(7, 19), slice(9, 24))
    np.testing.assert_array_equal(image, volume[0][window])
    np.testing.assert_array_equal(dendrite, (volume[1][window] & DENDRITE) > 0)
    np.testing.assert_array_equal(spine, (volume[1][window] & SPINE) > 0)


def test_flips_and_turns_only_reorder_pixels_and_reach_all_eight_orders(volume):
    window = volume[0][2, 5:15, 6:16]
    orders = [np.rot90(part, quarters).tobytes() for part in (window, window.T) for quarters in range(4)]
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        geometry = draw_geometry((1, 10, 10), only(flip_probability=0.5, turn_probability=0.5), random)
        image, dendrite, spine = cut_out(volume, (2, 5, 6), geometry, (1, 10, 10))
        seen.add(orders.index(image[0].tobytes()))
        reordered = cut_out((volume[1].astype(np.float32), volume[1]), (2, 5, 6), geometry, (1, 10, 10))[0]
        np.testing.assert_array_equal(dendrite + 2 * spine, reordered)
    assert seen == set(range(8))


def test_samples_that_are_not_square_are_turned_by_half_only(volume):
    window = volume[0][0, 3:11, 4:20]
    random = np.random.default_rng(0)
    for _ in range(30):
        geometry = draw_geometry((1, 8, 16), only(turn_probability=1), random)
        np.testing.assert_array_equal(cut_out(volume, (0, 3, 4), geometry, (1, 8, 16))[0][0], window[::-1, ::-1])


def test_beyond_the_border_the_stack_is_mirrored(volume):
    geometry = Geometry(np.eye(2), np.empty((2, 0, 0), np.float32), np.array([[-5.0, -3.0]]), False)
    image, _, _ = cut_out(volume, (0, 0, 0), geometry, (1, 30, 40))
    expected = np.pad(volume[0][0], ((5, 0), (3, 0)), mode="reflect")[:30, :40]
    np.testing.assert_array_equal(image[0], expected)


def test_mirroring_reaches_any_distance_in_a_tiny_stack():
    image = np.arange(2, dtype=np.float32).reshape(1, 1, 2)
    geometry = Geometry(np.eye(2), np.empty((2, 0, 0), np.float32), np.array([[9.0, -10.0]]), False)
    out = cut_out((image, np.zeros((1, 1, 2), np.uint8)), (0, 0, 0), geometry, (1, 1, 2))
    np.testing.assert_array_equal(out[0], [[[0, 1]]])


def test_rotation_stays_within_its_limit_and_keeps_lengths():
    random = np.random.default_rng(3)
    angles = []
    for _ in range(200):
        matrix = draw_geometry((1, 32, 32), only(rotation_probability=1, rotation_deg=10), random).matrix
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-12)
        angles.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    assert max(np.abs(angles)) <= 10
    assert min(angles) < -8
    assert max(angles) > 8


def test_a_linear_ramp_is_interpolated_exactly_under_rotation_and_zoom():
    yy, xx = np.mgrid[:60, :60].astype(np.float32)
    ramp = (2 * yy + 3 * xx)[None]
    geometry = draw_geometry((1, 20, 20), only(rotation_probability=1, zoom_probability=1), np.random.default_rng(1))
    image = cut_out((ramp, np.zeros(ramp.shape, np.uint8)), (0, 20, 20), geometry, (1, 20, 20))[0][0]
    steps = np.stack(np.meshgrid(np.arange(20) - 9.5, np.arange(20) - 9.5, indexing="ij"))
    y, x = np.einsum("ij,jab->iab", geometry.matrix, steps) + 29.5
    np.testing.assert_allclose(image, 2 * y + 3 * x, atol=1e-3)


def test_elastic_displacement_is_smooth_and_of_the_wanted_strength():
    random = np.random.default_rng(2)
    fields = np.stack([draw_geometry((1, 96, 128), only(elastic_probability=1, elastic_px=2), random).displacement_px
                       for _ in range(150)])
    assert fields.shape == (150, 2, 96, 128)
    assert np.sqrt(np.mean(fields**2)) == pytest.approx(2, rel=0.05)
    # Steeper than 1 would fold the sample.
    assert max(np.abs(np.diff(fields, axis=axis)).max() for axis in (2, 3)) < 0.6


def test_planes_drift_and_flip_only_in_samples_of_several_planes():
    random = np.random.default_rng(4)
    one = [draw_geometry((1, 8, 8), only(drift_probability=1, flip_probability=1), random) for _ in range(5)]
    several = [draw_geometry((3, 8, 8), only(drift_probability=1, flip_probability=0.5), random) for _ in range(40)]
    assert all(not geometry.shift_px.any() and not geometry.flip_z for geometry in one)
    assert all(geometry.shift_px.any(axis=1).all() for geometry in several)
    assert {geometry.flip_z for geometry in several} == {False, True}


def test_reversed_planes_carry_their_masks(volume):
    geometry = Geometry(np.eye(2), np.empty((2, 0, 0), np.float32), np.zeros((3, 2)), True)
    image, dendrite, _ = cut_out(volume, (1, 0, 0), geometry, (3, 30, 40))
    np.testing.assert_array_equal(image, volume[0][3:0:-1])
    np.testing.assert_array_equal(dendrite, volume[1][3:0:-1] & DENDRITE)


@pytest.mark.parametrize("name", ["blur", "gamma", "contrast", "noise"])
def test_each_grey_level_change_has_an_effect_and_stays_in_range(name):
    random = np.random.default_rng(0)
    before = random.random((1, 32, 32)).astype(np.float32)
    after = before.copy()
    vary_grey_levels(after, only(**{f"{name}_probability": 1}), random)
    assert np.abs(after - before).max() > 1e-3
    assert after.min() >= 0
    assert after.max() <= 1
    assert after.dtype == np.float32


def test_noise_has_the_drawn_read_and_shot_parts():
    random = np.random.default_rng(1)
    parameters = only(noise_probability=1, read_noise=0.02, shot_noise=0.2)
    variances = {level: [] for level in (0.3, 0.6)}
    for level, _ in itertools.product(variances, range(300)):
        sample = np.full((1, 64, 64), level, np.float32)
        vary_grey_levels(sample, parameters, random)
        variances[level].append(sample.var())
    # Both standard deviations are uniform from 0: their mean square is a third of the largest.
    for level, values in variances.items():
        assert np.mean(values) == pytest.approx((0.02**2 + 0.2**2 * level) / 3, rel=0.15)


def test_nothing_happens_with_all_probabilities_zero(volume):
    random = np.random.default_rng(0)
    geometry = draw_geometry((2, 9, 9), only(), random)
    image, _, _ = cut_out(volume, (0, 3, 3), geometry, (2, 9, 9))
    vary_grey_levels(image, only(), random)
    np.testing.assert_array_equal(image, volume[0][:2, 3:12, 3:12])


def test_lines_of_image_and_masks_move_as_in_a_simulated_scan():
    random = np.random.default_rng(2)
    image = np.repeat(random.random((3, 20, 20)), 4, axis=1).repeat(4, axis=2).astype(np.float32)
    masks = ((image > 0.5) * DENDRITE + (image > 0.8) * SPINE).astype(np.uint8)
    size = (2, 48, 40)
    geometry = draw_geometry(size, only(motion_probability=1, motion_px=3.0), random)
    assert geometry.motion_px.shape == (2, 2, 48)
    assert len(np.unique(geometry.motion_px[1, 0])) == 48
    found = cut_out((image, masks), (1, 15, 20), geometry, size)

    whole = np.zeros((2, 3, 80))
    whole[:, 1:, 15:63] = geometry.motion_px
    window = (slice(1, 3), slice(15, 63), slice(20, 60))
    np.testing.assert_allclose(found[0], move_lines(image, whole)[window], atol=1e-5)
    for bit, target in zip((DENDRITE, SPINE), found[1:], strict=True):
        expected = move_lines((masks & bit > 0).astype(np.uint8), whole, nearest=True)[window]
        np.testing.assert_array_equal(target, expected)
        assert (target != (masks[window] & bit > 0)).any()
    assert found[0][found[2] == 1].mean() > 0.75  # spines lie where they are bright


def test_motion_is_repeated_by_its_seed_and_changes_nothing_else():
    size, all_on = (3, 32, 24), dict.fromkeys(OFF, 0.5)

    def drawn(seed, **changed):
        random = np.random.default_rng(seed)
        return draw_geometry(size, AugmentationParameters(**{**all_on, **changed}), random), random.random()

    moves = 0
    for seed in range(200):
        moved, still = drawn(seed), drawn(seed, motion_probability=0.0)
        again = drawn(seed)
        assert still[0].motion_px.shape == (2, 0, 0)
        assert moved[1] == still[1] == again[1]  # what is drawn after it is the same, too
        for name in ("matrix", "displacement_px", "shift_px", "flip_z"):
            np.testing.assert_array_equal(getattr(moved[0], name), getattr(still[0], name))
        np.testing.assert_array_equal(moved[0].motion_px, again[0].motion_px)
        moves += moved[0].motion_px.size > 0
    assert 70 < moves < 130


def test_no_motion_and_motion_of_no_strength_are_the_same_to_the_bit(volume):
    assert AugmentationParameters().motion_probability == 0
    resting, moving = (
        cut_out(volume, (1, 7, 9), draw_geometry((2, 12, 12), AugmentationParameters(
            motion_probability=probability, motion_px=0, elastic_probability=1), np.random.default_rng(3)), (2, 12, 12))
        for probability in (0.0, 1.0))
    for before, after in zip(resting, moving, strict=True):
        assert before.tobytes() == after.tobytes()
