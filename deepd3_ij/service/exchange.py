"""What images, ROIs and tables look like on their way between ImageJ and the service.

Values are JSON; pixels, outlines and tables are plain numeric arrays beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from deepd3_ij.errors import FijiError, StackError, one_line
from deepd3_ij.fiji.description import ImageDescription
from deepd3_ij.files.imagej_roi import decode_roi, encode_rois
from deepd3_ij.notes import note
from deepd3_ij.rois.editing import keep_corrections
from deepd3_ij.rois.regroup import RoiPart, join_parts
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, MAPS, label_prediction, voxel_size_um

_SIGNED16_OFFSET = 32768
REINSTALL = "bring menu and Python package to one version with Plugins > DeepD3 > DeepD3 Setup..."
"""What to do if scripts and service do not understand each other."""


@dataclass(frozen=True)
class Image(ImageDescription):
    """What an ImageJ image says about itself in a message of a script."""

    remedy: ClassVar[str] = "use Set DeepD3 Voxel Size…"

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Image:
        """Read the description that a script sent."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        missing = sorted({"title", "pixel_size", "units"} - set(values))
        if unknown or missing:
            raise FijiError(f"The description of the image has {'unknown' if unknown else 'no'} "
                            f"{(unknown or missing)[0]!r}; {REINSTALL}.")
        triples = {name: tuple(values[name]) for name in ("pixel_size", "units", "origin_px") if name in values}
        if any(len(triple) != 3 for triple in triples.values()):
            raise FijiError("The description of the image holds something else than three sizes, units and origins; "
                            f"{REINSTALL}.")
        return cls(**{**values, **triples})

    def stack(self, pixels: npt.NDArray[Any]) -> xr.DataArray:
        """Pixels ``(z, y, x)`` as a labelled stack, signed if ImageJ shows them so."""
        if self.signed and pixels.dtype == np.uint16:
            pixels = (pixels ^ np.uint16(_SIGNED16_OFFSET)).view(np.int16)
        return self.labelled(pixels)

    def prediction(self, dendrite: npt.NDArray[Any], spine: npt.NDArray[Any], provenance: str) -> xr.Dataset:
        """Two probability maps ``(z, y, x)`` as a prediction."""
        if dendrite.shape != spine.shape:
            raise StackError(f"The maps have the shapes {dendrite.shape} and {spine.shape} (z, y, x); "
                             "segment the stack again.")
        return label_prediction(dendrite, spine, self.stack(spine), json.loads(provenance or "{}"))


@dataclass(frozen=True)
class Reply:
    """Answer of a verb: JSON values and arrays."""

    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


def describe_image(data: xr.DataArray | xr.Dataset) -> dict[str, Any]:
    """Voxel size, origin and source, from which a script makes an ImageJ image."""
    z_um, xy_um, _ = voxel_size_um(data)
    sizes = (z_um, xy_um, xy_um)
    origin = [-float(data.coords[dim].values[0]) / size for dim, size in zip(DIMS, sizes, strict=True)]
    return {"voxel_size_um": list(sizes), "origin_px": origin, "source": str(data.attrs.get("source", "stack"))}


def shown_pixels(pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bool]:
    """Pixels of any type in one that ImageJ shows, and whether its 16 bits are to be signed."""
    if pixels.dtype == np.int16:
        return pixels.view(np.uint16) ^ np.uint16(_SIGNED16_OFFSET), True
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        return pixels.astype(np.float32), False
    return pixels, False


def prediction_reply(prediction: xr.Dataset, **values: Any) -> Reply:
    """A prediction as an answer."""
    return Reply({"provenance": prediction.attrs.get("provenance", "{}"), "image": describe_image(prediction),
                  **values}, {name: prediction[name].values for name in MAPS})


def rois_reply(rois: RoiSet, corner_zyx: tuple[int, int, int] = (0, 0, 0), **values: Any) -> Reply:
    """ROIs as an answer: the bytes of one ``.roi`` file per spine and plane, one after the other."""
    encoded = [data for _, data in encode_rois(rois, corner_zyx)]
    return Reply({"count": len(rois), "lengths": [len(data) for data in encoded],
                  "rois_provenance": json.dumps(dict(rois.provenance), sort_keys=True, default=str), **values},
                 {"outlines": np.frombuffer(b"".join(encoded), dtype=np.uint8)})


def with_corrections(built: RoiSet, like: xr.Dataset, shown: tuple[Outlines | None, npt.NDArray[np.uint8] | None],
                     now: tuple[Outlines | None, npt.NDArray[np.uint8] | None]) -> tuple[RoiSet, RoiSet] | None:
    """Newly built ROIs with the corrections between those that were shown and those there are now, and without them.

    None if no such ROIs are given.
    """
    if shown[0] is None or now[0] is None:
        return None
    return keep_corrections(built, shown[0].rois(shown[1], like), now[0].rois(now[1], like))


def built_reply(built: RoiSet, corrected: tuple[RoiSet, RoiSet] | None) -> Reply:
    """Newly built ROIs as an answer; with corrections, what was detected comes beside them."""
    if corrected is None:
        return rois_reply(built)
    both, detected = corrected
    reply, beside = rois_reply(both), rois_reply(detected)
    return Reply({**reply.values, "detected_lengths": beside.values["lengths"],
                  "kept": both.provenance["corrections_kept"]},
                 {**reply.arrays, "detected": beside.arrays["outlines"]})


