"""Training data from corrected ROIs: only what a person saw counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.d3data import NO_DENDRITE, NO_SPINE, cut_d3data, read_d3data, update_meta, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.model.loading import load_model
from deepd3_ij.parameters import CorrectedDataParameters, SamplerParameters, TrainingParameters
from deepd3_ij.rois import RoiSet
from deepd3_ij.training.corrections import masks_of_corrections
from deepd3_ij.training.sampler import Sampler
from deepd3_ij.training.training_run import annotated_planes, train_from_set
from tests.unit.random_models import save_random

SHAPE = (3, 64, 80)
KEPT, DELETED, UNSEEN, DRAWN = (1, 10, 10), (1, 10, 40), (1, 40, 10), (1, 40, 60)


def cube(place: tuple[int, int, int]) -> tuple[slice, ...]:
    return (place[0], slice(place[1] - 2, place[1] + 3), slice(place[2] - 2, place[2] + 3))


@pytest.fixture
def prediction():
    spine = np.zeros(SHAPE, np.float32)
    for place in (KEPT, DELETED, UNSEEN):
        spine[cube(place)] = 0.9
    spine[0, 60, 60] = 0.3  # in doubt, far from all corrections
    dendrite = np.zeros_like(spine)
    dendrite[1, 25:30] = 0.95
    dendrite[1, 30] = 0.5
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=0.1, z_um=0.5), {})


def rois(prediction, *places) -> RoiSet:
    labels = np.zeros(SHAPE, np.int32)
    for number, place in places:
        labels[cube(place)] = number
    return RoiSet.from_labels(labels, prediction)


@pytest.fixture
def corrected(prediction):
    before = rois(prediction, (1, KEPT), (2, DELETED), (3, UNSEEN))
    now = rois(prediction, (1, KEPT), (3, UNSEEN), (4, DRAWN))
    return prediction, now, before


def test_what_was_drawn_deleted_or_confirmed_counts_and_the_rest_does_not(corrected) -> None:
    masks = masks_of_corrections(*corrected, [1], CorrectedDataParameters(margin_um=0.5))
    assert (masks.trusted, masks.deleted) == (2, 1)
    known = masks.ignored & NO_SPINE == 0
    for place, is_spine, counts in ((KEPT, True, True), (DRAWN, True, True), (DELETED, False, True),
                                    (UNSEEN, False, False)):
        assert (masks.spines[cube(place)] == is_spine).all(), place
        assert (known[cube(place)] == counts).all(), place
    assert known[0, 0, 70]
    assert not known[0, 60, 60]
    assert masks.dendrite[1, 27, 5]
    assert not masks.ignored[1, 27, 5] & NO_DENDRITE
    assert masks.ignored[1, 30, 5] & NO_DENDRITE


def test_what_was_excluded_counts_in_no_case(corrected) -> None:
    excluded = np.zeros(SHAPE, np.bool_)
    excluded[:, :, 30:] = True
    masks = masks_of_corrections(*corrected, [1], CorrectedDataParameters(trust="all"), excluded=excluded)
    assert (masks.ignored[excluded] == NO_SPINE | NO_DENDRITE).all()
    assert (masks.ignored[~excluded] & NO_SPINE == 0).all()
    assert masks.spines[cube(UNSEEN)].all()
    with pytest.raises(AnnotationError, match="exclude less"):
        masks_of_corrections(*corrected, [], excluded=np.ones(SHAPE, np.bool_))


def test_without_a_correction_there_is_nothing_to_learn_from(corrected) -> None:
    prediction, _, before = corrected
    with pytest.raises(AnnotationError, match="confirm them"):
        masks_of_corrections(prediction, before, before)


@pytest.fixture
def data(corrected):
    prediction, _, _ = corrected
    masks = masks_of_corrections(*corrected, [1], CorrectedDataParameters(margin_um=0.5))
    stack = label_stack((prediction["spine"].values * 200).astype(np.uint8), xy_um=0.1, z_um=0.5)
    return cut_d3data(stack, masks.dendrite, masks.spines, ignored=masks.ignored)


def test_what_does_not_count_is_kept_in_files_and_reaches_samples_and_validation(data, tmp_path: Path) -> None:
    write_d3data(tmp_path / "a.d3data", data)
    update_meta(tmp_path / "a.d3data", {"X": 3})
    plain = dataclasses.replace(data, ignored=None)
    write_d3set(tmp_path / "a.d3set", [plain, tmp_path / "a.d3data"])
    first, second = read_d3set(tmp_path / "a.d3set")
    assert first.ignored is None
    np.testing.assert_array_equal(second.ignored, data.ignored)
    np.testing.assert_array_equal(read_d3data(tmp_path / "a.d3data").ignored, data.ignored)
    sampler = Sampler([second], SamplerParameters(height_px=64, width_px=80, min_content_voxels=0))
    batch = sampler.samples(0, 12)
    found = [plane for plane in batch.spine if (plane == 1).any()]
    assert found
    np.testing.assert_array_equal(found[0], np.where(data.ignored[1] & NO_SPINE, -1, data.spines[1]))
    scene = annotated_planes(second, 0.1)
    np.testing.assert_array_equal(scene.spine == -1, data.ignored & NO_SPINE > 0)
    np.testing.assert_array_equal(scene.dendrite == -1, data.ignored & NO_DENDRITE > 0)


@pytest.mark.slow
def test_a_training_begins_with_a_model_and_its_best_can_be_kept_before_its_end(data, tmp_path: Path) -> None:
    save_random(tmp_path / "before.keras", filters=2, layers=4)
    write_d3data(tmp_path / "a.d3data", data)
    parameters = TrainingParameters(filters=8, steps=2, batch_size=1, tile_px=32, validate_every=1, learning_rate=1e-8,
                                    averaging=0, target_resolution_um=0.1)
    start = str(tmp_path / "before.keras")
    trained = train_from_set(tmp_path / "a.d3data", tmp_path / "after.keras", parameters, start=start)
    before, after = (load_model(path) for path in (start, trained.keras))
    assert after.filters == 2
    assert after.card.training["started_from"] == before.name
    kernels = [next(node.weights["kernel"] for node in model.graph.nodes.values() if node.kind == "Conv2D")
               for model in (before, after)]
    np.testing.assert_allclose(*kernels, atol=1e-5)
    kept = train_from_set(tmp_path / "a.d3data", tmp_path / "after.keras",
                          dataclasses.replace(parameters, steps=1000), start=start, finish=True)
    assert kept.fit.best_step == 2
