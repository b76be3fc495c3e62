"""What a training tells to whoever watches it."""

from __future__ import annotations

from typing import Any


class TrainingWatch:
    """Is told how a training goes, in the training's thread, and can end it; this one does neither."""

    def begin(self, step: int, steps: int, log: list[dict[str, float]]) -> None:
        """`step` of `steps` batches were done before, with the validations in `log`."""

    def batch(self, step: int) -> None:
        """`step` batches are done."""

    def validated(self, log: list[dict[str, float]], network: Any) -> None:
        """Another validation is the last row of `log`; `network` has the weights that were validated."""

    def wants_end(self) -> bool:
        """Whether the training shall end now, after one more validation, as if it had all its batches."""
        return False


NOBODY = TrainingWatch()
"""The watch of a training that nobody looks at."""
