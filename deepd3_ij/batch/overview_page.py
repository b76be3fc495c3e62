"""One page over all stacks of a batch: a file that can be mailed, without network and without a build."""

from __future__ import annotations

import base64
import datetime
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deepd3_ij.batch.collecting import StackResult
from deepd3_ij.batch.page_style import SCRIPT, STYLE
from deepd3_ij.batch.tables import ALL_DENDRITES_CSV, ALL_SPINES_CSV, STACKS_CSV, text_of
from deepd3_ij.printing import printable
from deepd3_ij.version import __version__

OVERVIEW = "overview.html"
THUMBNAIL_PX, LARGEST_THUMBNAIL_BYTES = 320, 25_000
ALL_THUMBNAILS_BYTES = 9_000_000
"""Room for the thumbnails of all stacks together: the more stacks, the smaller they are."""

_WIDTHS = (THUMBNAIL_PX, 240, 180, 120)
_QUALITIES = (80, 65, 45)
_BARS = 20
_LARGEST_PIXELS = 200_000_000

_COLUMNS: Mapping[str, str] = {
    "Picture": "Maximum projection with what was found; a click shows the whole picture",
    "Stack": "Path below the folder of the stacks",
    "Size": "Planes × height × width",
    "Voxel (µm)": "Distance of planes × size of a pixel, and where they come from",
    "Spines": "Number of spines",
    "Length (µm)": "Length of all dendrites",
    "Density (1/µm)": "Spines on dendrites per µm, with the 95 % interval of the count",
    "Saturated": "Share of voxels at the end of the pixel type's range",
    "Warnings": "What is doubtful",
    "Time (s)": "Reading, computing and writing",
}


def write_overview(path: Path, results: Sequence[StackResult], folder: Path) -> None:
    """Write the page of a folder of results; links in it are relative to that folder."""
    path.write_text(overview_page(results, folder), encoding="utf-8", errors="backslashreplace")


def overview_page(results: Sequence[StackResult], folder: Path) -> str:
    """The page as HTML.

    Parameters
    ----------
    results
        The stacks.
    folder
        Where the results lie.
    """
    done = [result for result in results if not result.failure]
    failed = [result for result in results if result.failure]
    parts = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data: \'self\' file:; '
             'style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">',
             f"<title>DeepD3 batch: {len(results)} stacks</title><style>{STYLE}</style></head><body>",
             _header(results, done, failed), _failures(failed) if failed else "", _table(done, folder),
             _histogram(done), _methods(done), f"<script>{SCRIPT}</script></body></html>"]
    return "\n".join(part for part in parts if part) + "\n"


def _header(results: Sequence[StackResult], done: Sequence[StackResult], failed: Sequence[StackResult]) -> str:
    spines = sum(result.spines or 0 for result in done)
    length_um = sum(result.length_um or 0.0 for result in done)
    on_dendrite = sum(result.on_dendrite or 0 for result in done)
    ends = sorted(str(result.facts["ended"]) for result in done if result.facts.get("ended"))
    when = f"{ends[-1][:16].replace('T', ' ')} UTC" if ends else f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    totals = [("Stacks done", f"{len(done)}"), ("Failed", f"{len(failed)}"), ("Spines", f"{spines}"),
              ("Dendrite", f"{length_um:.0f} µm"),
              ("Spines per µm", f"{on_dendrite / length_um:.2f}" if length_um else "–"),
              ("Computing", _duration(sum(result.seconds or 0 for result in done)))]
    cards = "".join(f'<li class="{"bad" if name == "Failed" and failed else ""}"><b>{escape(value)}</b> {escape(name)}'
                    "</li>" for name, value in totals)
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in (STACKS_CSV, ALL_SPINES_CSV, ALL_DENDRITES_CSV))
    return (f"<header><h1>DeepD3 batch</h1><p>{len(results)} stacks, last result {escape(when)}. Tables: {links}. "
            f"Again: <code>deepd3-ij batch --config run.yaml</code></p><ul class=\"totals\">{cards}</ul></header>")


