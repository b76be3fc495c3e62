"""The service as an Appose worker: a process that talks over its streams."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from appose import NDArray
from appose.util import message

import deepd3_ij
from deepd3_ij.service.worker import DISPATCH, _put_in_place, _put_in_spare

VERSION = deepd3_ij.__version__


class Worker:
    """The worker and the lines that go to and fro."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from deepd3_ij.service import worker; worker._prepare_prediction = lambda: None; "
             "worker.main()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def send(self, number: str, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(message.encode({"task": number, **request}) + "\n")
        self.process.stdin.flush()

    def ask(self, number: str, verb: str, arrays: dict[str, NDArray] | None = None, *, script: str = DISPATCH,
            **values: Any) -> None:
        text = json.dumps({"verb": verb, "version": VERSION, "values": values})
        self.send(number, requestType="EXECUTE", script=script, inputs={"request": text, "arrays": arrays or {}})

    def answer(self, *kinds: str) -> dict[str, Any]:
        """The next answer of these kinds; progress in between is passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Any] = message.decode(line)
            if answer["responseType"] in kinds:
                return answer
            assert answer["responseType"] in ("LAUNCH", "UPDATE")
        raise AssertionError("the worker ended")


@pytest.mark.parametrize("swapped", [False, True])
def test_results_that_look_at_inputs_do_not_overwrite_each_other(swapped: bool) -> None:
    inputs = {"one": np.full((2, 3, 4), 1.0, np.float32), "two": np.full((2, 3, 4), 2.0, np.float32)}
    results = {"one": inputs["two" if swapped else "one"], "two": inputs["one" if swapped else "two"]}
    wanted = {name: array.copy() for name, array in results.items()}
    in_place = _put_in_place(results, inputs)
    for name, array in results.items():
        np.testing.assert_array_equal(inputs[in_place[name]] if name in in_place else array, wanted[name])


def test_results_go_into_the_smallest_spare_blocks_that_fit() -> None:
    room = {"large": np.zeros(100, np.uint8), "small": np.zeros(25, np.uint8), "tiny": np.zeros(3, np.uint8)}
    results = {"one": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "two": np.arange(12, dtype=np.float32),
               "three": np.arange(6, dtype=np.float32)}
    places = _put_in_spare(results, room)
    assert {name: place["block"] for name, place in places.items()} == {"two": "large", "one": "small"}
    assert places["one"]["shape"] == [1, 2, 3]
    np.testing.assert_array_equal(room["small"][:24].view(np.float32), np.arange(6))
    np.testing.assert_array_equal(room["large"][:48].view(np.float32), np.arange(12))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(20) == 0  # ends with its parent's stream


def reply(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(answer["outputs"]["reply"]))


def test_arrays_go_there_and_back_in_shared_memory(worker: Worker) -> None:
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    with NDArray("float32", [2, 3, 4]) as sent:
        sent.ndarray()[...] = values
        worker.ask("a", "echo", {"arrays": sent}, text="µ")
        answer = worker.answer("COMPLETION")
        # A result of the shape of an input comes back in its place.
        assert reply(answer)["in_place"] == {"arrays": "arrays"}
        np.testing.assert_array_equal(sent.ndarray().copy(), values)
    assert reply(answer)["text"] == "µ"


def test_arrays_of_other_shapes_come_in_shared_memory_of_their_own(worker: Worker) -> None:
    spine = np.zeros((3, 40, 40), np.float32)
    spine[:, 10:15, 10:15] = 0.95
    image = {"title": "a", "pixel_size": [0.1, 0.1, 0.5], "units": ["um", "um", "um"]}
    with NDArray("float32", list(spine.shape)) as sent:
        sent.ndarray()[...] = spine
        worker.ask("f", "test_rois", {"spine": sent}, image=image)
        answer = worker.answer("COMPLETION")
    received = answer["outputs"]["arrays"]["outlines"]
    assert received.ndarray().tobytes().startswith(b"Iout")
    assert reply(answer)["count"] == 1
    received.shm.unlink_on_dispose(True)
    received.shm.dispose()
    worker.send("f", requestType="CANCEL")


def test_an_answer_lies_in_spare_memory_that_was_offered(worker: Worker) -> None:
    spine = np.zeros((3, 40, 40), np.float32)
    spine[:, 10:15, 10:15] = 0.95
    image = {"title": "a", "pixel_size": [0.1, 0.1, 0.5], "units": ["um", "um", "um"]}
    with NDArray("float32", list(spine.shape)) as sent, NDArray("uint8", [10_000]) as room:
        sent.ndarray()[...] = spine
        text = json.dumps({"verb": "test_rois", "version": VERSION, "values": {"image": image}})
        worker.send("h", requestType="EXECUTE", script=DISPATCH,
                    inputs={"request": text, "arrays": {"spine": sent}, "spare": {"0": room}})
        answer = worker.answer("COMPLETION")
        assert answer["outputs"]["arrays"] == {}
        place = reply(answer)["in_spare"]["outlines"]
        assert place["block"] == "0"
        assert room.ndarray()[:place["shape"][0]].tobytes().startswith(b"Iout")


def test_a_script_is_never_executed(worker: Worker, tmp_path: Any) -> None:
    mark = tmp_path / "executed"
    worker.ask("b", "about", script=f"open({str(mark)!r}, 'w').close()")
    assert "runs no scripts" in worker.answer("FAILURE")["error"]
    assert not mark.exists()


def test_a_failure_is_one_sentence_and_a_trace(worker: Worker) -> None:
    worker.ask("c", "open", path="/nowhere/at/all.tif")
    failed = reply(worker.answer("COMPLETION"))
    assert failed["state"] == "failed"
    assert "all.tif" in failed["message"]
    assert "Traceback" in failed["trace"]


def test_the_worker_still_answers_after_a_failure(worker: Worker) -> None:
    worker.ask("d", "about")
    assert reply(worker.answer("COMPLETION"))["version"] == VERSION


def unreadable_lines() -> list[bytes]:
    gone = {"appose_type": "ndarray", "dtype": "uint8", "shape": [8],
            "shm": {"appose_type": "shm", "name": "gone_block", "rsize": 8}}
    requests: list[Any] = [
        [], 7, None, {}, {"task": "t"}, {"requestType": "EXECUTE"}, {"task": "t", "requestType": "NONSENSE"},
        {"task": "t", "requestType": "EXECUTE", "script": DISPATCH, "inputs": [1]},
        {"task": "t", "requestType": "EXECUTE", "script": DISPATCH, "inputs": {"arrays": {"a": gone}}},
        {"task": ["t"], "requestType": "CANCEL"}, {"task": "t", "requestType": "EXECUTE", "script": DISPATCH}]
    return [b"nonsense", b"{", b"\xff\xfe\x00", b"", b"   ", b"[" * 100_000, b'{"task": "t", "requestType": ',
            *(json.dumps(request).encode() for request in requests)]


@pytest.fixture(scope="module")
def annoyed() -> Iterator[Worker]:
    """A worker of its own: failures of odd lines come when they come, perhaps during the next test."""
    worker = Worker()
    yield worker
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(60) == 0


@pytest.mark.parametrize("line", unreadable_lines(), ids=lambda line: line[:30].decode(errors="replace"))
def test_the_worker_survives_a_line_that_it_cannot_read(annoyed: Worker, line: bytes) -> None:
    assert annoyed.process.stdin is not None
    annoyed.process.stdin.buffer.write(line + b"\n")
    annoyed.process.stdin.flush()
    annoyed.ask("after", "about")
    while (answer := annoyed.answer("COMPLETION", "FAILURE"))["task"] != "after":
        assert answer["task"] in ("t", "['t']", "None")
    assert reply(answer)["version"] == VERSION


def test_a_number_may_come_again_as_soon_as_it_was_answered(worker: Worker) -> None:
    for _ in range(200):
        worker.ask("again", "about")
        assert reply(worker.answer("COMPLETION", "FAILURE"))["version"] == VERSION


def test_a_failure_of_a_line_names_its_task(annoyed: Worker) -> None:
    annoyed.send("named", requestType="NONSENSE")
    while (answer := annoyed.answer("FAILURE"))["task"] != "named":
        assert answer["task"] == "t"
    assert "accepted: EXECUTE, CANCEL" in answer["error"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks at shared memory as Linux shows it")
@pytest.mark.parametrize(("marked", "stays"), [(False, True), (True, False)])
def test_at_its_end_the_worker_frees_only_what_fiji_made(marked: bool, stays: bool) -> None:
    ending = Worker()
    block = NDArray("uint8", [64])
    name = block.shm.name
    text = json.dumps({"verb": "echo", "version": VERSION, "values": {"text": "a"}})
    inputs: dict[str, Any] = {"request": text, "arrays": {}, "spare": {"0": block}}
    ending.send("a", requestType="EXECUTE", script=DISPATCH,
                inputs={**inputs, **({"made_by_fiji": [name]} if marked else {})})
    assert ending.answer("COMPLETION")["task"] == "a"
    assert ending.process.stdin is not None
    ending.process.stdin.close()
    assert ending.process.wait(60) == 0
    there = (Path("/dev/shm") / name.lstrip("/")).exists()
    if there:
        block.shm.unlink()
    assert there == stays


def test_unexpected_failures_go_into_a_file_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepd3_ij.service import calls, log_file

    def fail(progress: object) -> None:
        raise ZeroDivisionError("odd")

    root = logging.getLogger()
    before = list(root.handlers)
    monkeypatch.setattr(log_file, "_file", None)
    monkeypatch.setitem(calls.VERBS, "about", fail)
    try:
        path = log_file.log_to_file(tmp_path)
        answer = calls.call(json.dumps({"verb": "about", "version": VERSION, "values": {}}), {})
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
            handler.close()
    assert path == tmp_path / "worker.log"
    assert str(path) in answer.values["message"]
    assert "ZeroDivisionError: odd" in path.read_text()
    assert "Traceback" in path.read_text()


def test_cancelling_stops_a_running_verb(worker: Worker) -> None:
    image = {"title": "a", "pixel_size": [0.1, 0.1, 0.5], "units": ["um", "um", "um"]}
    spine = np.random.default_rng(1).random((30, 300, 300), np.float32)
    with NDArray("float32", list(spine.shape)) as shared:
        shared.ndarray()[...] = spine
        worker.ask("e", "build_rois_3d", {"dendrite": shared, "spine": shared}, image=image,
                   choices={"typed": {"Roi3DParameters": {
                       "min_voxels": 1, "area_threshold": 0.5, "peak_threshold": 0.6}}})
        worker.send("e", requestType="CANCEL")
        assert reply(worker.answer("COMPLETION"))["state"] == "cancelled"


@pytest.mark.slow
def test_a_training_reports_its_batches_and_is_stopped(worker: Worker, tmp_path: Path) -> None:
    from deepd3_ij.outputs.scene_files import write_scene
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate
    from deepd3_ij.training.dataset import arrange_training_data, create_training_data

    stack, dendrites, spines, *_ = write_scene(simulate(SimulationParameters(planes=2, height_px=96, width_px=96)),
                                               tmp_path, "a")
    create_training_data(stack, dendrites, spines, tmp_path / "a.d3data")
    arrange_training_data([tmp_path / "a.d3data"], tmp_path / "a.d3set")
    worker.ask("g", "train", training=str(tmp_path / "a.d3set"), out=str(tmp_path / "a.keras"),
               choices={"typed": {"TrainingParameters": {
                   "filters": 2, "steps": 100_000, "batch_size": 2, "tile_px": 64, "validate_every": 2}}})
    while not (tmp_path / "a_training" / "checkpoint.npz").is_file():
        assert worker.answer("UPDATE")["current"] < 1000
    worker.send("g", requestType="CANCEL")
    assert reply(worker.answer("COMPLETION"))["state"] == "cancelled"
    assert not (tmp_path / "a.keras").exists()
