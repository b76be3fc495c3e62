import random as python_random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from deepd3_ij.errors import AnnotationError, Cancelled, ParameterError
from deepd3_ij.parameters import AugmentationParameters, SamplerParameters
from deepd3_ij.training.sampler import Sampler, SampleSource


@dataclass(frozen=True)
class Annotated:
    stack: Any
    dendrite: Any
    spines: Any
    xy_um: float = 0.1
    z_um: float = 0.5


def annotated(shape=(4, 40, 50), dtype=np.uint8, seed=0, **voxel_size) -> Annotated:
    """Noise with a dendrite along x and spines beside it."""
    random = np.random.default_rng(seed)
    dendrite, spines = np.zeros(shape, bool), np.zeros(shape, bool)
    middle = shape[1] // 2
    dendrite[:, middle - 2:middle + 2] = True
    spines[1:3, middle + 3:middle + 6, ::7] = True
    stack = random.integers(0, 100, shape) + 100 * dendrite
    return Annotated(stack.astype(dtype), dendrite, spines, **voxel_size)


SMALL = SamplerParameters(height_px=16, width_px=16)
AUGMENTED = AugmentationParameters()


def sample(sampler: Sampler, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    drawn = sampler.samples(index, 1)
    return drawn.image[0], drawn.dendrite[0], drawn.spine[0]


def window(sampler: Sampler, index: int) -> tuple[int, tuple[int, int, int]]:
    """Where a sample is cut: number of the stack that has room for samples, and first voxel (z, y, x), resampled."""
    return sampler._draw_window(sampler._random(index))


def batches_equal(first, second) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("image", "dendrite", "spine"))


# Reproducibility

@pytest.mark.parametrize("augmentation", [None, AUGMENTED])
def test_samples_depend_on_seed_and_number_only(augmentation):
    sampler = Sampler([annotated(), annotated(seed=1)], SMALL, augmentation)
    first = [sampler.samples(number, 4) for number in range(0, 24, 4)]
    np.random.seed(7)  # noqa: NPY002 - global state must not matter
    python_random.seed(7)
    again = Sampler([annotated(), annotated(seed=1)], SMALL, augmentation)
    backwards = [again.samples(number, 4) for number in reversed(range(0, 24, 4))][::-1]
    assert all(map(batches_equal, first, backwards))
    other_seed = Sampler([annotated(), annotated(seed=1)], replace(SMALL, seed=43), augmentation)
    assert not batches_equal(first[0], sampler.samples(4, 4))
    assert not batches_equal(first[0], other_seed.samples(0, 4))


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy(), python_random.getstate()  # noqa: NPY002
    Sampler([annotated()], SMALL, AUGMENTED).samples(0, 4)
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert before[1] == python_random.getstate()


def test_a_sample_is_the_same_alone_and_among_others():
    sampler = Sampler([annotated()], SMALL, AUGMENTED)
    batch = sampler.samples(8, 4)
    for place, part in enumerate(zip(batch.image, batch.dendrite, batch.spine, strict=True)):
        for inside, alone in zip(part, sample(sampler, 8 + place), strict=True):
            np.testing.assert_array_equal(inside, alone)


def test_augmentation_does_not_change_which_windows_are_drawn():
    plain, varied = Sampler([annotated()], SMALL), Sampler([annotated()], SMALL, AUGMENTED)
    assert [window(plain, index) for index in range(30)] == [window(varied, index) for index in range(30)]


# Where windows lie

def test_samples_are_the_windows_that_are_told():
    stacks = [annotated(), annotated(shape=(2, 30, 20), seed=1)]
    sampler = Sampler(stacks, SMALL)
    for index in range(40):
        number, (z, y, x) = window(sampler, index)
        cut = (z, slice(y, y + 16), slice(x, x + 16))
        image, dendrite, spine = sample(sampler, index)
        grey = stacks[number].stack[cut].astype(float)
        np.testing.assert_allclose(image, (grey - grey.min()) / np.ptp(grey) * 2 - 1, atol=1e-6)
        np.testing.assert_array_equal(dendrite, stacks[number].dendrite[cut])
        np.testing.assert_array_equal(spine, stacks[number].spines[cut])


def test_first_and_last_offset_of_every_axis_are_drawn():
    sampler = Sampler([annotated(shape=(3, 18, 19))], SMALL)
    origins = np.array([window(sampler, index)[1] for index in range(600)])
    np.testing.assert_array_equal(origins.min(axis=0), [0, 0, 0])
    np.testing.assert_array_equal(origins.max(axis=0), [2, 2, 3])


