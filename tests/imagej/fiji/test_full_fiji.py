"""What a full Fiji alone can show: the session through pyimagej. Runs when DEEPD3_FIJI names a Fiji folder."""

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

from deepd3_ij import fiji, label_stack
from deepd3_ij.fiji.java import java_class
from deepd3_ij.rois.roiset import RoiSet


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect()
    yield session
    session.close()


def test_the_session_has_a_gateway_and_the_original_imagej(session: fiji.Session) -> None:
    assert session.gateway is not None
    assert session.gateway.legacy.isActive()
    assert session.imagej_version.startswith("1.")


def test_stacks_and_rois_return_identical(session: fiji.Session) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (5, 30, 40)).astype(np.uint16)
    stack = label_stack(array, xy_um=0.1, z_um=0.5, source="cell.tif")
    image = session.push(stack)
    xr.testing.assert_identical(session.pull(image), stack)
    rois = RoiSet(label_stack((array > 50_000).astype(np.int32), xy_um=0.1, z_um=0.5, source="cell.tif"))
    session.push_rois(rois, image, where="overlay")
    np.testing.assert_array_equal(session.pull_rois(image, source="overlay").labels, rois.labels)


def test_commands_change_the_pushed_pixels(session: fiji.Session) -> None:
    image = session.push(label_stack(np.ones((3, 10, 10), np.float32), xy_um=0.1, z_um=0.5))
    java_class("ij.IJ").run(image, "Add...", "value=7 stack")
    assert (session.pull(image) == 8).all()


def test_the_gateway_of_a_session_is_joined_not_started_again(session: fiji.Session) -> None:
    assert fiji.connect(gateway=session.gateway) is session
