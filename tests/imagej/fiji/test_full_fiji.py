"""What a full Fiji alone can show: the session through pyimagej. Runs when DEEPD3_FIJI names a Fiji folder.

The tests of the other folders run on this Fiji too (test_modes.py).
"""

import os
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

from deepd3_ij import fiji, label_stack
from deepd3_ij.errors import FijiError
from deepd3_ij.fiji.java import java_class
from deepd3_ij.rois.roiset import RoiSet


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect()
    yield session
    session.close()


def some_stack(dtype: str = "uint16") -> xr.DataArray:
    array = np.random.default_rng(0).integers(0, 200, (5, 30, 40)).astype(dtype)
    return label_stack(array, xy_um=0.1, z_um=0.5, source="cell.tif")


def test_the_session_has_a_gateway_and_the_original_imagej(session: fiji.Session) -> None:
    assert session.gateway is not None
    assert session.gateway.legacy.isActive()
    assert session.imagej_version.startswith("2.")  # Fiji's own, then that of the original ImageJ
    assert "/1." in session.imagej_version


def test_the_scijava_context_is_that_of_the_gateway_with_its_scripts(session: fiji.Session) -> None:
    service = session.context.service("org.scijava.script.ScriptService")
    names = {str(language.getLanguageName()) for language in service.getLanguages()}
    assert any("Jython" in name for name in names)


def test_stacks_and_rois_return_identical(session: fiji.Session) -> None:
    stack = some_stack()
    image = session.push(stack)
    xr.testing.assert_identical(session.pull(image), stack)
    rois = RoiSet(stack.copy(data=(stack.values > 160).astype(np.int32)))
    session.push_rois(rois, image, where="overlay")
    np.testing.assert_array_equal(session.pull_rois(image, source="overlay").labels, rois.labels)


def test_commands_change_the_pushed_pixels(session: fiji.Session) -> None:
    image = session.push(label_stack(np.ones((3, 10, 10), np.float32), xy_um=0.1, z_um=0.5))
    java_class("ij.IJ").run(image, "Add...", "value=7 stack")
    assert (session.pull(image) == 8).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_image_of_pyimagej_is_pulled_pixel_for_pixel(session: fiji.Session, dtype: str) -> None:
    """Such an image is a virtual stack that asks Python for its planes."""
    stack = some_stack(dtype)
    image = session.gateway.py.to_imageplus(xr.DataArray(stack.values, dims=("pln", "row", "col")))
    assert bool(image.getStack().isVirtual())
    pulled = session.pull(image, xy_um=0.1, z_um=0.5)
    assert pulled.dtype == dtype
    np.testing.assert_array_equal(pulled, stack)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pyimagej_reads_what_was_pushed(session: fiji.Session, dtype: str) -> None:
    stack = some_stack(dtype)
    array = session.gateway.py.from_java(session.push(stack))
    np.testing.assert_array_equal(array, stack)


def test_imagej2_sees_a_pushed_image_with_its_size_in_micrometres(session: fiji.Session) -> None:
    convert = session.context.service("org.scijava.convert.ConvertService")
    dataset = convert.convert(session.push(some_stack()), java_class("net.imagej.Dataset"))
    axes = {str(dataset.axis(index).type().getLabel()): dataset.axis(index) for index in range(dataset.numDimensions())}
    assert {name: round(float(axis.averageScale(0, 1)), 6) for name, axis in axes.items()} == {
        "X": 0.1, "Y": 0.1, "Z": 0.5}
    assert {str(axis.unit()) for axis in axes.values()} <= {"micron", "µm", "um"}


def test_a_script_of_fiji_takes_a_pushed_image_and_gives_one_that_is_pulled(session: fiji.Session) -> None:
    stack = some_stack()
    script = ("#@ ImagePlus image\n#@ Integer factor\n#@output ImagePlus result\n"
              "result = image.duplicate()\n"
              "for plane in range(1, result.getStackSize() + 1):\n"
              "    result.getStack().getProcessor(plane).multiply(factor)\n")
    outputs = session.gateway.py.run_script("python", script, {"image": session.push(stack), "factor": 3})
    xr.testing.assert_equal(session.pull(outputs["result"]), stack * 3)


def test_a_macro_of_fiji_works_on_the_shown_image(session: fiji.Session) -> None:
    image = session.push(some_stack("float32"))
    image.show()
    outputs = session.gateway.py.run_macro('#@output String title\ntitle = getTitle();\n'
                                           'run("Multiply...", "value=2 stack");\n')
    assert str(outputs.get("title")) == str(image.getTitle())
    np.testing.assert_array_equal(session.pull(), some_stack("float32") * 2)
    image.close()


def test_the_gateway_of_a_session_is_joined_not_started_again(session: fiji.Session) -> None:
    assert fiji.connect(gateway=session.gateway) is session


def test_a_second_connect_gives_the_session_of_this_fiji_or_says_why_not(session: fiji.Session) -> None:
    assert fiji.connect() is session
    assert fiji.connect(os.environ["DEEPD3_FIJI"] + "/") is session
    for other in (lambda: fiji.connect("embedded"), lambda: fiji.connect(mode="interactive")):
        with pytest.raises(FijiError, match=r"Java runs already in this process .*new Python process"):
            other()


def test_closing_the_session_closes_its_images_and_a_later_connect_gives_it_again(session: fiji.Session) -> None:
    session.push(some_stack()).show()
    session.close()
    assert java_class("ij.WindowManager").getImageCount() == 0
    assert fiji.connect() is session