def test_stacks_are_chosen_by_their_number_of_windows_or_uniformly():
    stacks = [annotated(shape=(1, 25, 25)), annotated(shape=(3, 25, 25))]
    share = {}
    for choice in ("size", "uniform"):
        sampler = Sampler(stacks, replace(SMALL, stack_choice=choice))
        share[choice] = np.mean([window(sampler, index)[0] for index in range(3000)])
    assert share["size"] == pytest.approx(0.75, abs=0.03)
    assert share["uniform"] == pytest.approx(0.5, abs=0.03)


def test_a_stack_without_room_for_a_sample_is_left_out():
    sampler = Sampler([annotated(shape=(2, 10, 50)), annotated()], SMALL)
    assert sampler.windows == 4 * 25 * 35
    sampler.samples(0, 50)


def test_every_sample_has_the_wanted_content_even_where_it_is_rare():
    stack = annotated(shape=(6, 300, 300))
    spines = np.zeros(stack.stack.shape, bool)
    spines[3, 100:104, 200:204] = True
    stack = replace(stack, dendrite=np.zeros_like(spines), spines=spines)
    sampler = Sampler([stack], replace(SMALL, min_content_voxels=15))
    assert sampler.windows == 13 * 13
    for index in range(100):
        assert sample(sampler, index)[2].sum() == 16


# Scaling

@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_augmented_samples_do_not_depend_on_the_bit_depth(dtype):
    reference = annotated()
    factor, offset = {np.uint8: (1, 0), np.int16: (150, -30_000), np.uint16: (300, 0), np.int32: (10_000, -5),
                      np.float32: (0.001, 3)}[dtype]
    stack = (reference.stack.astype(np.float64) * factor + offset).astype(dtype)
    expected = Sampler([reference], SMALL, AUGMENTED).samples(0, 4)
    batch = Sampler([replace(reference, stack=stack)], SMALL, AUGMENTED).samples(0, 4)
    np.testing.assert_allclose(batch.image, expected.image, atol=2e-3)
    np.testing.assert_array_equal(batch.spine, expected.spine)


