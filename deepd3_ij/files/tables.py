"""Tables of spines and dendrites as CSV."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import FileFormatError, one_line
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS

# What single precision holds; the same text on every machine.
_FLOAT_FORMAT = "%.7g"


def write_table(path: str | PathLike[str], table: pd.DataFrame, *, index_label: str | None = None) -> None:
    """Write a table as CSV: UTF-8, comma, point, seven significant digits, an empty field for a missing value.

    Parameters
    ----------
    path
        File to make or replace.
    table
        Columns are written in their order; their names carry the units.
    index_label
        Name of the index, which is then written as the first column; without it the index is left out.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    # Negative zero would otherwise be written as "-0".
    clean = table.copy()
    for name in clean.columns[[kind.kind == "f" for kind in clean.dtypes]]:
        clean[name] = clean[name] + 0.0
    text = clean.to_csv(index=index_label is not None, index_label=index_label, float_format=_FLOAT_FORMAT,
                        lineterminator="\n")
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def read_table(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote, or that a spreadsheet saved as CSV.

    Semicolons or tabs between the fields and a byte-order mark are understood.

    Raises
    ------
    FileFormatError
        The file is missing, no text, or its rows have different lengths.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
        header = text.split("\n", 1)[0]
        separator = max(",;\t", key=header.count)
        if not header.strip() or "\0" in text:
            raise ValueError("it has no header" if "\0" not in text else "it is no text")
        return pd.read_csv(source, sep=separator, encoding="utf-8-sig", index_col=False, on_bad_lines="error")
    except FileNotFoundError as error:
        raise FileFormatError(f"{source} does not exist; give a CSV table.") from error
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{source} is no readable CSV table ({one_line(error)}); save it as CSV with one header "
                              "line.") from error


def write_centroids(path: str | PathLike[str], rois: RoiSet) -> None:
    """Write the centroids of ROIs in the form of DeepD3's export.

    The first column, without a name, is the id; ``Pos`` (plane), ``Y`` and ``X`` are in voxels, 0-based, as in
    DeepD3; ``Z_um``, ``Y_um``, ``X_um`` the same in µm. There is no row for the background.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    statistics = label_statistics(rois.labels.values)
    columns = dict(zip(("Pos", "Y", "X"), statistics.centroids_zyx.T, strict=True))
    for dim, centres in zip(DIMS, statistics.centroids_zyx.T, strict=True):
        positions = rois.labels.coords[dim].values
        columns[f"{dim.upper()}_um"] = np.interp(centres, np.arange(len(positions)), positions)
    write_table(path, pd.DataFrame(columns, index=statistics.ids), index_label="")