def _failures(failed: Sequence[StackResult]) -> str:
    groups: dict[str, list[StackResult]] = {}
    for result in failed:
        groups.setdefault(_kind_of(result), []).append(result)
    shown = []
    for kind, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        rows = "".join(f"<li><b>{_text(result.name)}</b>: {_text(result.failure['reason'])}</li>" for result in members)
        is_open = " open" if len(members) <= 10 else ""
        shown.append(f"<details{is_open}><summary>{len(members)} × {_text(kind)}</summary><ul>{rows}</ul></details>")
    return f'<section class="failures"><h2>Failed: {len(failed)}</h2>{"".join(shown)}</section>'


def _kind_of(result: StackResult) -> str:
    """A reason without what differs from stack to stack."""
    reason = str(result.failure["reason"])
    for own in sorted({str(result.name), Path(result.name).name, result.stem}, key=len, reverse=True):
        reason = re.sub(rf"(?<!\w){re.escape(own)}(?!\w)", "…", reason)
    reason = re.sub(r"\S*[/\\]…", "…", reason)
    return re.sub(r"\d+(?:\.\d+)?", "#", reason).split(";")[0].strip()


def _table(done: Sequence[StackResult], folder: Path) -> str:
    if not done:
        return ""
    heads = "".join(f'<th scope="col" title="{escape(about)}">{escape(name)}</th>' for name, about in _COLUMNS.items())
    each = min(LARGEST_THUMBNAIL_BYTES, ALL_THUMBNAILS_BYTES // len(done))
    rows = "\n".join(_row(result, folder, each) for result in done)
    return (f'<section><h2>Stacks</h2><div class="tools" hidden></div><div class="wide"><table id="stacks"><thead><tr>'
            f"{heads}</tr></thead><tbody>\n{rows}\n</tbody></table></div></section>")


def _row(result: StackResult, folder: Path, thumbnail_bytes: int) -> str:
    facts = result.facts
    shape = facts.get("shape") or []
    density = result.density()
    sizes = [text_of(facts.get(name)) or "?" for name in ("z_um", "xy_um")]
    saturated = facts.get("saturated_fraction")
    warnings = [str(text) for text in facts.get("warnings", ())]
    count = 1
    for size in shape:
        count *= int(size)
    told = f"{len(warnings)} ⚠" if warnings else ""
    cells: list[tuple[Any, str, str]] = [
        ("", "picture", _picture(result, folder, thumbnail_bytes)),
        (result.name, "name", _text(result.name)),
        (count, "", " × ".join(str(int(size)) for size in shape)),
        (sizes[1], "", f"{' × '.join(sizes)}<br><small>{_text(facts.get('voxel_size_from', ''))}</small>"),
        (result.spines, "n", text_of(result.spines)),
        (result.length_um, "n", "" if result.length_um is None else f"{result.length_um:.0f}"),
        (density and density[0], "n", "" if density is None else
         f"{density[0]:.2f}<br><small>{density[1]:.2f}–{density[2]:.2f}</small>"),
        (saturated, "n", "" if saturated is None else f"{100 * saturated:.2g} %"),
        (len(warnings), "", f"<details><summary>{told}</summary>{'<br>'.join(map(_text, warnings))}</details>"
         if warnings else ""),
        (result.seconds, "n", "" if result.seconds is None else f"{result.seconds:.0f}")]
    shown = "".join(f'<td{_class(kind)} data-v="{_text("" if value is None else value)}">{html}</td>'
                    for value, kind, html in cells)
    return f"<tr>{shown}</tr>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _picture(result: StackResult, folder: Path, largest_bytes: int) -> str:
    file = result.folder / f"{result.stem}_overview.png"
    if not file.is_file():
        return ""
    link = quote((result.folder.relative_to(folder) / file.name).as_posix(), errors="surrogateescape")
    image = thumbnail(file, largest_bytes)
    shown = f"whole picture of {_text(result.name)}"
    if image is None:
        return f'<a href="{link}" aria-label="{shown}">picture</a>'
    data = base64.b64encode(image).decode("ascii")
    return f'<a href="{link}"><img alt="{shown}" loading="lazy" src="data:image/jpeg;base64,{data}"></a>'


def thumbnail(file: Path, largest_bytes: int) -> bytes | None:
    """A picture as a small JPEG of at most so many bytes; None if that cannot be."""
    from PIL import Image

    with suppress(OSError, ValueError, Image.DecompressionBombError), Image.open(file) as picture:
        if picture.width * picture.height > _LARGEST_PIXELS:
            return None
        whole = picture.convert("RGB")
        for width in _WIDTHS:
            small = whole.copy()
            small.thumbnail((width, width))
            for quality in _QUALITIES:
                stream = io.BytesIO()
                small.save(stream, "JPEG", quality=quality, optimize=True)
                if stream.tell() <= largest_bytes:
                    return stream.getvalue()
    return None


def _histogram(done: Sequence[StackResult]) -> str:
    """How the densities are distributed, as a drawing."""
    densities = [found[0] for result in done if (found := result.density()) is not None]
    if len(densities) < 3:
        return ""
    top = max(max(densities), 1e-6)
    counts = [0] * _BARS
    for density in densities:
        counts[min(_BARS - 1, int(density / top * _BARS))] += 1
    high, width, height, left, floor = max(counts), 24, 120, 40, 140
    bars = "".join(
        f'<rect x="{left + number * width}" y="{floor - height * count / high:.1f}" width="{width - 3}" '
        f'height="{height * count / high:.1f}"><title>{number * top / _BARS:.2f} to {(number + 1) * top / _BARS:.2f} '
        f"per µm: {count} stacks</title></rect>" for number, count in enumerate(counts))
    ticks = "".join(f'<text x="{left + part * _BARS * width / 4:.0f}" y="{floor + 16}" text-anchor="middle">'
                    f"{part * top / 4:.2f}</text>" for part in range(5))
    return (f'<section><h2>Spine densities</h2><svg role="img" aria-label="Histogram of spine densities" '
            f'viewBox="0 0 {left * 2 + _BARS * width} {floor + 42}" class="histogram">{bars}'
            f'<line x1="{left}" x2="{left + _BARS * width}" y1="{floor}" y2="{floor}"/>{ticks}'
            f'<text x="{left - 8}" y="{floor - height + 10}" text-anchor="end">{high}</text>'
            f'<text x="{left + _BARS * width / 2:.0f}" y="{floor + 36}" text-anchor="middle">spines per µm of dendrite'
            "</text></svg></section>")


def _methods(done: Sequence[StackResult]) -> str:
    """A paragraph for the methods of a paper, and what differs within the folder."""
    groups: dict[str, list[StackResult]] = {}
    for result in done:
        groups.setdefault(result.settings_key, []).append(result)
    shown = []
    for members in sorted(groups.values(), key=len, reverse=True):
        known = members[0].record.get("settings", {})
        analysis = known.get("analysis")
        typed = analysis.get("typed", {}) if isinstance(analysis, dict) else {}
        changed = "; ".join(f"{name} = {value}" for values in typed.values() for name, value in values.items())
        values = f"Values other than the recommended ones: {_text(changed)}." if changed else (
            "All values were the recommended ones.")
        shown.append(
            f"<p>{len(members)} stack{'s' * (len(members) != 1)}: dendrites and dendritic spines were found with "
            f"deepd3_ij {_text(known.get('version', __version__))} (network with SHA-256 <code>"
            f"{_text(known.get('model_sha256'))}</code>). {values} "
            "Densities are spines on dendrites per length of their centre lines, with exact 95&nbsp;% intervals of the "
            "counts (Poisson).</p>")
    differ = '<p class="note">Not all stacks were analyzed with the same version, model and settings.</p>' if (
        len(groups) > 1) else ""
    return f"<section><h2>Methods</h2>{differ}{''.join(shown)}</section>" if shown else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _text(value: Any) -> str:
    """Names of files, errors and notes are no HTML."""
    return escape(printable("" if value is None else value))
