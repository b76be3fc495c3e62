"""When the time points of one file were imaged, as its metadata tell, in days.

ImageJ states an interval between frames (``finterval``, in ``tunit``), OME-XML an increment (``TimeIncrement``) or the
time of every plane (``DeltaT``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

_DAYS_OF_UNIT = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1 / 86_400_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1 / 86_400),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 1 / 1440),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 1 / 24),
    **dict.fromkeys(("d", "day", "days"), 1.0),
    **dict.fromkeys(("week", "weeks"), 7.0),
}
"""A unit without capitals; OME's and ImageJ's names."""


def unit_in_days(unit: str) -> float | None:
    """Length of a unit of time in days, or None if it is none that is known."""
    return _DAYS_OF_UNIT.get(unit.strip().lower())


def imagej_frame_days(metadata: Mapping[str, Any], frames: int) -> tuple[float, ...]:
    """Days of the frames of an ImageJ hyperstack; empty if it states no interval.

    Parameters
    ----------
    metadata
        Entries of the image description.
    frames
        Number of time points.
    """
    unit = unit_in_days(str(metadata.get("tunit", "sec")))
    interval = _number(metadata.get("finterval"))
    return _rising([number * interval * unit for number in range(frames)]) if interval and unit else ()


def ome_frame_days(xml: str, sizes: Mapping[str, int]) -> tuple[float, ...]:
    """Days of the time points in OME-XML, from the first one; empty if they are not stated.

    Parameters
    ----------
    xml
        The OME-XML text.
    sizes
        Number of pixels along "X" and "Y" and of time points "T" of the image that is meant.
    """
    for pixels in ElementTree.fromstring(xml).iter():
        if _tag(pixels) != "Pixels" or any(pixels.get("Size" + axis) != str(size) for axis, size in sizes.items()):
            continue
        days = _plane_days(pixels, sizes["T"])
        if days:
            return days
        unit = unit_in_days(pixels.get("TimeIncrementUnit", "s"))
        interval = _number(pixels.get("TimeIncrement"))
        if interval and unit:
            return _rising([number * interval * unit for number in range(sizes["T"])])
    return ()


def _plane_days(pixels: ElementTree.Element, frames: int) -> tuple[float, ...]:
    """The earliest plane of each time point; empty unless all have one."""
    found: dict[int, float] = {}
    for plane in pixels:
        if _tag(plane) != "Plane":
            continue
        frame, delta = _number(plane.get("TheT")), _number(plane.get("DeltaT"))
        unit = unit_in_days(plane.get("DeltaTUnit", "s"))
        if frame is not None and delta is not None and unit:
            found[int(frame)] = min(found.get(int(frame), math.inf), delta * unit)
    if not set(range(frames)) <= set(found):
        return ()
    return _rising([found[frame] - found[0] for frame in range(frames)])


def _rising(days: Sequence[float]) -> tuple[float, ...]:
    """Days without the last bits of sums; empty if they do not rise, as then they tell nothing."""
    rounded = tuple(float(f"{day:.12g}") for day in days)
    return rounded if all(one < other for one, other in pairwise(rounded)) else ()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
