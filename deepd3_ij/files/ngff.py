"""The metadata of OME-Zarr (NGFF 0.4 and 0.5): axes and resolution levels of an image, read and written as JSON.

Nothing here touches a disk. Version 0.5 keeps under the key ``ome`` what 0.4 has at the top; older ones without axes
count as t, c, z, y, x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from deepd3_ij.errors import StackError
from deepd3_ij.files.calibration import FileVoxelSize, unit_in_um

OWN = "deepd3"
"""Attribute of a group for what this package notes in it."""

_OLD_AXES = "tczyx"
_ORIGIN = "OME-Zarr metadata"
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True)
class Axis:
    """An axis: its name, its type (``space``, ``channel``, ``time`` or another) and its unit, empty if none."""

    name: str
    type: str
    unit: str = ""


@dataclass(frozen=True)
class Level:
    """A resolution level: path of its array in the group, size of a voxel and place of the first one along each axis;
    None where the metadata do not tell."""

    path: str
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None


@dataclass(frozen=True)
class Multiscales:
    """An image: its axes in the order of the arrays, and its levels from fine to coarse."""

    version: str
    axes: tuple[Axis, ...]
    levels: tuple[Level, ...]

    def axis(self, name: str) -> int | None:
        """Number of the channel axis ("c"), of the time axis ("t"), or of a space axis; None if there is none."""
        kind = _TYPES[name]
        for number, axis in enumerate(self.axes):
            if axis.name.lower() == name if kind == "space" else axis.type == kind:
                return number
        return None

    def voxel_size(self, level: int) -> FileVoxelSize:
        """Voxel size of a level as far as it is stated in units of length."""
        scale = self.levels[level].scale
        if scale is None:
            return FileVoxelSize()
        sizes: dict[str, float | None] = {}
        unknown = ""
        for name in "xyz":
            number = self.axis(name)
            sizes[name] = None
            if number is None:
                continue
            unit = self.axes[number].unit
            in_um = unit_in_um(unit)
            if in_um is None:
                unknown = unknown or unit or ("" if scale[number] == 1 else "no unit")
            elif scale[number]:
                sizes[name] = float(f"{abs(scale[number]) * in_um:.15g}")
        return FileVoxelSize(sizes["x"], sizes["y"], sizes["z"], unknown, _ORIGIN)

    def origin_um(self, level: int) -> tuple[float, float, float] | None:
        """Place (z, y, x) of the centre of a level's first voxel in µm; None if no unit tells it."""
        translation = self.levels[level].translation
        if translation is None:
            return None
        place = []
        for name in "zyx":
            number = self.axis(name)
            in_um = 1.0 if number is None else unit_in_um(self.axes[number].unit)
            if in_um is None:
                return None
            place.append(0.0 if number is None else float(f"{translation[number] * in_um:.15g}"))
        z, y, x = place
        return z, y, x


