"""Progress of several steps in a row."""

from __future__ import annotations

from deepd3_ij.progress import WHOLE, in_steps


def test_progress_over_steps_never_goes_back_and_ends_full() -> None:
    seen: list[tuple[int, int, str]] = []
    report = in_steps(lambda *told: seen.append(told), {"Load": 1, "Predict": 6, "Write": 3})
    for message, total in (("Load", 1), ("Predict", 40), ("Write", 2)):
        for done in range(total + 1):
            report(done, total, message)
    parts = [done for done, _, _ in seen]
    assert parts == sorted(parts)
    assert {total for _, total, _ in seen} == {WHOLE}
    assert next(done for done, _, message in seen if message == "Predict") == WHOLE // 10
    assert next(done for done, _, message in seen if message == "Write") == 7 * WHOLE // 10
    assert parts[-1] == WHOLE


def test_messages_of_a_step_stay_in_it_and_a_step_can_be_left_out() -> None:
    seen: list[int] = []
    report = in_steps(lambda done, total, message: seen.append(done), {"Load": 1, "Clean": 4, "Write": 5})
    report(1, 1, "Load")
    report(0, 2, "Write")
    report(1, 2, "half of it")
    report(0, 0, "of unknown length")
    assert seen == [100, 500, 750, 750]
