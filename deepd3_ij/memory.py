"""How work fits into memory and onto the disk: planned before it begins, and kept to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepd3_ij.atomic import check_room, hidden_folder
from deepd3_ij.errors import ParameterError
from deepd3_ij.input_limits import available_bytes, resident_bytes
from deepd3_ij.slabs import Shape, Workspace, working_in

SHARE_OF_FREE = 0.6
SHARE_PLANNED = 0.85
"""Share of what is free that is taken if the user gives no limit, and share of the limit that is planned for: the rest
is for what depends on the image (ROIs, tables) and for what the system's allocator keeps."""
LIBRARIES_BYTES = 62_000_000
"""Allowance for libraries that are not loaded yet and for compiling."""
NETWORK_BYTES = 100_000_000
PREDICTION_BYTES_PER_PIXEL = 18 * 32
LARGEST_TILE_PX = 1_737_000
"""What a prediction is counted with: the network's weights and what was compiled, and 18 bytes for each of 32 filters
and each pixel of a tile. Smaller networks take less."""
WHOLE_COPIES = 5.5
"""4-byte copies of a volume that an analysis in memory is counted with: two maps, their cleaned copies, one of them in
work, and a half to spare."""
LARGEST_STEP_COPIES = 4.0
"""4-byte copies of a slab that the step with most of them is counted with."""
CLEANING_HALO = 6
CLEANING_COPIES = 3.5
LOWEST_BAND_ROWS = 64
"""Planes and rows on each side that the usual connecting of dendrite reads beside those that it writes, 4-byte copies
of all of them, and the fewest rows that are read at once where not even one plane with those around it fits."""
SECONDS_PER_VOXEL = 3e-8
"""Of cleaning, ROIs, measures and writing on two cores; a rough figure, as it depends on what is found."""
PREDICTION_SECONDS_PER_VOXEL = 3.2e-6
"""Of a network with 32 filters on two cores; a rough figure."""
_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def parse_memory(text: str) -> int:
    """Read an amount of memory such as ``6GB``, ``800M`` or ``4GiB``, in bytes.

    Raises
    ------
    ParameterError
        It is no such amount.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    amount = float(found[1]) * _UNITS.get(found[2], 0) if found else 0
    if amount < 1:
        raise ParameterError(f"'{text}' is no amount of memory; accepted: a number with a unit, e.g. 6GB or 800MB.")
    return int(amount)


def usual_memory() -> int | None:
    """What a run may take if the user gives no limit: 60 % of what the machine or its cgroup has free, in bytes."""
    free = available_bytes()
    return None if free is None else int(SHARE_OF_FREE * free)


@dataclass(frozen=True)
class Plan:
    """How a volume is worked on.

    Attributes
    ----------
    shape
        Planes, rows and columns.
    what
        The volume in words.
    memory_bytes
        What the work is to keep to; None if nothing is known.
    slab_bytes
        Memory for slabs; None to work on the whole volume in memory.
    scratch_bytes
        Room on the disk that is taken while the work goes on.
    output_bytes
        Room that the results take at least.
    seconds
        Time that it takes, roughly.
    cleaned
        Whether the maps are cleaned.
    """

    shape: Shape
    what: str
    memory_bytes: int | None
    slab_bytes: int | None
    scratch_bytes: int
    output_bytes: int
    seconds: float
    cleaned: bool = False

    @property
    def slab_planes(self) -> int:
        """Planes of the smallest slabs; all of them if one slab does."""
        return Workspace(self.slab_bytes).height(self.shape, LARGEST_STEP_COPIES)

    @property
    def band_rows(self) -> int:
        """Rows that cleaning works on at once; all of a plane unless that, with the planes around it, is too large."""
        if not self.cleaned:
            return self.shape[1]
        return Workspace(self.slab_bytes).rows(self.shape, CLEANING_COPIES, CLEANING_HALO, CLEANING_HALO)

    @property
    def takes_slabs(self) -> bool:
        """Whether the work keeps to slabs, with scratch files on the disk."""
        return self.slab_bytes is not None

    def describe(self) -> str:
        """One line that says what will be done."""
        planes = self.slab_planes
        count = -(-self.shape[0] // planes)
        bands = f", cleaned in bands of {self.band_rows} rows" if self.band_rows < self.shape[1] else ""
        how = "in memory" if count == 1 else (f"{count} slabs of {planes} plane{'s' * (planes != 1)}{bands}, at most "
                                              f"{_amount(self.memory_bytes or 0)} of memory")
        disk = self.scratch_bytes + self.output_bytes
        scratch = f" (scratch {_amount(self.scratch_bytes)})" if self.scratch_bytes else ""
        return f"{self.what}: {how}, {_amount(disk)} of disk{scratch}, about {_duration(self.seconds)}"


def plan(shape: Shape, memory_bytes: int | None, *, what: str = "", image_bytes: int = 0, predicted: bool = False,
         cleaned: bool = True, in_files: bool = False, shared: bool = False, plane_bytes: int = 0,
         output_bytes: int = 0) -> Plan:
    """Decide whether a volume is worked on in memory or in slabs, and how high these are.

    Parameters
    ----------
    shape
        Planes, rows and columns.
    memory_bytes
        Limit; None for :func:`usual_memory`, which is a wish: where even the lowest slabs need more, they are taken.
    what
        What it is, for the description.
    image_bytes
        Bytes per voxel of an image that is there as well.
    predicted, cleaned
        Whether the maps are predicted first, and whether they are cleaned.
    in_files
        The maps go straight into the files of the results, plane by plane.
    shared
        Volumes lie in scratch files, which other computers read and write, too, whatever memory there is.
    plane_bytes
        What the prediction of a plane takes beside its tiles.
    output_bytes
        Room that the results take at least.

    Raises
    ------
    ParameterError
        The limit that the user gave is too low for the lowest slabs.
    """
    given = memory_bytes is not None
    memory_bytes = memory_bytes if given else usual_memory()
    voxels = math.prod(shape)
    seconds = voxels * (SECONDS_PER_VOXEL + (PREDICTION_SECONDS_PER_VOXEL if predicted else 0))
    what = f"{' × '.join(map(str, shape))} {what}".strip()
    predicting = _prediction_bytes(shape) + plane_bytes if predicted else 0
    whole_bytes = voxels * (4 * WHOLE_COPIES + image_bytes) + predicting
    if memory_bytes is None:
        if not shared:
            return Plan(shape, what, None, None, 0, output_bytes, seconds)
        memory_bytes = _limit_for(whole_bytes)
    free = _free_within(memory_bytes)
    if not (in_files or shared) and whole_bytes <= free:
        return Plan(shape, what, memory_bytes, None, 0, output_bytes, seconds)
    cleaned = cleaned and not in_files
    needed = max(_lowest_slab_bytes(shape, cleaned), predicting)
    least = _limit_for(needed)
    if free < needed and given:
        raise ParameterError(f"--memory is {_amount(memory_bytes)}, and {what} needs at least {_amount(least)}; give "
                             "more, or crop the stack.")
    # The maps and the image; closed and cleaned dendrite, cleaned spines.
    scratch = 0 if in_files else voxels * (4 * (2 + (3 if cleaned else 0)) + image_bytes)
    return Plan(shape, what, max(memory_bytes, least), max(1, int(free)), scratch, output_bytes,
                seconds * 1.3, cleaned)


@contextmanager
def kept_to(planned: Plan, folder: Path) -> Iterator[Path | None]:
    """Let all steps in the block work as planned, with scratch files in a hidden folder that is removed afterwards.

    Parameters
    ----------
    planned
        What :func:`plan` decided.
    folder
        Existing folder of the results.

    Yields
    ------
    pathlib.Path or None
        The hidden folder, named from the root on; None if there is none.

    Raises
    ------
    OutputError
        The disk has not enough room.
    """
    check_room(folder, planned.output_bytes + planned.scratch_bytes)
    if planned.slab_bytes is None:
        yield None
        return
    with hidden_folder(folder.resolve(), folder) as scratch, working_in(Workspace(planned.slab_bytes, scratch=scratch)):
        yield scratch


def slab_bytes_within(memory_bytes: int | None, shape: Shape) -> int | None:
    """Memory for the slabs of a step that alone goes on in this process, not below that of the lowest slabs.

    Parameters
    ----------
    memory_bytes
        Limit of the process; None for :func:`usual_memory`.
    shape
        Planes, rows and columns.

    Returns
    -------
    int or None
        Bytes; None if nothing is known.
    """
    limit = usual_memory() if memory_bytes is None else memory_bytes
    return None if limit is None else max(_lowest_slab_bytes(shape, cleaned=True), int(_free_within(limit)))


def _free_within(memory_bytes: int) -> float:
    """What a limit leaves beside what this process has already and what its libraries will take."""
    return SHARE_PLANNED * memory_bytes - resident_bytes() - LIBRARIES_BYTES


def _limit_for(needed_bytes: float) -> int:
    """The limit that leaves so much."""
    return math.ceil((needed_bytes + resident_bytes() + LIBRARIES_BYTES) / SHARE_PLANNED)


def _lowest_slab_bytes(shape: Shape, cleaned: bool) -> int:
    rows = LARGEST_STEP_COPIES * shape[1]
    if cleaned:
        rows = max(rows, CLEANING_COPIES * min(shape[0], 2 * CLEANING_HALO + 1) * min(shape[1], LOWEST_BAND_ROWS))
    return int(4 * shape[2] * rows)


def _prediction_bytes(shape: Shape) -> int:
    return NETWORK_BYTES + PREDICTION_BYTES_PER_PIXEL * min(shape[1] * shape[2], LARGEST_TILE_PX)


def _amount(count: float) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
