"""Voxel sizes in the metadata of TIFF files, converted to µm.

Three kinds of metadata are understood: ImageJ's (resolution tags, ``unit`` and ``spacing``
of the image description), OME-XML (``PhysicalSizeX``…) and the plain resolution tags of
TIFF. A plain resolution in dots per inch or per centimetre describes a print in most files
(72, 300 dpi); it is taken as a microscope's only if the pixel is at most 10 µm wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree

from deepd3_ij.errors import remedy

_UM_OF_UNIT = {
    **dict.fromkeys(("um", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-3),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "a", "angstrom", "ångström"), 1e-4),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 1e4),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e6),
    **dict.fromkeys(("in", "inch", "inches"), 25400.0),
    "thou": 25.4,
    **dict.fromkeys(("foot", "feet"), 304_800.0),
    "yard": 914_400.0,
    **{prefix + name: 10.0 ** (6 + exponent) for name in ("meter", "metre") for prefix, exponent in (
        ("yocto", -24), ("zepto", -21), ("atto", -18), ("femto", -15), ("deci", -1), ("hecto", 2), ("kilo", 3),
        ("mega", 6), ("giga", 9))},
}
_NO_LENGTH = ("", "pixel", "pixels", "px", "voxel", "voxels", "null", "reference frame")
_PRINT_UNITS = {2: "inch", 3: "cm"}
_LARGEST_PLAUSIBLE_PIXEL_UM = 10.0
_IMAGEJ_SCALE = 1_000_000
# From super-resolution to what still shows a dendrite; a spine's head is about half a micrometre wide.
_PLAUSIBLE_XY_UM = (0.005, 5.0)
_PLAUSIBLE_Z_UM = (0.005, 50.0)


@dataclass(frozen=True)
class FileVoxelSize:
    """What a file says about its voxel size, each in µm or None.

    ``unknown_unit`` is the unit that the file names and that is no known length, ``origin`` where in the file the sizes
    are stated.
    """

    x_um: float | None = None
    y_um: float | None = None
    z_um: float | None = None
    unknown_unit: str = ""
    origin: str = field(default="", compare=False)


def unit_in_um(unit: str) -> float | None:
    """Length of a unit in µm, or None if it is no known length.

    Parameters
    ----------
    unit
        As written by a program: "µm" (both Unicode spellings and ImageJ's ``\\u00B5m``),
        "micron", "nm", "mm", "inch", …
    """
    name = unit.strip().strip('"').replace("\\u00B5", "u").replace("\\u00b5", "u").replace("\\u03BC", "u")
    name = name.replace("µ", "u").replace("μ", "u")
    return _UM_OF_UNIT.get(name if name == "M" else name.lower())


def imagej_voxel_size(
    metadata: Mapping[str, Any],
    resolution: tuple[tuple[int, int], tuple[int, int]] | None,
    resolution_unit: int,
    planes: int,
) -> FileVoxelSize:
    """Voxel size of an ImageJ TIFF.

    Parameters
    ----------
    metadata
        Entries of the image description.
    resolution
        X and Y resolution tag (numerator, denominator), pixels per unit.
    resolution_unit
        TIFF's ResolutionUnit: 1 none, 2 inch, 3 centimetre.
    planes
        Number of planes. ImageJ leaves ``spacing`` out when planes are 1 unit apart.
    """
    unit = str(metadata.get("unit", ""))
    print_unit = _PRINT_UNITS.get(resolution_unit, "")
    if unit.strip() in ("", print_unit):
        return plain_voxel_size(resolution, resolution_unit, _length(metadata.get("spacing")))
    if unit.strip().lower() in _NO_LENGTH:
        return FileVoxelSize()
    x_unit = unit_in_um(unit)
    y_unit = unit_in_um(str(metadata.get("yunit", unit)))
    z_unit = unit_in_um(str(metadata.get("zunit", unit)))
    if x_unit is None or y_unit is None or z_unit is None:
        return FileVoxelSize(unknown_unit=unit)
    z = _length(metadata.get("spacing", 1.0 if planes > 1 else None))
    return FileVoxelSize(_times(_pixel(resolution, 0), x_unit), _times(_pixel(resolution, 1), y_unit),
                         _times(z, z_unit))


def plain_voxel_size(
    resolution: tuple[tuple[int, int], tuple[int, int]] | None, resolution_unit: int, spacing: float | None = None
) -> FileVoxelSize:
    """Voxel size of a TIFF that has nothing but the resolution tags (and perhaps a plane distance).

    A resolution per inch or centimetre counts only if a pixel is then at most 10 µm wide;
    otherwise it describes a print.
    """
    unit = unit_in_um(_PRINT_UNITS.get(resolution_unit, ""))
    x, y = (_times(_pixel(resolution, axis), unit) for axis in (0, 1))
    if x is None or y is None or max(x, y) > _LARGEST_PLAUSIBLE_PIXEL_UM:
        return FileVoxelSize()
    return FileVoxelSize(x, y, _times(spacing, unit))


def ome_voxel_size(xml: str, sizes: Mapping[str, int]) -> FileVoxelSize:
    """Voxel size in OME-XML.

    Parameters
    ----------
    xml
        The OME-XML text.
    sizes
        Number of pixels along "X" and "Y" of the image that is meant. Several images of this
        size must agree, otherwise nothing is returned.
    """
    found = set()
    for pixels in ElementTree.fromstring(xml).iter():
        if pixels.tag.rpartition("}")[2] != "Pixels":
            continue
        if any(pixels.get("Size" + axis) != str(size) for axis, size in sizes.items()):
            continue
        lengths: dict[str, float | None] = {}
        unknown = ""
        for axis in "XYZ":
            unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
            size = _length(pixels.get(f"PhysicalSize{axis}"))
            in_um = unit_in_um(unit)
            if size is not None and in_um is None and unit.strip().lower() not in _NO_LENGTH:
                unknown = unit
            lengths[axis] = _times(size, in_um)
        found.add(FileVoxelSize(lengths["X"], lengths["Y"], lengths["Z"], unknown))
    return found.pop() if len(found) == 1 else FileVoxelSize()


def lsm_voxel_size(metadata: Mapping[str, Any]) -> FileVoxelSize:
    """Voxel size of a Zeiss LSM file, whose header states it in metres.

    Parameters
    ----------
    metadata
        Entries of the header (TIFF tag 34412).
    """
    x, y, z = (_times(_length(metadata.get(f"VoxelSize{axis}")), 1e6) for axis in "XYZ")
    return FileVoxelSize(x, y, z)


def doubts_about_voxel_size(name: str, xy_um: float, z_um: float) -> list[str]:
    """Notes on a voxel size at which nothing of the size of a dendrite could be seen, most often a wrong unit.

    Parameters
    ----------
    name
        The file, for the notes.
    xy_um, z_um
        Size of a pixel and distance of planes in µm.
    """
    doubts = []
    for what, option, size, (low, high) in (
            ("pixel size", remedy("--xy", "Pixel size"), xy_um, _PLAUSIBLE_XY_UM),
            ("distance of planes", remedy("--z", "Distance between planes"), z_um, _PLAUSIBLE_Z_UM)):
        if not low <= size <= high:
            factor = 1e3 if size < low else 1e-3
            meant = f" ({option} {size * factor:g} if the unit is wrong by a thousand)" if (
                low <= size * factor <= high) else ""
            doubts.append(f"{name}: the {what} is {size:g} µm; for dendrites {low:g} to {high:g} µm is usual. If this "
                          f"is wrong, give it in µm with {option}{meant}.")
    return doubts


def combined(sources: Sequence[FileVoxelSize]) -> FileVoxelSize:
    """The first stated pixel size and the first stated distance of planes."""
    square = next((found for found in sources if found.x_um is not None and found.y_um is not None), FileVoxelSize())
    z_um = next((found.z_um for found in sources if found.z_um is not None), None)
    unknown_unit = next((found.unknown_unit for found in sources if found.unknown_unit), "")
    origin_of_z = next((found.origin for found in sources if found.z_um is not None), "")
    origins = dict.fromkeys(text for text in (square.origin, origin_of_z) if text)
    return FileVoxelSize(square.x_um, square.y_um, z_um, unknown_unit, " and ".join(origins))


def stated_in(origin: str, size: FileVoxelSize) -> FileVoxelSize:
    """The same size with the place where it is stated."""
    return replace(size, origin=origin)


def _pixel(resolution: tuple[tuple[int, int], tuple[int, int]] | None, axis: int) -> float | None:
    """Width of a pixel in the resolution's unit.

    ImageJ cuts the resolution to six decimals; the shortest size that it would store
    with the same number is meant (0.094, not 0.094000002).
    """
    if resolution is None:
        return None
    numerator, denominator = resolution[axis]
    if numerator <= 0 or denominator <= 0:
        return None
    size = denominator / numerator
    if denominator == _IMAGEJ_SCALE:
        for digits in range(1, 8):
            shorter = float(f"{size:.{digits}g}")
            if int(_IMAGEJ_SCALE / shorter) == numerator:
                return shorter
    return size


def _length(value: Any) -> float | None:
    try:
        length = abs(float(value))
    except (TypeError, ValueError):
        return None
    return length if math.isfinite(length) and length > 0 else None


def _times(length: float | None, factor: float | None) -> float | None:
    """A length in µm; powers of ten are rounded as if the decimal point were moved."""
    return None if length is None or factor is None else float(f"{length * factor:.15g}")
