"""What the compiled network computes, and that it is the same in every tile and with every number of threads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij import label_stack, predict
from deepd3_ij.model import load_model
from deepd3_ij.model.engine import Engine
from deepd3_ij.model.graph import ACTIVATIONS
from deepd3_ij.model.tensorflow_engine import TensorflowEngine
from tests.unit.random_models import random_network, save_random


@pytest.fixture(scope="module")
def graph():
    return load_model().graph


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (1, height, width)).astype(np.float32)


@pytest.mark.parametrize(("filters", "layers", "size"), [(3, 2, (20, 36)), (8, 3, (40, 72)), (2, 4, (64, 16)),
                                                         (5, 1, (30, 50)), (16, 4, (48, 208))])
def test_it_computes_what_keras_computes(tmp_path, filters, layers, size):
    network = save_random(tmp_path / "model.keras", filters=filters, layers=layers)
    tiles = np.concatenate([image(*size), image(*size, seed=1)])
    found = Engine(load_model(tmp_path / "model.keras").graph).run(tiles)
    for own, expected in zip(found, network.predict(tiles[..., np.newaxis], verbose=0), strict=True):
        np.testing.assert_allclose(own, np.asarray(expected)[..., 0], atol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_that_of_keras(tmp_path, activation):
    network = random_network(3, 2, activation=activation)
    network.save(tmp_path / "model.keras")
    tiles = image(28, 44)
    found = Engine(load_model(tmp_path / "model.keras").graph).run(tiles)
    for own, expected in zip(found, network.predict(tiles[..., np.newaxis], verbose=0), strict=True):
        np.testing.assert_allclose(own, np.asarray(expected)[..., 0], atol=1e-4)


def test_tensorflow_computes_the_same_where_it_has_a_graphics_card(graph):
    tiles = image(96, 112)
    for own, other in zip(Engine(graph).run(tiles), TensorflowEngine(graph).run(tiles), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.integers(1, 4))
def test_a_tile_gives_the_same_bits_as_the_whole_plane(graph, top, left, rows, columns):
    engine, halo, step = Engine(graph), graph.halo_px(), graph.stride_px
    plane = image(2 * halo + 8 * step, 2 * halo + 8 * step)
    y, x, height, width = (step * value for value in (top, left, rows, columns))
    part = plane[:, y:y + 2 * halo + height, x:x + 2 * halo + width]
    inner = np.s_[:, halo:halo + height, halo:halo + width]
    for whole, tile in zip(engine.run(plane), engine.run(np.ascontiguousarray(part)), strict=True):
        np.testing.assert_array_equal(whole[:, y:, x:][inner], tile[inner])


def test_threads_give_the_same_bits(graph, monkeypatch):
    tiles = image(144, 96)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("DEEPD3_THREADS", threads)
        results.append(Engine(graph).run(tiles))
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_tiles_of_other_sizes_leave_nothing_behind(graph):
    engine = Engine(graph)
    before = engine.run(image(48, 80))
    for size in ((96, 32), (16, 16)):
        engine.run(image(*size, seed=2))
    np.testing.assert_array_equal(before, engine.run(image(48, 80)))


def test_a_prediction_keeps_no_memory_for_tiles():
    model = load_model()
    predict(label_stack(np.arange(2 * 64 * 64, dtype=np.uint16).reshape(2, 64, 64), xy_um=0.12, z_um=1.0), model)
    assert not model._engine._images


def test_a_prediction_needs_no_tensorflow():
    program = ("import sys, numpy as np\nfrom deepd3_ij import label_stack, predict\n"
               "planes = np.arange(2 * 40 * 40, dtype=np.uint16).reshape(2, 40, 40)\n"
               "predict(label_stack(planes, xy_um=0.12, z_um=1.0))\n"
               "print('tensorflow' in sys.modules or 'keras' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(1, 8), st.integers(1, 14), st.sampled_from([0.02, 0.1, 0.5, 0.95]))
def test_wanted_cells_have_the_same_bits_as_when_all_are_computed(graph, data, rows, columns, share):
    engine = Engine(graph)
    tiles = np.concatenate([image(16 * rows, 16 * columns, seed) for seed in (1, 2)])
    seed = data.draw(st.integers(0, 1000))
    wanted = np.random.default_rng(seed).random((2, 2 * rows, 2 * columns)) < share
    engine.run(image(16 * rows, 16 * columns, 3))  # leaves other values in memory
    for whole, found in zip(Engine(graph).run(tiles), engine.run(tiles, wanted), strict=True):
        np.testing.assert_array_equal(found, np.where(wanted.repeat(8, 1).repeat(8, 2), whole, 0))


@pytest.mark.parametrize(("filters", "layers"), [(3, 3), (5, 4), (2, 5)])
def test_wanted_cells_of_other_networks_have_the_same_bits(tmp_path, filters, layers):
    save_random(tmp_path / "model.keras", filters=filters, layers=layers)
    graph = load_model(tmp_path / "model.keras").graph
    tiles = np.concatenate([image(96, 160), image(96, 160, seed=1)])
    for share in (0.01, 0.2):
        wanted = np.random.default_rng(filters).random((2, 12, 20)) < share
        for whole, found in zip(Engine(graph).run(tiles), Engine(graph).run(tiles, wanted), strict=True):
            np.testing.assert_array_equal(found, np.where(wanted.repeat(8, 1).repeat(8, 2), whole, 0))
