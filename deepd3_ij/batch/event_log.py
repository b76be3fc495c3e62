"""What happened in a batch, as lines of JSON, for programs and for who looks for lost time."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from deepd3_ij.batch.items import Shard
from deepd3_ij.batch.jobs import STEP, Event, Job
from deepd3_ij.printing import printable

NAME = "log.jsonl"


class EventLog:
    """A file to which every run adds lines; trouble with it never stops the run.

    Parameters
    ----------
    folder
        Existing folder of the results.
    run
        Name of the run, in every line.
    shard
        Shards have files of their own: on network folders, two computers must not add to one file.
    """

    def __init__(self, folder: Path, run: str, shard: Shard) -> None:
        name = NAME if shard.is_whole else f"log-{shard.number}-of-{shard.count}.jsonl"
        self._run = run
        self._steps: dict[int, str] = {}
        self._stream: IO[str] | None = None
        with suppress(OSError):
            self._stream = (folder / name).open("a", encoding="utf-8")

    def begin(self, values: Mapping[str, Any]) -> None:
        """A run begins."""
        self._add({"event": "run", **values})

    def event(self, event: Event, jobs: Sequence[Job]) -> None:
        """Something happened to a stack; of the steps, only that one begins."""
        if event.kind == STEP and self._steps.get(event.job) == event.step:
            return
        self._steps[event.job] = event.step
        values = event.to_dict()
        values.pop("trace", None)
        kind, number = values.pop("kind"), values.pop("job")
        self._add({"event": kind, "stack": printable(jobs[number].item.name), **values})

    def end(self, values: Mapping[str, Any]) -> None:
        """The run ended."""
        self._add({"event": "end", **values})

    def close(self) -> None:
        """Add nothing more."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            self._stream = None

    def _add(self, values: Mapping[str, Any]) -> None:
        if self._stream is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        try:
            self._stream.write(json.dumps({"t": now, "run": self._run, **values}) + "\n")
            self._stream.flush()
        except OSError:
            self._stream = None
