"""The simulator: reproducible scenes whose truth agrees with what the picture shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.stack import voxel_size_um

SMALL = SimulationParameters(planes=9, height_px=160, width_px=200)
CLEAN = dataclasses.replace(SMALL, gain=0.05, read_noise=0.0, line_smear=0.0, axons=0, blob_clusters=0, clouds=0,
                            halo=0.0, bits=16, offset=0.0)


@pytest.fixture(scope="module")
def scene() -> SimulatedScene:
    return simulate(SMALL, seed=3)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(scene: SimulatedScene) -> None:
    again, other = simulate(SMALL, seed=3), simulate(SMALL, seed=4)
    for name in ("stack", "dendrite", "spine", "doubtful_spine"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name))
    assert again.spines.equals(scene.spines)
    assert (other.stack.values != scene.stack.values).any()


def test_stack_and_masks_share_shape_voxel_size_and_types(scene: SimulatedScene) -> None:
    assert scene.stack.shape == (9, 160, 200)
    assert scene.stack.dtype == np.uint8
    assert scene.spine.dtype == np.int32
    assert scene.dendrite.dtype == scene.doubtful_dendrite.dtype == scene.doubtful_spine.dtype == np.bool_
    for mask in (scene.dendrite, scene.spine, scene.doubtful_dendrite, scene.doubtful_spine):
        assert mask.shape == scene.stack.shape
        assert voxel_size_um(mask) == (1.0, 0.12, 0.12)


def test_a_visible_spine_has_voxels_and_an_invisible_one_has_none(scene: SimulatedScene) -> None:
    drawn = set(np.unique(scene.spine.values)) - {0}
    assert drawn
    inside = set(scene.spines["id"])
    assert {number for number in drawn if number in inside} == set(scene.spines.loc[scene.spines["visible"], "id"])


def test_spine_voxels_lie_around_the_head_in_the_table(scene: SimulatedScene) -> None:
    for row in scene.spines[scene.spines["visible"]].itertuples():
        z, y, x = np.nonzero(scene.spine.values == row.id)
        distance_um = np.hypot(y.mean() * 0.12 - row.y_um, x.mean() * 0.12 - row.x_um)
        assert distance_um < 1.6
        assert abs(z.mean() * 1.0 - row.z_um) < 2.5


def test_the_tracing_runs_inside_the_dendrite_mask_and_the_bright_shaft() -> None:
    scene = simulate(dataclasses.replace(CLEAN, branching=1.0), seed=5)
    nodes = scene.tracing
    at = tuple(np.rint(nodes[["z_um", "y_um", "x_um"]].to_numpy() / (1.0, 0.12, 0.12)).astype(int).T)
    inside = np.all([(i >= 0) & (i < n) for i, n in zip(at, scene.stack.shape, strict=True)], axis=0)
    at = tuple(i[inside] for i in at)
    marked = scene.dendrite.values | scene.doubtful_dendrite.values
    assert marked[at].mean() > 0.95
    assert np.median(scene.stack.values[at]) > 5 * np.median(scene.stack.values)


def test_the_tracing_is_a_forest_whose_parents_come_first() -> None:
    nodes = simulate(dataclasses.replace(SMALL, branching=1.0), seed=6).tracing
    assert nodes["id"].tolist() == list(range(1, len(nodes) + 1))
    assert ((nodes["parent"] == -1) | ((nodes["parent"] >= 1) & (nodes["parent"] < nodes["id"]))).all()
    children = nodes[nodes["parent"] > 0]
    position = nodes.set_index("id")[["x_um", "y_um", "z_um"]]
    steps_um = np.linalg.norm(position.loc[children["id"]].to_numpy() - position.loc[children["parent"]].to_numpy(),
                              axis=1)
    assert steps_um.max() < 0.3


def test_light_spreads_as_wide_as_the_point_spread_function() -> None:
    """A spine head far below resolution shows the PSF's widths."""
    from deepd3_ij.measurement.optics import FWHM_PER_SIGMA, HALF_LIGHT
    from deepd3_ij.simulation import _splat

    volume = np.zeros((81, 101, 101), np.float32)
    voxel = np.array([0.1, 0.02, 0.02])
    _splat(volume, np.array([[4.0, 1.0, 1.0]]), np.array([0.0]), np.array([1.0]), voxel, 2.2 / 2 / HALF_LIGHT,
           0.4 / FWHM_PER_SIGMA)
    peak = volume.max()
    assert (volume[40, 50] > peak / 2).sum() * 0.02 == pytest.approx(0.4, abs=0.03)
    assert (volume[:, 50, 50] > peak / 2).sum() * 0.1 == pytest.approx(2.2, abs=0.11)


