"""A page about an analysis: the overview picture, and how densities, lengths and sizes are distributed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import REPORT_BAR, REPORT_MEDIAN, as_hex
from deepd3_ij.drawing import drawing_library
from deepd3_ij.outputs.overview import draw_overview
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from deepd3_ij.measurement.measurements import Measurements
    from deepd3_ij.rois.roiset import RoiSet

_PAGE_INCHES = (11.69, 8.27)
_LEFT, _BOTTOM, _WIDTH, _HEIGHT = 0.035, 0.05, 0.5, 0.86
"""Where the picture and the table are, in shares of the page."""
_MOST_BINS = 24
_ROW = 0.022
_LISTED = {"id": ("dendrite", "{:d}"), "length_um": ("length, µm", "{:.1f}"), "branches": ("branches", "{:d}"),
           "spines": ("spines", "{:d}"), "density_per_um": ("spines per µm", "{:.2f}"),
           "mean_radius_um": ("radius, µm", "{:.2f}")}


@dataclass(frozen=True)
class Distribution:
    """Values of one measure.

    Attributes
    ----------
    title, unit
        What was measured, and in which unit.
    of
        What has such a value, one of it.
    values
        float64, shape ``(n,)``; NaN where there is none.
    """

    title: str
    unit: str
    of: str
    values: npt.NDArray[np.float64]

    @property
    def known(self) -> npt.NDArray[np.float64]:
        """The values that there are."""
        return self.values[np.isfinite(self.values)]

    @property
    def summary(self) -> str:
        """Median, quartiles and number in words."""
        known, missing = self.known, len(self.values) - len(self.known)
        count = f"n = {_counted(len(known), self.of)}" + (f", {missing} not measured" if missing else "")
        if not len(known):
            return count
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        return f"median {middle:.3g} {self.unit}".rstrip() + f" (quartiles {low:.3g} to {high:.3g}), {count}"


def distributions(measurements: Measurements) -> list[Distribution]:
    """What a report shows: density, length, size and confidence.

    Without shapes, the ROI's width stands for the length and its volume for the size.
    """
    spines, dendrites = measurements.spines, measurements.dendrites
    length = _first(spines, (("length_um", "Length of spines", "µm"),
                             ("equivalent_diameter_um", "Diameter of balls of the ROIs' volumes", "µm")))
    size = _first(spines, (("volume_relative", "Light of heads, in shaft of as much light", "µm"),
                           ("volume_um3", "Volume of ROIs", "µm³")))
    density = Distribution("Density of spines along dendrites", "per µm", "dendrite",
                           dendrites["density_per_um"].to_numpy(dtype=np.float64))
    confidence = Distribution("Confidence that a ROI is a spine", "", "ROI",
                              spines["confidence"].to_numpy(dtype=np.float64))
    return [density, length, size, *([confidence] if len(confidence.known) else [])]


def draw_report(
    path: str | PathLike[str], stack: xr.DataArray, prediction: xr.Dataset, rois: RoiSet, measurements: Measurements
) -> None:
    """Draw the report of an analysis as a PDF of one page.

    Parameters
    ----------
    path
        File to make or replace.
    stack, prediction, rois, measurements
        As for :func:`deepd3_ij.outputs.overview.draw_overview`.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    figure = drawing_library("figure").Figure(figsize=_PAGE_INCHES)
    drawing_library("backends.backend_pdf").FigureCanvasPdf(figure)
    picture = _overview_picture(stack, prediction, rois, measurements)
    axes = figure.add_axes((_LEFT, _BOTTOM, _WIDTH, _HEIGHT), anchor="NW")
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()
    page_width, page_height = _PAGE_INCHES
    used = _WIDTH * page_width * picture.shape[0] / picture.shape[1] / page_height
    _draw_dendrites(figure, measurements.dendrites, _HEIGHT - used)
    shown = distributions(measurements)
    height = _HEIGHT / len(shown)
    for number, distribution in enumerate(shown):
        bottom = _BOTTOM + height * (len(shown) - 1 - number)
        _draw_distribution(figure.add_axes((0.59, bottom + 0.055, 0.375, height - 0.115)), distribution)
    name = str(stack.attrs.get("source", "stack")).replace("\\", "/").rsplit("/", 1)[-1]
    figure.text(_LEFT, 0.965, name, va="top", fontsize=13, fontweight="bold", parse_math=False)
    figure.text(0.965, 0.965, _totals(measurements), va="top", ha="right", fontsize=9)
    figure.text(0.965, 0.02, f"deepd3_ij {__version__}", va="bottom", ha="right", fontsize=7)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None, "Creator": "deepd3_ij", "Title": name})