@pytest.mark.parametrize("augmentation", [None, AUGMENTED])
def test_images_span_the_range_and_masks_are_exactly_0_and_1(augmentation):
    batch = Sampler([annotated()], replace(SMALL, low=0, high=2), augmentation).samples(0, 64)
    np.testing.assert_allclose(batch.image.min(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(batch.image.max(axis=(1, 2)), 2, atol=1e-6)
    assert {batch.image.dtype, batch.dendrite.dtype, batch.spine.dtype} == {np.dtype(np.float32)}
    assert set(np.unique(batch.dendrite)) == set(np.unique(batch.spine)) == {0, 1}


def test_scaling_by_plane_is_that_of_the_plane_the_sample_lies_in():
    stack = annotated()
    sampler = Sampler([stack], replace(SMALL, normalise="plane", planes=2))
    for index in range(20):
        _, (z, y, x) = window(sampler, index)
        planes = stack.stack[z:z + 2].astype(float)
        low, high = planes.min(axis=(1, 2), keepdims=True), planes.max(axis=(1, 2), keepdims=True)
        expected = ((planes - low) / (high - low) * 2 - 1)[:, y:y + 16, x:x + 16]
        np.testing.assert_allclose(sample(sampler, index)[0], expected, atol=1e-5)


@pytest.mark.parametrize("normalise", ["tile", "plane"])
def test_a_constant_stack_gives_finite_samples(normalise):
    stack = replace(annotated(), stack=np.full((4, 40, 50), 7, np.uint16))
    np.testing.assert_array_equal(Sampler([stack], replace(SMALL, normalise=normalise)).samples(0, 4).image, -1)


# Several planes and resolutions

@pytest.mark.parametrize("augmentation", [None, AUGMENTED])
def test_samples_of_several_planes_have_their_planes_first(augmentation):
    sampler = Sampler([annotated()], replace(SMALL, planes=3, height_px=12, width_px=20), augmentation)
    batch = sampler.samples(0, 4)
    assert batch.image.shape == batch.dendrite.shape == batch.spine.shape == (4, 3, 12, 20)
    assert sample(sampler, 0)[0].shape == (3, 12, 20)


def test_stacks_are_resampled_to_the_target_with_height_and_width_in_their_places():
    stack = annotated(shape=(3, 60, 90), xy_um=0.2)
    parameters = replace(SMALL, target_resolution_um=0.1, height_px=96, width_px=64)
    sampler = Sampler([stack], parameters)
    batch = sampler.samples(0, 4)
    assert batch.image.shape == (4, 96, 64)
    # The dendrite, 4 px of 0.2 µm wide, runs along x and is 8 px of 0.1 µm wide now.
    assert set(batch.dendrite.sum(axis=1).ravel()) == {8}
    assert sampler.windows == 3 * (120 - 96 + 1) * (180 - 64 + 1)


def test_a_mix_of_resolutions_is_brought_to_one():
    fine, coarse = annotated(shape=(4, 80, 100), xy_um=0.05), annotated(xy_um=0.1)
    sampler = Sampler([fine, coarse], replace(SMALL, target_resolution_um=0.1))
    widths = {0: 0, 1: 0}
    for index in range(60):
        number = window(sampler, index)[0]
        widths[number] = max(widths[number], sample(sampler, index)[1].sum(axis=0).max())
    assert widths == {0: 2, 1: 4}


def test_planes_are_resampled_for_samples_of_several_planes():
    parameters = replace(SMALL, planes=4, target_z_um=0.5)
    sampler = Sampler([annotated(z_um=0.5), annotated(shape=(2, 40, 50), z_um=1.0)], parameters)
    assert sampler.windows == 2 * 25 * 35


# Bad input

def test_no_stack_is_large_enough():
    with pytest.raises(AnnotationError, match=r"1 × 64 × 16 .*the largest has 4 × 40 × 50"):
        Sampler([annotated(), annotated(shape=(9, 20, 90))], replace(SMALL, height_px=64))


def test_a_stack_that_the_target_resolution_makes_too_small_says_so():
    with pytest.raises(AnnotationError, match=r"target resolution of 1 µm.*4 × 4 × 5"):
        Sampler([annotated()], replace(SMALL, target_resolution_um=1))


def test_content_that_no_window_has_ends_in_an_error():
    with pytest.raises(AnnotationError, match="more than 255 voxels of dendrite or of spine; lower min_content_voxels"):
        Sampler([annotated()], replace(SMALL, min_content_voxels=255))


def test_a_mix_of_resolutions_without_a_target():
    with pytest.raises(AnnotationError, match=r"0.05 to 0.1 µm; give target_resolution_um"):
        Sampler([annotated(xy_um=0.05), annotated(xy_um=0.1)], SMALL)
    with pytest.raises(AnnotationError, match=r"0.5 to 1 µm; give target_z_um"):
        Sampler([annotated(), annotated(z_um=1)], replace(SMALL, planes=2))
    # Of no concern to samples of one plane.
    Sampler([annotated(), annotated(z_um=1)], SMALL)


def test_masks_of_another_shape():
    with pytest.raises(AnnotationError, match=r"Stack 1 has shape \(4, 40, 50\).*\(4, 40, 49\)"):
        Sampler([annotated(), replace(annotated(), spines=np.zeros((4, 40, 49), bool))], SMALL)


def test_no_stacks_and_unusable_resolution():
    with pytest.raises(AnnotationError, match="no stack"):
        Sampler([], SMALL)
    with pytest.raises(AnnotationError, match="0 µm; accepted: more than 0"):
        Sampler([annotated(xy_um=0)], SMALL)


def test_parameters_are_checked():
    with pytest.raises(ParameterError, match="low is 1"):
        SamplerParameters(low=1, high=1)
    with pytest.raises(ParameterError, match="size, uniform"):
        SamplerParameters(stack_choice="largest")


def test_preparation_can_be_cancelled():
    def cancel(done, total, message):
        if done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Sampler([annotated(), annotated()], SMALL, progress=cancel)


def test_batches_of_any_size_continue_the_same_row_of_samples():
    sampler = Sampler([annotated()], SMALL, AUGMENTED)
    image, dendrite, spine = SampleSource(sampler).batch(3, 2)
    assert image.shape == dendrite.shape == spine.shape == (2, 16, 16, 1)
    np.testing.assert_array_equal(image[..., 0], sampler.samples(6, 2).image)
    np.testing.assert_array_equal(spine[..., 0], sampler.samples(6, 2).spine)
