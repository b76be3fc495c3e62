"""Reading of spine positions from CSV tables: this package's own and annotated markers."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.errors import AnnotationError, remedy
from deepd3_ij.files.tables import read_table
from deepd3_ij.measurement.points import SpinePoints

# Columns z, y, x in planes and pixels, in the order in which they are looked for. The estimated head of an annotated
# marker is nearer to the middle of the spine than the marker itself, which sits at the tip.
PIXEL_COLUMNS = (("z_px", "y_px", "x_px"), ("z_slice0", "head_y_px", "head_x_px"), ("z_slice0", "y_px", "x_px"))
UM_COLUMNS = ("z_um", "y_um", "x_um")
ID_COLUMNS = ("id", "idx")
BAD_COLUMN = "isBad"
_LARGEST_ID = 2**53


def read_evaluation_points(
    detected: str | PathLike[str], truth: str | PathLike[str], *, xy_um: float | None = None, z_um: float | None = None
) -> tuple[SpinePoints, SpinePoints]:
    """Read the two tables of an evaluation, which have one position per spine.

    Accepted are tables of this package (``z_px, y_px, x_px`` and/or ``z_um, y_um, x_um``) and annotated markers
    (``z_slice0``, ``head_x_px, head_y_px`` or else ``x_px, y_px``; rows with ``isBad`` = 1 are left out).

    Parameters
    ----------
    detected, truth
        CSV files with a header line.
    xy_um, z_um
        Size of a pixel and distance between planes in µm, for both tables. Without them, they are derived from a
        table that has both pixel and µm columns; a table that has not takes those of the other.

    Returns
    -------
    tuple of SpinePoints
        Detected and annotated spines.

    Raises
    ------
    AnnotationError
        No readable table, unknown columns, a position that is no number, or a voxel size that is neither given nor
        in a table.
    """
    tables = [(_read_table(path), Path(path).name) for path in (detected, truth)]
    sizes = [_voxel_size(table) for table, _ in tables]
    points = []
    for (table, name), other in zip(tables, reversed(sizes), strict=True):
        own_z, own_xy = _voxel_size(table)
        points.append(_points(table, name, _first(xy_um, own_xy, other[1]), _first(z_um, own_z, other[0])))
    return points[0], points[1]


def read_spine_points(path: str | PathLike[str], *, xy_um: float, z_um: float) -> SpinePoints:
    """Read one table as :func:`read_evaluation_points` does, on a stack of this voxel size.

    Raises
    ------
    AnnotationError
        No readable table, unknown columns, or a position that is no number.
    """
    return _points(_read_table(path), Path(path).name, xy_um, z_um)


def _first(*sizes: float | None) -> float | None:
    return next((size for size in sizes if size is not None), None)


def read_positions(path: str | PathLike[str]) -> np.ndarray:
    """Read annotated positions to be shown on an image.

    Parameters
    ----------
    path
        CSV table with the columns X, Y (pixels) and Z or Pos (plane), 0-based, in small or capital letters.

    Returns
    -------
    numpy.ndarray
        Positions (plane, y, x), float64, shape ``(n, 3)``.

    Raises
    ------
    AnnotationError
        A column is missing, or a value is no number.
    """
    table = read_table(path, AnnotationError)
    columns = {str(name).strip().lower(): str(name) for name in table.columns}
    plane = columns.get("z", columns.get("pos"))
    if plane is None or not {"x", "y"} <= columns.keys():
        raise AnnotationError(f"{path} has the columns {', '.join(map(str, table.columns))}; "
                              "accepted: X, Y and Z or Pos.")
    return _numbers(table, (plane, columns["y"], columns["x"]), Path(path).name)


def _read_table(path: str | PathLike[str]) -> pd.DataFrame:
    table = read_table(path, AnnotationError)
    if BAD_COLUMN in table:
        table = table[pd.to_numeric(table[BAD_COLUMN], errors="coerce") != 1]
    return table


def _points(table: pd.DataFrame, name: str, xy_um: float | None, z_um: float | None) -> SpinePoints:
    own_z, own_xy = _voxel_size(table)
    xy_um, z_um = _first(xy_um, own_xy), _first(z_um, own_z)
    if xy_um is None or z_um is None:
        missing = " and ".join(option for option, size in (
            (remedy("--xy", "Pixel size"), xy_um), (remedy("--z", "Distance between planes"), z_um)) if size is None)
        raise AnnotationError(f"{name} does not tell the voxel size; give it in µm with {missing}.")
    pixel = _pixel_columns(table)
    if pixel is not None:
        zyx = _numbers(table, pixel, name)
    elif set(UM_COLUMNS) <= set(table):
        zyx = _numbers(table, UM_COLUMNS, name) / np.array([z_um, xy_um, xy_um])
    else:
        accepted = " or ".join(", ".join(columns) for columns in (*PIXEL_COLUMNS, UM_COLUMNS))
        raise AnnotationError(f"{name} has the columns {', '.join(map(str, table.columns))}; accepted: {accepted}.")
    return SpinePoints(ids=_ids(table, name), zyx_px=zyx, z_um=float(z_um), xy_um=float(xy_um))


def _pixel_columns(table: pd.DataFrame) -> tuple[str, str, str] | None:
    return next((columns for columns in PIXEL_COLUMNS if set(columns) <= set(table)), None)


def _voxel_size(table: pd.DataFrame) -> tuple[float | None, float | None]:
    """Voxel size z and xy in µm that follows from pixel and µm columns; None where it cannot be told."""
    z, y, x = (f"{axis}_px" for axis in "zyx")
    z_um, y_um, x_um = UM_COLUMNS
    return _slope(table, (z,), (z_um,)), _slope(table, (y, x), (y_um, x_um))


def _slope(table: pd.DataFrame, px: tuple[str, ...], um: tuple[str, ...]) -> float | None:
    if not set(px) | set(um) <= set(table):
        return None
    pixels, micrometres = (table[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy().sum()
                           for columns in (px, um))
    size = float(micrometres / pixels) if pixels > 0 and micrometres > 0 else None
    return size if size is None or np.isfinite(size) else None


def _numbers(table: pd.DataFrame, columns: tuple[str, str, str], name: str) -> np.ndarray:
    values = table[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        value = table[columns[column]].iloc[row]
        raise AnnotationError(f"{name}, line {_line(table, row)}: {columns[column]} is "
                              f"{value.item() if isinstance(value, np.generic) else value!r}; accepted: a number.")
    return values


def _line(table: pd.DataFrame, row: int) -> int:
    """Number of the line in the file that a row came from."""
    return int(table.attrs["lines"][table.index[row]])


def _ids(table: pd.DataFrame, name: str) -> np.ndarray:
    """Ids of the table, or row numbers if it has none or names instead."""
    column = next((column for column in ID_COLUMNS if column in table), None)
    if column is None:
        return np.arange(len(table), dtype=np.int64)
    ids = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(ids).any():
        return np.arange(len(table), dtype=np.int64)
    wrong = np.flatnonzero(~np.isfinite(ids) | (np.abs(ids) > _LARGEST_ID) | (ids != np.rint(ids)))
    if len(wrong):
        raise AnnotationError(f"{name}, line {_line(table, int(wrong[0]))}: {column} is "
                              f"{table[column].iloc[wrong[0]]}; accepted: a whole number up to {_LARGEST_ID}.")
    return ids.astype(np.int64)
