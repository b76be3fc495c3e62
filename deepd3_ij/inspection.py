"""What the program sees in a file that a user gives to it: kind, axes, sizes, values, and what is doubtful."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.errors import DeepD3Error
from deepd3_ij.files.zarr_stores import is_zarr, shown_name
from deepd3_ij.input_limits import check_regular
from deepd3_ij.notes import collected_notes

_MOST_PLANES = 300
_MOST_CHANNELS = 8
_ACCEPTED = ("a TIFF or OME-Zarr stack, a .prediction, .rois, .d3data or .d3set file, a mask (.mask), a tracing "
             "(.swc), ROIs (.zip, .roi), a table (.csv), a model (.keras, .h5) or settings (.roi3d_settings)")


@dataclass
class Inspection:
    """What is in a file.

    Attributes
    ----------
    file, kind
        Name, and what it is in words.
    facts
        Values by name, in the order in which they are to be shown: texts, numbers, lists of numbers.
    notes
        What the user should know, one line each.
    problem
        Why the file cannot be used; empty if it can.
    """

    file: str
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""

    def lines(self) -> list[str]:
        """What a person reads: a line for each fact and note."""
        return [*(f"{name}: {_text(value)}" for name, value in self.facts.items()),
                *(f"note: {note}" for note in self.notes)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def inspect(path: str | PathLike[str]) -> Inspection:
    """Look into a file; what is wrong with it is part of the answer.

    Parameters
    ----------
    path
        Any file that the program reads.

    Returns
    -------
    Inspection
    """
    place = Path(path)
    name, look = _KINDS.get(place.suffix.lower(), ("", _unknown))
    if not name and place.suffix.lower() in (".tif", ".tiff", ".btf", ".tf8", ".lsm"):
        name, look = "image", _image
    zarr = is_zarr(path)
    if zarr:
        name = "image"
    seen = Inspection(shown_name(path) if zarr else place.name, name or "unknown")
    with collected_notes() as notes:
        try:
            if zarr:
                _image(path, seen)
            else:
                seen.facts["bytes"] = check_regular(place, _ACCEPTED)
                look(place, seen)
        except DeepD3Error as error:
            seen.problem = str(error)
        except MemoryError:
            seen.problem = f"{place.name} needs more memory than is free."
    seen.notes += [text for text in notes if text not in seen.notes]
    return seen


def _text(value: Any) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unknown(path: Path, seen: Inspection) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        seen.kind = "image"
        _image(path, seen)
    else:
        seen.problem = f"{path.name} is of no kind that is read; accepted: {_ACCEPTED}."


def _image(path: str | PathLike[str], seen: Inspection) -> None:
    from deepd3_ij.files.image_reader import look_into

    content = look_into(path)
    seen.kind = content.kind
    seen.facts |= {"axes": content.axes, "sizes": list(content.sizes), "pixel type": content.dtype,
                   "pages": content.pages}
    if content.levels > 1:
        seen.facts["resolution levels"] = content.levels
    size = content.voxel_size
    seen.facts["pixel size in µm (x, y)"] = [size.x_um, size.y_um]
    seen.facts["distance of planes in µm"] = size.z_um
    seen.facts["voxel size from"] = size.origin or "nothing; it has to be given"
    if size.unknown_unit:
        seen.notes.append(f"{seen.file}: its unit {size.unknown_unit!r} is no length that is known.")
    seen.notes += content.notes
    for channel in range(min(content.channels, _MOST_CHANNELS)):
        _values(path, seen, content, channel)


def _values(path: str | PathLike[str], seen: Inspection, content: Any, channel: int) -> None:
    """Range, saturation and outliers of a channel of the first time point."""
    from deepd3_ij.files.image_reader import open_stack
    from deepd3_ij.segmentation.likeness import MEASURES, measure_quality
    from deepd3_ij.segmentation.normalisation import without_outliers
    from deepd3_ij.stack import label_stack

    stack = open_stack(path, xy_um=1.0, z_um=1.0, channel=channel, frame=0, lazy=True)
    planes = np.unique(np.linspace(0, len(stack) - 1, min(len(stack), _MOST_PLANES)).astype(int))
    low, high, saturated, hot, flat = np.inf, -np.inf, 0, 0, 0
    limit = np.iinfo(stack.dtype).max if stack.dtype.kind in "iu" else np.inf
    for z in planes:
        plane = np.asarray(stack[z].data)
        low, high = min(low, float(plane.min())), max(high, float(plane.max()))
        saturated += int(np.count_nonzero(plane >= limit))
        hot += without_outliers(plane)[1]
        flat += bool(plane.min() == plane.max())
    of = f" of channel {channel}" if content.channels > 1 else ""
    seen.facts[f"values{of}"] = [low, high]
    pixels = len(planes) * stack.shape[1] * stack.shape[2]
    seen.facts[f"saturated pixels{of}"] = saturated
    seen.facts[f"hot or dead pixels{of}"] = hot
    size = content.voxel_size
    if size.x_um and size.z_um:
        quality = measure_quality(label_stack(stack.data, xy_um=size.x_um, z_um=size.z_um))
        for name, value in quality.items():
            if name not in ("xy_um", "z_um"):  # told before
                words, unit = MEASURES[name].words.removeprefix("the "), MEASURES[name].unit
                seen.facts[f"{words}{f' in {unit}' if unit else ''}{of}"] = (
                    float(f"{value:.3g}") if math.isfinite(value) else None)
    if len(planes) < len(stack):
        seen.facts[f"planes looked at{of}"] = len(planes)
    if saturated > pixels / 1000:
        seen.notes.append(f"{seen.file}: {saturated / pixels:.1%} of the pixels{of} have the largest value ({limit}); "
                          "where they are, brightness cannot be told.")
    if hot:
        seen.notes.append(f"{seen.file}: {hot} isolated pixels{of} lie far beyond all others; they do not count for "
                          "the grey range.")
    if flat:
        seen.notes.append(f"{seen.file}: in {flat} of {len(planes)} planes{of} all pixels are equal; nothing is found "
                          "there.")


def _prediction(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.hdf5 import read_prediction
    from deepd3_ij.stack import MAPS, provenance_of, voxel_size_um

    try:
        prediction = read_prediction(path)
        seen.facts["voxel size in µm (z, y, x)"] = list(voxel_size_um(prediction))
    except DeepD3Error as error:
        if "voxel size" not in str(error):
            raise
        prediction = read_prediction(path, xy_um=1.0, z_um=1.0)
        seen.notes.append(str(error))
    for name in MAPS:
        values = prediction[name].values
        seen.facts["shape (z, y, x)"] = list(values.shape)
        low, high = float(values.min()), float(values.max())
        seen.facts[f"{name} probabilities"] = [low, high]
        if not (low >= 0 and high <= 1):
            seen.problem = f"{path.name}: the {name} map has values from {low:g} to {high:g}; accepted: 0 to 1."
    model = provenance_of(prediction).get("model")
    if isinstance(model, dict) and model.get("name"):
        seen.facts["model"] = str(model["name"])


def _roi_map(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.hdf5 import read_rois
    from deepd3_ij.stack import voxel_size_um

    try:
        rois = read_rois(path)
        seen.facts["voxel size in µm (z, y, x)"] = list(voxel_size_um(rois.labels))
    except DeepD3Error as error:
        if "voxel size" not in str(error):
            raise
        rois = read_rois(path, xy_um=1.0, z_um=1.0)
        seen.notes.append(str(error))
    seen.facts |= {"shape (z, y, x)": list(rois.labels.shape), "ROIs": len(rois), "dimensions": rois.dimensions}


def _training_data(path: Path, seen: Inspection) -> None:
    from deepd3_ij.training.dataset import describe_training_data

    for number, row in describe_training_data(path).iterrows():
        seen.facts[f"stack {number}"] = (
            f"{' × '.join(map(str, row['shape']))} (z, y, x), {row['dtype']}, {row['minimum']:g} to "
            f"{row['maximum']:g}, pixel {row['Resolution_XY']:g} µm, planes {row['Resolution_Z']:g} µm apart, "
            f"{row['dendrite_voxels']} dendrite and {row['spine_voxels']} spine voxels")


def _pipra(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.masks import read_pipra_foreground

    mask = read_pipra_foreground(path)
    seen.facts |= {"shape (z, y, x)": list(mask.shape), "foreground voxels": int(np.count_nonzero(mask))}


def _tracing(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.swc import read_swc

    tracing = read_swc(path)
    begin, end = tracing.segments.T
    length = float(np.linalg.norm(tracing.xyz[end] - tracing.xyz[begin], axis=1).sum())
    seen.facts |= {"nodes": len(tracing), "trees": len(tracing) - len(begin), "length": length,
                   "from x, y, z": tracing.xyz.min(axis=0).tolist(), "to x, y, z": tracing.xyz.max(axis=0).tolist(),
                   "radii": [float(tracing.radius.min()), float(tracing.radius.max())]}
    unknown = int(np.count_nonzero(tracing.radius == 0))
    if unknown:
        seen.notes.append(f"{path.name}: {unknown} of {len(tracing)} nodes have no radius; they are drawn as lines.")


def _rois(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.roi_zip import list_rois

    found = list_rois(path)
    seen.facts["selections"] = len(found)
    for what, values in (("planes", [roi.plane for roi in found]), ("time points", [roi.frame for roi in found]),
                         ("channels", [roi.channel for roi in found])):
        known = [value + 1 for value in values if value is not None]
        if known:
            seen.facts[f"{what} (from 1)"] = [min(known), max(known)]
    without = sum(roi.plane is None for roi in found)
    if without:
        seen.notes.append(f"{path.name}: {without} of {len(found)} ROIs have no plane; each counts for all planes of a "
                          "stack.")
    seen.facts["with an id"] = sum(roi.roi_id is not None for roi in found)


def _table(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.point_tables import read_evaluation_points
    from deepd3_ij.files.tables import read_table

    table = read_table(path)
    seen.facts |= {"rows": len(table), "columns": [str(name) for name in table.columns]}
    try:
        points, _ = read_evaluation_points(path, path)
        seen.facts["voxel size in µm (z, xy)"] = [points.z_um, points.xy_um]
        seen.facts["positions of spines"] = len(points)
    except DeepD3Error as error:
        seen.notes.append(f"As table of spines: {error}")


def _model(path: Path, seen: Inspection) -> None:
    from deepd3_ij.model.network_file import read_network
    from deepd3_ij.model.zoo import card_of

    graph = read_network(path)
    card = card_of(path)
    seen.facts |= {"name": card.name, "filters": graph.filters, "layers": graph.layers,
                   "parameters": graph.parameter_count, "input size": list(graph.fixed_shape or ()) or "any",
                   "trained at µm per pixel": card.resolution_um, "recommends": sorted(card.recommended) or "nothing"}
    if card.resolution_um is None:
        seen.notes.append(f"{path.name}: it does not tell its training resolution; stacks are not resampled for it.")


def _settings(path: Path, seen: Inspection) -> None:
    from deepd3_ij.files.roi_settings import read_roi_settings

    seen.facts |= read_roi_settings(path).to_dict()


_KINDS: dict[str, tuple[str, Callable[[Path, Inspection], None]]] = {
    ".prediction": ("probability maps", _prediction),
    ".rois": ("ROI map", _roi_map),
    ".d3data": ("training data", _training_data),
    ".d3set": ("set of training data", _training_data),
    ".mask": ("mask of pipra", _pipra),
    ".swc": ("tracing (SWC)", _tracing),
    ".eswc": ("tracing (SWC)", _tracing),
    ".zip": ("zip of ROIs", _rois),
    ".roi": ("ROI", _rois),
    ".csv": ("table", _table),
    ".keras": ("model", _model),
    ".h5": ("model", _model),
    ".hdf5": ("model", _model),
    ".roi3d_settings": ("settings of 3-D ROIs", _settings),
}