@pytest.mark.parametrize(("xy_um", "z_um"), [(0.06, 0.5), (0.12, 1.0), (0.2, 0.3)])
def test_the_brightness_of_a_head_does_not_depend_on_the_voxel_size(xy_um: float, z_um: float) -> None:
    scene = simulate(dataclasses.replace(CLEAN, xy_um=xy_um, z_um=z_um, planes=round(9 / z_um),
                                         height_px=round(20 / xy_um), width_px=round(20 / xy_um)), seed=8)
    visible = scene.spines[scene.spines["visible"]]
    assert 0.3 * 110 < visible["peak"].median() < 3 * 110


def test_photon_noise_grows_with_the_gain() -> None:
    def noise(gain: float) -> float:
        flat = dataclasses.replace(SMALL, dendrites=0, axons=0, blob_clusters=0, clouds=0, halo=0.0, gain=gain,
                                   background=60.0, line_smear=0.0, read_noise=0.0, offset=0.0, bits=16)
        picture = simulate(flat, seed=1).stack.values.astype(float)
        return float(np.diff(picture, axis=1).var() / 2 / picture.mean())

    assert noise(2.0) == pytest.approx(2.0 * 1.7, rel=0.15)
    assert noise(20.0) == pytest.approx(20.0 * 1.7, rel=0.15)


def test_an_8_bit_detector_saturates_and_a_12_bit_one_has_more_levels() -> None:
    bright = dataclasses.replace(SMALL, head_peak=800.0)
    assert simulate(bright, seed=2).stack.values.max() == 255
    assert 255 < simulate(dataclasses.replace(bright, bits=12), seed=2).stack.values.max() <= 4095


def test_without_dendrites_there_is_neither_mask_nor_spine() -> None:
    scene = simulate(dataclasses.replace(SMALL, dendrites=0), seed=1)
    assert not scene.dendrite.values.any()
    assert not scene.spine.values.any()
    assert len(scene.spines) == len(scene.tracing) == 0
    assert scene.stack.values.max() > 0


def test_spine_density_follows_its_parameter() -> None:
    def per_um(density: float) -> float:
        count = length_um = 0.0
        for seed in range(6):
            scene = simulate(dataclasses.replace(SMALL, spine_density_per_um=density), seed=seed)
            count += len(scene.spines)
            length_um += len(scene.tracing) * 0.12
        return count / length_um

    low, high = per_um(0.3), per_um(1.5)
    assert 3.0 < high / low < 8.0


def test_other_bit_depths_than_a_digitiser_has_are_refused() -> None:
    with pytest.raises(ParameterError, match="8, 12, 16"):
        SimulationParameters(bits=10)


def test_surface_and_tip_lie_on_the_way_from_axis_to_head(scene: SimulatedScene) -> None:
    table = scene.spines
    base, surface, head, tip = (table[[f"{name}{dim}_um" for dim in "zyx"]].to_numpy()
                                for name in ("base_", "surface_", "", "tip_"))
    np.testing.assert_allclose(np.linalg.norm(surface - base, axis=1), table["dendrite_radius_um"])
    np.testing.assert_allclose(np.linalg.norm(tip - head, axis=1), table["head_diameter_um"] / 2)
    length_um = np.linalg.norm(tip - surface, axis=1)
    np.testing.assert_allclose(length_um, np.linalg.norm(head - surface, axis=1) + table["head_diameter_um"] / 2)
    assert (length_um > 0.8 * table["neck_length_um"]).all()
    stubby = table["kind"] == "stubby"
    assert table.loc[stubby, "neck_diameter_um"].isna().all()
    assert table.loc[~stubby, "neck_diameter_um"].between(0.1, 0.3).all()


def test_a_head_of_lumps_is_a_little_wider_than_the_ball_with_its_dye() -> None:
    heads = simulate(dataclasses.replace(SMALL, dendrites=6, spine_density_per_um=3.0), seed=3).spines
    ratio = heads["head_extent_um"] / heads["head_diameter_um"]
    assert 1.02 < ratio.median() < 1.09
    np.testing.assert_allclose(heads["head_volume_um3"], np.pi / 6 * heads["head_diameter_um"] ** 3)


def test_the_spread_of_dye_is_that_of_the_parameter() -> None:
    many = dataclasses.replace(SMALL, dendrites=6, spine_density_per_um=3.0)
    assert np.log(simulate(many, seed=2).spines["dye_factor"]).std() == pytest.approx(0.55, abs=0.08)
    even = simulate(dataclasses.replace(many, spine_dye_spread=0.0), seed=2).spines["dye_factor"]
    np.testing.assert_allclose(even, np.exp(-0.3))


def test_most_spines_stand_sideways_and_sides_follow_from_azimuths() -> None:
    spines = simulate(dataclasses.replace(SMALL, dendrites=6, spine_density_per_um=3.0), seed=1).spines
    sideways = spines["side"].isin(["left", "right"])
    assert 0.6 < sideways.mean() < 0.9
    assert spines.loc[spines["side"] == "above", "azimuth_deg"].between(-45, 45).all()
    higher = spines["z_um"] - spines["base_z_um"]
    assert (higher[spines["side"] == "above"] > 0).all()
    assert (higher[spines["side"] == "below"] < 0).all()