def _first(spines: pd.DataFrame, choices: Sequence[tuple[str, str, str]]) -> Distribution:
    """The first column that the table has with any value, else the last one."""
    name, title, unit = next((choice for choice in choices if choice[0] in spines and spines[choice[0]].notna().any()),
                             choices[-1])
    return Distribution(title, unit, "spine", spines[name].to_numpy(dtype=np.float64))


def _overview_picture(
    stack: xr.DataArray, prediction: xr.Dataset, rois: RoiSet, measurements: Measurements
) -> npt.NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "overview.png"
        draw_overview(path, stack, prediction, rois, measurements)
        picture: npt.NDArray[np.float32] = drawing_library("image").imread(path)
    return picture


def _draw_dendrites(figure: Figure, dendrites: pd.DataFrame, height: float) -> None:
    """A table of the longest dendrites in the free part below the picture, as far as they fit."""
    from matplotlib.transforms import Bbox

    rows = min(len(dendrites), int(height / _ROW) - 3)
    if rows < 1:
        return
    longest = dendrites.nlargest(rows, "length_um")
    cells = [[text.format(value) for value, (_, text) in zip(row, _LISTED.values(), strict=True)]
             for row in zip(*(longest[name].tolist() for name in _LISTED), strict=True)]
    axes = figure.add_axes((_LEFT, _BOTTOM + height - (rows + 2) * _ROW, _WIDTH, (rows + 1) * _ROW))
    axes.set_axis_off()
    table = axes.table(cells, colLabels=[title for title, _ in _LISTED.values()], cellLoc="right", colLoc="right",
                       edges="B", bbox=Bbox.unit())
    for cell in table.get_celld().values():
        cell.set(linewidth=0.4, edgecolor="0.7")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    if rows < len(dendrites):
        axes.text(0, -0.5 / (rows + 1), f"and {len(dendrites) - rows} shorter", fontsize=7.5, va="top",
                  transform=axes.transAxes)


def _draw_distribution(axes: Axes, distribution: Distribution) -> None:
    known = distribution.known
    axes.set_title(distribution.title, loc="left", fontsize=9.5, fontweight="bold", pad=15)
    axes.text(0, 1.03, distribution.summary, transform=axes.transAxes, fontsize=7.5, va="bottom")
    axes.set_xlabel(distribution.unit, fontsize=8, labelpad=1)
    axes.set_ylabel(f"{distribution.of}s", fontsize=8)
    axes.tick_params(labelsize=7.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.yaxis.set_major_locator(drawing_library("ticker").MaxNLocator(nbins=4, integer=True))
    if not len(known):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", fontsize=9)
        return
    axes.hist(known, bins=_edges(known), color=as_hex(REPORT_BAR), edgecolor="white", linewidth=0.5)
    if known.min() == known.max():
        axes.margins(x=10)
    axes.axvline(float(np.median(known)), color=as_hex(REPORT_MEDIAN), linewidth=1.4)


def _edges(known: npt.NDArray[np.float64]) -> list[float]:
    """Bins as NumPy finds them, but not so many that bars become lines, and a narrow bar for values that are equal."""
    if known.min() == known.max():
        half = max(0.02 * abs(float(known[0])), 1e-3)
        return [float(known[0]) - half, float(known[0]) + half]
    count = min(len(np.histogram_bin_edges(known, bins="auto")) - 1, _MOST_BINS)
    return np.histogram_bin_edges(known, bins=count).tolist()


def _totals(measurements: Measurements) -> str:
    spines, dendrites = measurements.spines, measurements.dendrites
    length = float(dendrites["length_um"].sum())
    on_dendrites = int(dendrites["spines"].sum())
    texts = [_counted(len(spines), "spine"), f"{_counted(len(dendrites), 'dendrite')}, {length:.0f} µm"]
    if length > 0:
        texts.append(f"{on_dendrites / length:.2f} spines per µm in all")
    return " · ".join(texts)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
