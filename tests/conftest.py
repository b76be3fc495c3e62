"""Fixtures that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a property. Everybody tries the same examples every time; "make test-random" tries
# others.
settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True,
                          database=None)
settings.register_profile("random", settings.get_profile("same"), derandomize=False)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def locked_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that this user may not write into."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # may write everywhere but into what the kernel shows
        yield Path("/sys/kernel")
        return
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference results and real data that lies beside the project's folder in development."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the shared reference data are not beside this checkout")
    return folder
