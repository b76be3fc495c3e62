from collections.abc import Iterator

import pytest

from deepd3_ij import fiji
from tests.imagej.conftest import host


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect(host(), mode="headless")
    yield session
    session.close()
