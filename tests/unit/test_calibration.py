"""Voxel sizes in the metadata of other programs, in µm."""

from __future__ import annotations

import pytest

from deepd3_ij.files.calibration import (
    FileVoxelSize,
    combined,
    imagej_voxel_size,
    ome_voxel_size,
    plain_voxel_size,
    unit_in_um,
)

INCH, CENTIMETRE, NO_UNIT = 2, 3, 1


def per(resolution: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Resolution tags as ImageJ writes them."""
    return ((int(resolution * 1_000_000), 1_000_000),) * 2


@pytest.mark.parametrize(("unit", "in_um"), [
    ("um", 1), ("µm", 1), ("μm", 1), ("\\u00B5m", 1), ("micron", 1), ("microns", 1), ("Micron", 1), (" micrometer ", 1),
    ("nm", 1e-3), ("mm", 1e3), ("cm", 1e4), ("m", 1e6), ("inch", 25400), ("Å", 1e-4), ("pixel", None), ("", None),
    ("furlong", None), ("sec", None),
])
def test_units_are_converted(unit: str, in_um: float | None) -> None:
    assert unit_in_um(unit) == in_um


@pytest.mark.parametrize(("unit", "size", "spacing"), [
    ("micron", 0.094, 0.5), ("nm", 94, 500), ("mm", 0.000094, 0.0005), ("\\u00B5m", 0.094, 0.5),
])
def test_an_imagej_calibration_is_exact_in_any_unit(unit: str, size: float, spacing: float) -> None:
    found = imagej_voxel_size({"unit": unit, "spacing": spacing}, per(1 / size), NO_UNIT, planes=10)
    assert found == FileVoxelSize(0.094, 0.094, 0.5)


def test_a_missing_spacing_is_imagejs_way_to_write_one_unit() -> None:
    assert imagej_voxel_size({"unit": "micron"}, per(10), NO_UNIT, planes=3) == FileVoxelSize(0.1, 0.1, 1.0)
    assert imagej_voxel_size({"unit": "micron"}, per(10), NO_UNIT, planes=1) == FileVoxelSize(0.1, 0.1, None)


def test_a_negative_spacing_is_a_distance() -> None:
    assert imagej_voxel_size({"unit": "um", "spacing": -0.3}, per(10), NO_UNIT, planes=3).z_um == 0.3


def test_axes_may_have_units_of_their_own() -> None:
    found = imagej_voxel_size({"unit": "micron", "zunit": "nm", "spacing": 300}, per(10), NO_UNIT, planes=3)
    assert found == FileVoxelSize(0.1, 0.1, 0.3)


@pytest.mark.parametrize("unit", ["pixel", "pixels", "", " "])
def test_pixels_are_no_length(unit: str) -> None:
    assert imagej_voxel_size({"unit": unit, "spacing": 2.0}, per(1), NO_UNIT, planes=3) == FileVoxelSize()


def test_an_unknown_unit_is_named() -> None:
    found = imagej_voxel_size({"unit": "furlong", "spacing": 2.0}, per(1), NO_UNIT, planes=3)
    assert found == FileVoxelSize(unknown_unit="furlong")


@pytest.mark.parametrize("resolution", [None, ((0, 1), (0, 1)), ((1, 0), (1, 0))])
def test_an_unusable_resolution_is_no_pixel_size(resolution: tuple[tuple[int, int], tuple[int, int]] | None) -> None:
    found = imagej_voxel_size({"unit": "micron", "spacing": 0.5}, resolution, NO_UNIT, planes=3)
    assert found == FileVoxelSize(None, None, 0.5)


@pytest.mark.parametrize(("dots", "unit"), [(72, INCH), (300, INCH), (600, INCH), (1200, INCH), (28, CENTIMETRE),
                                            (1, NO_UNIT), (100000, NO_UNIT)])
def test_a_print_resolution_is_no_voxel_size(dots: int, unit: int) -> None:
    assert plain_voxel_size(((dots, 1), (dots, 1)), unit) == FileVoxelSize()


def test_a_resolution_as_fine_as_a_microscopes_is_a_pixel_size() -> None:
    assert plain_voxel_size(((100_000, 1), (100_000, 1)), CENTIMETRE) == FileVoxelSize(0.1, 0.1, None)
    assert plain_voxel_size(((254_000, 1), (254_000, 1)), INCH) == FileVoxelSize(0.1, 0.1, None)


def test_an_imagej_stack_calibrated_in_centimetres_is_read() -> None:
    found = imagej_voxel_size({"unit": "cm", "spacing": 3.0e-5}, ((2147399999, 21474),) * 2, CENTIMETRE, planes=3)
    assert found.x_um == pytest.approx(0.1)
    assert found.z_um == pytest.approx(0.3)


OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Image ID="Image:0"><Pixels SizeX="5" SizeY="4" {}/></Image>{}</OME>"""


def test_ome_sizes_have_units_and_default_to_micrometres() -> None:
    xml = OME.format('PhysicalSizeX="94" PhysicalSizeXUnit="nm" PhysicalSizeY="0.094" PhysicalSizeZ="0.0005" '
                     'PhysicalSizeZUnit="mm"', "")
    assert ome_voxel_size(xml, {"X": 5, "Y": 4}) == FileVoxelSize(0.094, 0.094, 0.5)


def test_ome_sizes_of_an_image_of_another_size_do_not_count() -> None:
    other = '<Image ID="Image:1"><Pixels SizeX="9" SizeY="9" PhysicalSizeX="7" PhysicalSizeY="7"/></Image>'
    xml = OME.format('PhysicalSizeX="0.1" PhysicalSizeY="0.1"', other)
    assert ome_voxel_size(xml, {"X": 5, "Y": 4}) == FileVoxelSize(0.1, 0.1, None)


def test_ome_images_that_contradict_each_other_give_nothing() -> None:
    other = '<Image ID="Image:1"><Pixels SizeX="5" SizeY="4" PhysicalSizeX="7" PhysicalSizeY="7"/></Image>'
    xml = OME.format('PhysicalSizeX="0.1" PhysicalSizeY="0.1"', other)
    assert ome_voxel_size(xml, {"X": 5, "Y": 4}) == FileVoxelSize()


def test_ome_pixels_as_unit_are_no_length() -> None:
    xml = OME.format('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"', "")
    assert ome_voxel_size(xml, {"X": 5, "Y": 4}) == FileVoxelSize()


def test_what_one_source_lacks_another_gives() -> None:
    assert combined([FileVoxelSize(0.1, 0.1), FileVoxelSize(0.2, 0.2, 0.5)]) == FileVoxelSize(0.1, 0.1, 0.5)
    assert combined([]) == FileVoxelSize()