def ngff_part(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the attributes of a group say in NGFF's terms, at the top (0.4) or under ``ome`` (0.5)."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def read_multiscales(attributes: Mapping[str, Any], name: str) -> Multiscales:
    """Read the metadata of an image.

    Parameters
    ----------
    attributes
        Of its group.
    name
        For messages.

    Raises
    ------
    StackError
        They are no image's, damaged, or of a later version.
    """
    part = ngff_part(attributes)
    images = part.get("multiscales")
    if not isinstance(images, list) or not images or not isinstance(images[0], Mapping):
        raise StackError(f"{name} is no OME-Zarr image: its metadata have no 'multiscales'; accepted: NGFF 0.4 and "
                         "0.5.")
    image = images[0]
    version = str(part.get("version") or image.get("version") or "")
    if "coordinateSystems" in image:
        raise StackError(f"{name} is OME-Zarr of version {version or 'unknown'}; accepted: NGFF 0.4 and 0.5.")
    try:
        axes = _read_axes(image.get("axes"))
        common = _scaling(image.get("coordinateTransformations"), len(axes))
        levels = tuple(_read_level(item, common, len(axes)) for item in image["datasets"])
        if not levels or len({axis.name for axis in axes}) != len(axes):
            raise ValueError("no levels" if not levels else "axes of the same name")
    except StackError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StackError(f"{name} has damaged OME-Zarr metadata (multiscales: {error}); export it again.") from error
    return Multiscales(version, axes, levels)


def _read_axes(axes: Any) -> tuple[Axis, ...]:
    if axes is None:
        axes = list(_OLD_AXES)
    found = []
    for axis in axes:
        item = {"name": axis} if isinstance(axis, str) else axis
        label = str(item["name"])
        kind = item.get("type") or _TYPES.get(label.lower(), "")
        found.append(Axis(label, str(kind), str(item.get("unit") or "")))
    return tuple(found)


def _read_level(item: Any, common: tuple[Any, Any], count: int) -> Level:
    path = item["path"]
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or any(part in ("..", ".") for part in parts):
        raise ValueError(f"the path {path!r} leaves the folder")
    scale, translation = _scaling(item.get("coordinateTransformations"), count)
    outer_scale, outer_translation = common
    if scale is None:
        scale = outer_scale
    elif outer_scale is not None:
        scale = tuple(a * b for a, b in zip(scale, outer_scale, strict=True))
    if outer_scale is not None and translation is not None:
        translation = tuple(a * b for a, b in zip(translation, outer_scale, strict=True))
    if outer_translation is not None:
        translation = tuple(a + b for a, b in zip(translation or (0.0,) * count, outer_translation, strict=True))
    return Level(path, scale, translation)


def _scaling(transformations: Any, count: int) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """The scale and the translation of a list of transformations; None for one that is not given as numbers."""
    found: dict[str, tuple[float, ...] | None] = {"scale": None, "translation": None}
    for item in transformations or ():
        kind = item["type"]
        if kind in found and item.get(kind) is not None:
            values = tuple(float(value) for value in item[kind])
            if len(values) != count or not all(map(math.isfinite, values)):
                raise ValueError(f"a {kind} of {item[kind]!r} for {count} axes")
            found[kind] = values
    return found["scale"], found["translation"]


def image_metadata(version: str, name: str, axes: Sequence[str], levels: Sequence[Level], *,
                   channels: Sequence[tuple[str, str]] = (), label: Mapping[str, Any] | None = None
                   ) -> dict[str, Any]:
    """Attributes of an image's group.

    Parameters
    ----------
    version
        "0.4" or "0.5".
    name
        Of the image.
    axes
        Names, in the order of the arrays; space is in micrometers.
    levels
        From fine to coarse, with scale and translation.
    channels
        Label and colour (six hexadecimal digits) of each channel.
    label
        What ``image-label`` says, for an image of labels.

    Returns
    -------
    dict
        For ``.zattrs`` or the attributes of ``zarr.json``.
    """
    described = [{"name": axis, "type": _TYPES[axis], **({"unit": "micrometer"} if _TYPES[axis] == "space" else {})}
                 for axis in axes]
    datasets = []
    for level in levels:
        transformations: list[dict[str, Any]] = [{"type": "scale", "scale": list(level.scale or ())}]
        if level.translation is not None and any(level.translation):
            transformations.append({"type": "translation", "translation": list(level.translation)})
        datasets.append({"path": level.path, "coordinateTransformations": transformations})
    image: dict[str, Any] = {"name": name, "axes": described, "datasets": datasets}
    part: dict[str, Any] = {"multiscales": [image]}
    if label is not None:
        part["image-label"] = dict(label)
    if channels:
        part["omero"] = {"channels": [
            {"label": label, "color": colour, "active": True, "window": {"min": 0, "max": 1, "start": 0, "end": 1}}
            for label, colour in channels]}
    return with_version(version, part)


def with_version(version: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """NGFF's attributes of a group as a version lays them out."""
    if version == "0.5":
        return {"ome": {"version": version, **part}}
    stated = dict(part)
    if "multiscales" in stated:
        stated["multiscales"] = [{"version": version, **image} for image in stated["multiscales"]]
    for key in ("omero", "image-label"):
        if key in stated:
            stated[key] = {"version": version, **stated[key]}
    return stated
