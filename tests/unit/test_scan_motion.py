"""Tissue that moves while it is scanned."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.scan_motion import draw_motion, move_lines
from deepd3_ij.simulation import simulate
from deepd3_ij.training.simulated_samples import varied_parameters

SMALL = {"planes": 5, "height_px": 96, "width_px": 96}


def test_motion_has_the_wanted_size_and_differs_from_plane_to_plane() -> None:
    motion = draw_motion(np.random.default_rng(0), 200, 100, 2.0, 0.5)
    assert motion.shape == (2, 200, 100)
    assert motion.mean(2).std() == pytest.approx(2.0, rel=0.1)
    within = (motion - motion.mean(2, keepdims=True)).std()
    assert within == pytest.approx(0.5, rel=0.2)


def test_lines_show_the_volume_where_the_motion_has_brought_it() -> None:
    volume = np.zeros((2, 9, 9), np.int32)
    volume[:, 4, 4] = 7
    motion = np.zeros((2, 2, 9))
    motion[0, 1], motion[1, 1] = 2, -1
    moved = move_lines(volume, motion, nearest=True)
    assert np.argwhere(moved).tolist() == [[0, 4, 4], [1, 6, 3]]
    assert moved.dtype == np.int32
    half = np.zeros((2, 2, 9))
    half[1] = 0.5
    assert move_lines(volume.astype(np.float32), half)[0, 4, 4:6].tolist() == [3.5, 3.5]


def test_a_stack_that_moves_has_masks_that_move_with_it() -> None:
    still, moved = (simulate(SimulationParameters(**SMALL, spine_density_per_um=1.5, gain=1.0, read_noise=0.0,
                                                  plane_shift_um=shift), 4) for shift in (0.0, 0.6))
    assert (moved.stack.values != still.stack.values).any()
    assert set(np.unique(moved.spine.values)) <= set(np.unique(still.spine.values))
    bright = [scene.stack.values[scene.dendrite.values].mean() for scene in (still, moved)]
    assert bright[1] == pytest.approx(bright[0], rel=0.1)
    left_behind = moved.stack.values[still.dendrite.values].mean()
    assert left_behind < 0.9 * bright[1]


def test_hard_scenes_differ_from_the_usual_ones_in_light_and_motion_alone() -> None:
    usual, hard = (varied_parameters(np.random.default_rng([3, 1]), share) for share in (0.0, 1.0))
    changed = {name for name in vars(usual) if getattr(usual, name) != getattr(hard, name)}
    assert {"plane_shift_um", "line_shift_um"} <= changed
    assert changed <= {"gain", "head_peak", "background", "halo", "plane_shift_um", "line_shift_um"}
