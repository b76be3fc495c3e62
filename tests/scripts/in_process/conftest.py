from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deepd3_ij import fiji
from deepd3_ij.errors import Cancelled, FijiError
from deepd3_ij.service.in_process import publish, run_command


@pytest.fixture(scope="session")
def session() -> Any:
    session = fiji.connect(os.environ.get("DEEPD3_TEST_HOST", "embedded"), commands=True)
    publish(session)
    return session


@pytest.fixture
def run_script(session: Any) -> Callable[..., str]:
    """Runs a menu command by its name; gives its outcome."""
    def run(command: str, **inputs: Any) -> str:
        try:
            run_command(session, command, **inputs)
        except Cancelled:
            return "cancelled"
        except FijiError as error:
            return f"failed: {error}"
        return "done"

    return run
