"""Tables of spines and dendrites as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import DeepD3Error, FileFormatError, one_line
from deepd3_ij.files.text_file import lines_of, read_text
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS

# What single precision holds; the same text on every machine.
_FLOAT_FORMAT = "%.7g"
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")


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


def read_table(path: str | PathLike[str], error: type[DeepD3Error] = FileFormatError, text: Sequence[str] = ()
               ) -> pd.DataFrame:
    """Read a table that :func:`write_table` wrote, or that a spreadsheet or macro saved as CSV.

    Understood are semicolons or tabs between the fields, decimal commas, any byte-order mark, empty lines, and
    empty fields at the end of a line beyond the header's columns.

    Parameters
    ----------
    path
        CSV file with a header line.
    error
        Kind of error.
    text
        Names of columns that hold text, also where it looks like numbers; an empty field is an empty text.

    Returns
    -------
    pandas.DataFrame
        Columns by the header's names; ``attrs["lines"]`` holds the number of each row's line in the file.

    Raises
    ------
    DeepD3Error
        Of the kind given: the file is missing, no text, or a line has more values than the header has columns.
    """
    name = Path(path).name
    rows = _rows(read_text(path, "table (CSV)", error), name, error)
    if not rows or not re.search("[A-Za-z0-9]", "".join(rows[0][1])):
        raise error(f"{name} is no readable CSV table (it has no header); save it as CSV with one header line.")
    header = rows.pop(0)[1]
    while len(header) > 1 and not header[-1] and all(len(cells) < len(header) or not cells[len(header) - 1].strip()
                                                     for _, cells in rows):
        header.pop()
    for line, cells in rows:
        if any(cell.strip() for cell in cells[len(header):]):
            raise error(f"{name}, line {line}: {len(cells)} values for {len(header)} columns ({', '.join(header)}); "
                        "accepted: as many values as columns. Decimal commas need semicolons or tabs between columns.")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for _, cells in rows:
        padded = [_number_text(cell.strip()) for cell in cells[:len(header)]] + [""] * (len(header) - len(cells))
        writer.writerow(padded if len(padded) > 1 or padded[0] else ['""'])
    try:
        table = pd.read_csv(io.StringIO(buffer.getvalue()), index_col=False, skip_blank_lines=False,
                            dtype=dict.fromkeys(text, str))
    except (ValueError, OverflowError) as reason:  # pandas' own errors are ValueErrors
        raise error(f"{name} is no readable CSV table ({one_line(reason, 120)}); save it as CSV with one header line."
                    ) from reason
    for column in set(text) & set(table):
        table[column] = table[column].fillna("")
    table.attrs["lines"] = [line for line, _ in rows]
    return table


def _rows(text: str, name: str, error: type[DeepD3Error]) -> list[tuple[int, list[str]]]:
    """Number and fields of every line that is not empty, header first."""
    stated = re.match(r"\s*sep=(.)\s*(?:\n|\r|$)", text)  # what spreadsheets write for each other
    skipped = stated.end() if stated else 0
    first_line = text[:skipped].count("\n")
    header = next((line for line in lines_of(text[skipped:]) if line.strip()), "")
    separator = stated[1] if stated else max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text[skipped:], newline=""), delimiter=separator,
                        skipinitialspace=separator != "\t")
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num + first_line, [cell.strip() for cell in cells] if not rows else cells))
    except (csv.Error, ValueError) as reason:
        raise error(f"{name} is no readable CSV table (line {reader.line_num}: {one_line(reason, 120)}); save it as "
                    "CSV with one header line.") from reason
    return rows


def _number_text(cell: str) -> str:
    """A number with a decimal point, if it has a decimal comma."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def write_centroids(path: str | PathLike[str], rois: RoiSet) -> None:
    """Write the centroids of ROIs in the form of DeepD3's export.

    The first column, without a name, is the id; ``Pos`` (plane), ``Y`` and ``X`` are in voxels, 0-based, as in
    DeepD3; ``Z_um``, ``Y_um``, ``X_um`` the same in µm. There is no row for the background.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    statistics = rois.statistics
    columns = dict(zip(("Pos", "Y", "X"), statistics.centroids_zyx.T, strict=True))
    for dim, centres in zip(DIMS, statistics.centroids_zyx.T, strict=True):
        positions = rois.labels.coords[dim].values
        columns[f"{dim.upper()}_um"] = np.interp(centres, np.arange(len(positions)), positions)
    write_table(path, pd.DataFrame(columns, index=statistics.ids), index_label="")
