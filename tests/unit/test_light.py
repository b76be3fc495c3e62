"""Sizes of heads from light, held against simulated spines, and the reasons for those that are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from deepd3_ij.measurement.columns import QUALITIES, SHAPE_COLUMNS
from deepd3_ij.measurement.dendrites import Dendrites, find_dendrites
from deepd3_ij.measurement.forced import shortest_ways
from deepd3_ij.measurement.geometry import SpineGeometry
from deepd3_ij.measurement.light import Light, head_light
from deepd3_ij.measurement.noise import full_scale, noise_of
from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.measurement.straightened import Imaging, straight_branches
from deepd3_ij.parameters import MeasureParameters, SimulationParameters
from deepd3_ij.runs import Runs
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.stack import label_stack

CLEAN = SimulationParameters(planes=21, height_px=256, width_px=256, xy_um=0.1, z_um=0.5, dendrites=3, bits=16, gain=2,
                             line_smear=0, spine_dye_spread=0)
KNOWN_BLUR = MeasureParameters(psf_xy_um=0.4, psf_z_um=2.2)


def geometry_of(scene: SimulatedScene, dendrites: Dendrites, spines: pd.DataFrame) -> SpineGeometry:
    """The true geometry, on the centre lines that were found."""
    count = len(spines)
    parts = {part: spines[[f"{part}{dim}_um" for dim in "zyx"]].to_numpy()
             for part in ("", "base_", "surface_", "tip_")}
    axis, tangent = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    identity, nodes = np.zeros(count, np.int64), np.full(count, -1)
    least = np.full(count, 1.5)
    for number, line in enumerate(dendrites.centre_lines, start=1):
        away = np.linalg.norm(parts["base_"][:, None] - line.zyx_um[None], axis=2)
        node = away.argmin(axis=1)
        direction = np.gradient(line.zyx_um, axis=0)
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        nearer = away.min(axis=1) < least
        least[nearer] = away.min(axis=1)[nearer]
        axis[nearer], tangent[nearer] = line.zyx_um[node[nearer]], direction[node[nearer]]
        identity[nearer], nodes[nearer] = number, node[nearer]
    nothing = [np.empty((0, 3))] * count
    return SpineGeometry(dendrite_id=identity, axis_zyx_um=axis, tangent_zyx=tangent, node=nodes,
                         position_um=np.zeros(count), shaft_radius_um=np.full(count, 0.4),
                         base_zyx_um=parts["surface_"], head_zyx_um=parts[""], tip_zyx_um=parts["tip_"], paths=nothing,
                         profiles=[], by_user=np.zeros(count, bool))


def measured(
    scene: SimulatedScene, parameters: MeasureParameters = KNOWN_BLUR, stack: xr.DataArray | None = None
) -> tuple[pd.DataFrame, Light]:
    spines = scene.spines[scene.spines["visible"]].reset_index(drop=True)
    dendrites = find_dendrites(scene.dendrite.astype(np.float32), MeasureParameters())
    geometry = geometry_of(scene, dendrites, spines)
    image = scene.stack if stack is None else stack
    imaging = Imaging.of(image, parameters)
    branches = [straight_branches(line, image, scene.spine, imaging) for line in dendrites.centre_lines]
    light = head_light(image, dendrites, branches, geometry, parameters, imaging)
    return spines, light


@pytest.fixture(scope="module")
def clean() -> SimulatedScene:
    return simulate(CLEAN, 100)


def test_light_relative_to_the_shaft_agrees_with_the_truth(clean: SimulatedScene) -> None:
    spines, light = measured(clean)
    found, error = light.columns["volume_relative"], light.columns["volume_relative_se"]
    base = spines[["base_z_um", "base_y_um", "base_x_um"]].to_numpy()
    nodes = clean.tracing[["z_um", "y_um", "x_um"]].to_numpy()
    away = np.linalg.norm(base[:, None] - nodes[None], axis=2)
    area = np.pi * np.array([(clean.tracing["radius_um"][(row > 1.5) & (row < 4)] ** 2).mean() for row in away])
    true = spines["dye_factor"] * spines["head_volume_um3"] / area
    known = np.isfinite(found) & np.isfinite(true) & (spines["kind"] != "filopodium").to_numpy()
    off = np.log(found[known] / true[known])
    assert known.mean() > 0.7
    assert abs(np.median(off)) < 0.3
    assert np.median(np.abs(off - np.median(off))) < 0.4
    assert 0.1 < np.median(error[known] / found[known]) < 0.5


def test_diameters_of_heads_that_light_resolves_agree_with_the_truth(clean: SimulatedScene) -> None:
    spines, light = measured(clean)
    wide = (spines["head_diameter_um"] >= 0.5).to_numpy()
    off = (light.columns["head_diameter_um"] - spines["head_diameter_um"])[wide]
    assert np.nanmedian(np.abs(off)) < 0.2
    assert (light.columns["head_fwhm_um"][wide] > 0.3).mean() > 0.8


def test_columns_and_reasons_are_those_of_the_tables(clean: SimulatedScene) -> None:
    spines, light = measured(clean)
    assert set(light.columns) <= set(SHAPE_COLUMNS)
    assert set(light.reasons) <= set(QUALITIES)
    assert all(column.shape == (len(spines),) for column in light.columns.values())
    missing = ~np.isfinite(light.columns["head_diameter_um"])
    explained = np.any([light.reasons[reason] for reason in light.reasons], axis=0)
    assert explained[missing].all()


def test_a_constant_and_twice_the_gain_change_nothing(clean: SimulatedScene) -> None:
    before = measured(clean)[1].columns["volume_relative"]
    values = clean.stack.values.astype(np.float32)
    for other in (values + 100, values * 2):
        stack = label_stack(other, xy_um=0.1, z_um=0.5)
        after = measured(clean, stack=stack)[1].columns["volume_relative"]
        both = np.isfinite(before) & np.isfinite(after)
        assert both.mean() > 0.6
        np.testing.assert_allclose(after[both], before[both], rtol=0.03)


def test_saturated_heads_have_no_sizes() -> None:
    scene = simulate(replace(CLEAN, bits=8, head_peak=900.0), 100)
    light = measured(scene)[1]
    full = light.reasons["saturated"]
    assert full.mean() > 0.5
    assert (light.columns["saturated_fraction"][full] > 0.02).all()
    for name in ("volume_relative", "volume_intensity_um3", "head_diameter_um"):
        assert np.isnan(light.columns[name][full]).all()


def test_without_a_known_blur_few_heads_have_no_diameter() -> None:
    scene = simulate(replace(CLEAN, dendrites=1, spine_density_per_um=0.3), 101)
    light = measured(scene, MeasureParameters())[1]
    assert len(light.columns["head_fwhm_um"]) < 50
    assert light.reasons["no calibration"].all()
    assert np.isnan(light.columns["head_diameter_um"]).all()
    assert np.isfinite(light.columns["head_fwhm_um"]).any()


def test_an_image_without_light_gives_no_sizes(clean: SimulatedScene) -> None:
    dark = label_stack(np.zeros(clean.stack.shape, np.uint8), xy_um=0.1, z_um=0.5)
    light = measured(clean, stack=dark)[1]
    assert np.isnan(light.columns["volume_relative"]).all()
    assert np.isnan(light.columns["head_diameter_um"]).all()


def test_a_blur_larger_than_the_heads_is_below_resolution(clean: SimulatedScene) -> None:
    light = measured(clean, MeasureParameters(psf_xy_um=2.0, psf_z_um=4.0))[1]
    assert np.isnan(light.columns["head_diameter_um"]).all()
    assert light.reasons["below resolution"].any()


def test_one_plane_is_measured(clean: SimulatedScene) -> None:
    plane = int(np.bincount(np.round(clean.spines["z_um"] / 0.5).astype(int)).argmax())
    z = slice(plane, plane + 1)
    here = clean.spines[(clean.spines["z_um"] - plane * 0.5).abs() < 0.5]
    here = here.assign(**{name: 0.0 for name in here if name.endswith("z_um")})
    flat = replace(clean, stack=clean.stack[z], spine=clean.spine[z], dendrite=clean.dendrite[z], spines=here)
    light = measured(flat)[1]
    assert np.isfinite(light.columns["volume_relative"]).any()


@pytest.mark.parametrize("gain", [2.0, 20.0])
def test_noise_is_that_of_the_detector(gain: float) -> None:
    scene = simulate(replace(CLEAN, gain=gain, line_smear=0.0, pulse_spread=0.7), 5)
    noise = noise_of(scene.stack)
    assert noise.per_level == pytest.approx(1.7 * gain, rel=0.25)
    assert noise.smear < 0.1


def test_smear_along_lines_is_seen() -> None:
    scene = simulate(replace(CLEAN, gain=20.0, line_smear=0.55), 5)
    assert noise_of(scene.stack).smear == pytest.approx(0.55, abs=0.1)


def test_the_full_scale_is_a_digitisers() -> None:
    values = np.zeros((2, 4, 4), np.uint16)
    values[1, 2, 2] = 4095
    assert full_scale(label_stack(values, xy_um=0.1, z_um=0.5)) == 4095
    values[1, 2, 2] = 4000
    assert full_scale(label_stack(values, xy_um=0.1, z_um=0.5)) == np.inf
    assert full_scale(label_stack(values.astype(np.float32), xy_um=0.1, z_um=0.5)) == np.inf


def test_a_place_at_the_end_of_a_branch_has_the_direction_of_that_branch() -> None:
    trunk = np.stack([np.zeros(21), np.zeros(21), np.arange(21) * 0.5], axis=1)
    branch = np.stack([np.zeros(11), np.arange(11) * 0.5, np.full(11, 5.0)], axis=1)
    line = CentreLine(np.concatenate([trunk, branch]), np.concatenate([trunk[:, 2], 5 + branch[:, 1]]), np.ones(32),
                      10.0, 15.0, 2)
    nothing = Runs.of_mask(np.zeros((1, 1, 1), np.uint8))
    dendrites = Dendrites(nothing, np.zeros(0), [line], (1, 1, 1), (0, 0, 0))
    found = shortest_ways(dendrites, np.array([[0.0, 0.5, 10.0], [0.0, 5.0, 5.5]])).tangent_zyx
    np.testing.assert_allclose(found, [(0, 0, 1), (0, 1, 0)], atol=1e-9)
