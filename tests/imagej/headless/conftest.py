from collections.abc import Iterator

import pytest

from deepd3_ij import fiji


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect("embedded", mode="headless")
    yield session
    session.close()
