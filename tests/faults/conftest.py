"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.prepared import prepared_workers


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command that starts a worker at little cost."""
    with prepared_workers(tmp_path_factory.mktemp("prepared")) as start:
        yield start
