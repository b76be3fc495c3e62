"""Reading of the tracings that SNT (Simple Neurite Tracer) keeps in its own format.

A ``.traces`` file is XML, mostly gzip-compressed: ``samplespacing`` with the voxel size and its unit, and a ``path``
for each traced path with its ``point`` elements. A path can start on another one, and have a fitted version, which
counts instead where the file says so.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.errors import AnnotationError, one_line
from deepd3_ij.input_limits import check_regular

SUFFIX = ".traces"
_UM_PER_UNIT = {"um": 1.0, "\u00b5m": 1.0, "\u03bcm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
                "nm": 1e-3, "mm": 1e3, "cm": 1e4}
_LARGEST_BYTES = 2**30
_DEFAULT_TYPE = 3


def read_traces(path: str | PathLike[str]) -> tuple[Tracing, str]:
    """Read a tracing of SNT.

    Parameters
    ----------
    path
        ``.traces`` file, compressed or not.

    Returns
    -------
    tracing : Tracing
        One tree for each path that starts on no other; radii in the tracing's unit, 0 where SNT fitted none.
    units : str
        "um", or "px" if the traced image had no voxel size in a unit of length.

    Raises
    ------
    AnnotationError
        No such file, or a damaged one, or one without traced points.
    """
    name = Path(path).name
    reader = _Reader(name)
    try:
        reader.parse(_content(Path(path), name))
    except expat.ExpatError as error:
        raise AnnotationError(f"{name} is no tracing of SNT or is damaged ({one_line(error)}); save it again in SNT, "
                              "or export it as SWC there (File \u25b8 Export As SWC\u2026).") from error
    return reader.tracing()


def _content(path: Path, name: str) -> bytes:
    check_regular(path, "a tracing of SNT", AnnotationError)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(_LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise AnnotationError(f"{name} cannot be read ({one_line(error)}); save it again in SNT.") from error
    if len(data) > _LARGEST_BYTES:
        raise AnnotationError(f"{name} holds more than {_LARGEST_BYTES >> 20} MiB; no tracing is that large.")
    return data


class _Reader:
    """Collects paths; entities, which could blow the text up, are refused."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spacing: Mapping[str, str] = {}
        self._paths: list[tuple[Mapping[str, str], list[Mapping[str, str]]]] = []
        self._root = ""

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EntityDeclHandler = self._refuse
        parser.Parse(data, True)
        if self._root != "tracings":
            raise AnnotationError(f"{self._name} is an XML file of another kind (<{self._root}>); accepted: a tracing "
                                  "of SNT.")

    def _refuse(self, *entity: Any) -> None:
        raise AnnotationError(f"{self._name} declares an XML entity, which no tracing of SNT does; save it again in "
                              "SNT.")

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        self._root = self._root or element
        if element == "samplespacing":
            self._spacing = attributes
        elif element == "path":
            self._paths.append((attributes, []))
        elif element == "point" and self._paths:
            self._paths[-1][1].append(attributes)

    def tracing(self) -> tuple[Tracing, str]:
        factor = _UM_PER_UNIT.get(self._spacing.get("units", "").strip().lower())
        columns = ("xd", "yd", "zd") if factor else ("x", "y", "z")
        rows: list[tuple[int, int, float, float, float, float, int]] = []
        first_of: dict[str, int] = {}
        places: dict[str, tuple[int, np.ndarray]] = {}
        for path_id, (attributes, points) in self._counting().items():
            kind = attributes.get("swctype", "")
            first_of[path_id] = len(rows)
            xyz = np.array([[self._number(point, column) for column in columns] for point in points])
            radii = [self._number(point, "r", 0.0) for point in points]
            places[path_id] = (len(rows), xyz)
            for (x, y, z), radius in zip((xyz * (factor or 1.0)).tolist(), radii, strict=True):
                parent = len(rows) if len(rows) > first_of[path_id] else ROOT
                rows.append((len(rows) + 1, int(kind) if kind.isdigit() else _DEFAULT_TYPE, x, y, z,
                             max(0.0, radius * (factor or 1.0)), parent))
        if not rows:
            raise AnnotationError(f"{self._name} has no traced points; trace dendrites in SNT first.")
        self._join(rows, first_of, places, bool(factor))
        table = np.array(rows, np.float64)
        ids, types, parents = (table[:, column].astype(np.int64) for column in (0, 1, 6))
        return Tracing(ids, types, table[:, 2:5].copy(), table[:, 5].copy(), parents), "um" if factor else "px"

    def _counting(self) -> dict[str, tuple[Mapping[str, str], list[Mapping[str, str]]]]:
        """Paths by their own id, with the points of the fitted version where that is used."""
        known = {attributes.get("id", ""): (attributes, points) for attributes, points in self._paths}
        result = {}
        for path_id, (attributes, points) in known.items():
            if "fittedversionof" in attributes:
                continue
            fitted = known.get(attributes.get("fitted", ""))
            if attributes.get("usefitted") == "true" and fitted is not None:
                points = fitted[1]
            if points:
                result[path_id] = (attributes, points)
        return result

    def _join(self, rows: list[Any], first_of: Mapping[str, int], places: Mapping[str, tuple[int, np.ndarray]],
              calibrated: bool) -> None:
        """Let a path that starts on another one begin at that one's nearest point."""
        for path_id, (attributes, _) in self._counting().items():
            trunk = places.get(attributes.get("startson", ""))
            if trunk is None or attributes.get("startson") == path_id:
                continue
            first = first_of[path_id]
            start = places[path_id][1][0]
            if calibrated and all(f"starts{axis}" in attributes for axis in "xyz"):
                start = np.array([self._number(attributes, f"starts{axis}") for axis in "xyz"])
            nearest = int(np.linalg.norm(trunk[1] - start, axis=1).argmin())
            if trunk[0] < first:  # a trunk stands before its branches, so there are no cycles
                rows[first] = (*rows[first][:6], rows[trunk[0] + nearest][0])

    def _number(self, attributes: Mapping[str, str], name: str, default: float | None = None) -> float:
        text = attributes.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise AnnotationError(f"{self._name}: {name} of a point is {text!r}; accepted: a number. Save the tracing "
                                  "again in SNT.")
        return value