@dataclass(frozen=True)
class Outlines:
    """ROIs of ImageJ on their way in: lengths and names of the ``.roi`` files in the array, and what made them."""

    lengths: tuple[int, ...]
    names: tuple[str, ...]
    provenance: str = "{}"

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Outlines:
        """Read the description that a script sent."""
        try:
            result = cls(tuple(map(int, values["lengths"])), tuple(map(str, values["names"])),
                         str(values.get("provenance") or "{}"))
        except (KeyError, TypeError, ValueError) as error:
            raise FijiError(f"The description of the ROIs is not understood ({one_line(error)}); {REINSTALL}."
                            ) from error
        if len(result.lengths) != len(result.names):
            raise FijiError(f"There are {len(result.lengths)} ROIs and {len(result.names)} names; {REINSTALL}.")
        return result

    def rois(self, data: npt.NDArray[np.uint8] | None, like: xr.DataArray | xr.Dataset) -> RoiSet:
        """Label volume of the outlines; without edits in ImageJ the labels that they were made of.

        Raises
        ------
        FijiError
            The bytes are fewer or more than the lengths tell.
        """
        parts, skipped = self._parts(data, like)
        if skipped:
            note(f"{len(skipped)} of {len(skipped) + len(parts)} ROIs were left out (first: {skipped[0]}).")
        before = json.loads(self.provenance)
        return join_parts(parts, like, provenance={**before, **({"skipped": skipped} if skipped else {})})

    def without_plane(self, data: npt.NDArray[np.uint8] | None, like: xr.DataArray) -> list[str]:
        """Names of the outlines that lie in all planes of a stack of several."""
        if like.sizes["z"] == 1:
            return []
        return [part.name for part in self._parts(data, like)[0] if part.plane is None]

    def crop(self, data: npt.NDArray[np.uint8] | None, like: xr.DataArray) -> tuple[RoiSet, tuple[int, int, int]]:
        """Label volume of the box around the outlines, with its first voxel (z, y, x) in the image.

        Raises
        ------
        FijiError
            As in :meth:`rois`, or no outline has an area in one plane of the image.
        """
        parts = [part for part in self._parts(data, like)[0] if part.plane is not None]
        if not parts:
            raise FijiError("There is no outline with an area in a plane of the image.")
        low = (min(part.plane or 0 for part in parts), min(part.y for part in parts), min(part.x for part in parts))
        ends = (max(part.plane or 0 for part in parts) + 1, max(part.y + part.mask.shape[0] for part in parts),
                max(part.x + part.mask.shape[1] for part in parts))
        box = like.isel({dim: slice(first, end) for dim, first, end in zip(DIMS, low, ends, strict=True)})
        moved = [replace(part, plane=(part.plane or 0) - low[0], y=part.y - low[1], x=part.x - low[2])
                 for part in parts]
        return join_parts(moved, box, provenance=json.loads(self.provenance)), low

    def _parts(self, data: npt.NDArray[np.uint8] | None,
               like: xr.DataArray | xr.Dataset) -> tuple[list[RoiPart], list[str]]:
        """The outlines' pixels, and the names of those that have none, with the reason."""
        if data is None:
            data = np.zeros(0, np.uint8)
        if sum(self.lengths) != data.size:
            raise FijiError(f"The ROIs have {data.size} bytes and their lengths sum up to {sum(self.lengths)}; "
                            f"{REINSTALL}.")
        planes, height, width = (like.sizes[dim] for dim in DIMS)
        content, start = data.tobytes(), 0
        parts: list[RoiPart] = []
        skipped: list[str] = []
        for length, name in zip(self.lengths, self.names, strict=True):
            part = decode_roi(content[start:start + length], name, (height, width))
            start += length
            if isinstance(part, str):
                skipped.append(f"{name}: {part}")
            elif not part.mask.any() or (part.plane is not None and part.plane >= planes):
                skipped.append(f"{name}: no pixel inside of the image")
            else:
                parts.append(part)
        return parts, skipped


def table_values(table: pd.DataFrame) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """A table: headings with the kind of their numbers, columns of texts, and float64 of shape ``(columns, rows)``.

    Where a column holds texts, its numbers are NaN.
    """
    whole = [bool(pd.api.types.is_integer_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]))
             for name in table.columns]
    texts = {str(name): table[name].fillna("").astype(str).tolist() for name in table.columns
             if not pd.api.types.is_numeric_dtype(table[name])}
    values = np.stack([np.full(len(table), np.nan) if name in texts else table[name].to_numpy(dtype=np.float64)
                       for name in table.columns])
    return {"headings": [str(name) for name in table.columns], "whole": whole, "texts": texts}, values


def merged(*replies: Reply, **values: Any) -> Reply:
    """Several answers as one."""
    return Reply({key: value for reply in (*replies, Reply(values)) for key, value in reply.values.items()},
                 {key: value for reply in replies for key, value in reply.arrays.items()})


def grid(image: Image, shape: Sequence[int]) -> xr.DataArray:
    """Shape and coordinates (z, y, x) without pixels (zeros that take no memory)."""
    return image.stack(np.broadcast_to(np.zeros((), np.uint8), tuple(shape)))
