"""What images, ROIs and tables look like on their way between ImageJ and the service.

Values are JSON; pixels, outlines and tables are plain numeric arrays beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from deepd3_ij.errors import FijiError, StackError, one_line
from deepd3_ij.fiji.description import ImageDescription
from deepd3_ij.files.imagej_roi import decode_roi, encode_rois
from deepd3_ij.rois.regroup import RoiPart, join_parts
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, label_prediction, voxel_size_um

_SIGNED16_OFFSET = 32768


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
                            f"{(unknown or missing)[0]!r}; install the scripts again: deepd3-ij install-fiji.")
        triples = {name: tuple(values[name]) for name in ("pixel_size", "units", "origin_px") if name in values}
        if any(len(triple) != 3 for triple in triples.values()):
            raise FijiError("The description of the image holds something else than three sizes, units and origins; "
                            "install the scripts again: deepd3-ij install-fiji.")
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


def prediction_reply(prediction: xr.Dataset, **values: Any) -> Reply:
    """A prediction as an answer."""
    return Reply({"provenance": prediction.attrs.get("provenance", "{}"), "image": describe_image(prediction),
                  **values}, {name: prediction[name].values for name in ("dendrite", "spine")})


def rois_reply(rois: RoiSet, **values: Any) -> Reply:
    """ROIs as an answer: the bytes of one ``.roi`` file per spine and plane, one after the other."""
    encoded = [data for _, data in encode_rois(rois)]
    return Reply({"count": len(rois), "lengths": [len(data) for data in encoded],
                  "rois_provenance": json.dumps(dict(rois.provenance), sort_keys=True, default=str), **values},
                 {"outlines": np.frombuffer(b"".join(encoded), dtype=np.uint8)})


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
            raise FijiError(f"The description of the ROIs is not understood ({one_line(error)}); install the scripts "
                            "again: deepd3-ij install-fiji.") from error
        if len(result.lengths) != len(result.names):
            raise FijiError(f"There are {len(result.lengths)} ROIs and {len(result.names)} names; install the scripts "
                            "again: deepd3-ij install-fiji.")
        return result

    def rois(self, data: npt.NDArray[np.uint8] | None, like: xr.DataArray | xr.Dataset) -> RoiSet:
        """Label volume of the outlines; without edits in ImageJ the labels that they were made of.

        Raises
        ------
        FijiError
            The bytes are fewer or more than the lengths tell.
        """
        if data is None:
            data = np.zeros(0, np.uint8)
        if sum(self.lengths) != data.size:
            raise FijiError(f"The ROIs have {data.size} bytes and their lengths sum up to {sum(self.lengths)}; "
                            "install the scripts again: deepd3-ij install-fiji.")
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
        before = json.loads(self.provenance)
        return join_parts(parts, like, provenance={**before, **({"skipped": skipped} if skipped else {})})


def table_values(table: pd.DataFrame) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """A table of numbers: headings with the kind of their numbers, and float64 of shape ``(columns, rows)``."""
    whole = [bool(pd.api.types.is_integer_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]))
             for name in table.columns]
    values = np.stack([table[name].to_numpy(dtype=np.float64) for name in table.columns])
    return {"headings": [str(name) for name in table.columns], "whole": whole}, values


def merged(*replies: Reply, **values: Any) -> Reply:
    """Several answers as one."""
    return Reply({key: value for reply in (*replies, Reply(values)) for key, value in reply.values.items()},
                 {key: value for reply in replies for key, value in reply.arrays.items()})


def grid(image: Image, shape: Sequence[int]) -> xr.DataArray:
    """Shape and coordinates (z, y, x) without pixels (zeros that take no memory)."""
    return image.stack(np.broadcast_to(np.zeros((), np.uint8), tuple(shape)))
