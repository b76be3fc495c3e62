"""Packing a model for BioImage.IO: a zip that says in a standard way what goes in and what comes out.

Layout after the BioImage.IO model description, https://bioimage-io.github.io/spec-bioimage-io/.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import PICTURE_DENDRITE, PICTURE_SPINE
from deepd3_ij.drawing import drawing_library
from deepd3_ij.errors import ModelError, StackError
from deepd3_ij.file_identity import refuse_inputs
from deepd3_ij.model.backend import backend_version, keras
from deepd3_ij.model.card import ModelCard
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.model.rebuilding import keras_network
from deepd3_ij.model.saving import KERAS_VERSION, save_network
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation.normalisation import scale

FORMAT_VERSION = "0.5.12"
"""Version of the model description that is written."""
SMALLEST_PX = 32
"""Smallest side of an image that a package accepts, unless the network's pooling needs more."""

_OUTPUTS = ("dendrite", "spine")
_CITATION = {
    "text": "Fernholz MHP, Guggiana Nilo DA, Bonhoeffer T, Kist AM. DeepD3, an open framework for automated "
            "quantification of dendritic spines. PLoS Comput Biol 20(2): e1011774, 2024.",
    "doi": "10.1371/journal.pcbi.1011774"}
_TAGS = ("dendrite", "dendritic-spine", "neuron", "brain", "fluorescence-light-microscopy", "2d", "unet",
         "semantic-segmentation", "tensorflow", "keras", "fiji", "imagej", "deepd3")
_DESCRIPTION = "Probabilities of dendrites and of dendritic spines in a plane of a fluorescence microscope stack."
_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 512
_COVER_PX = 256
# Far below any step between grey values: the scaled range is -1 to 1 exactly, and a uniform plane stays finite.
_RANGE_EPSILON = 1e-12
_COLOURS = {"dendrite": PICTURE_DENDRITE, "spine": PICTURE_SPINE}


def export_package(
    model: DeepD3Model,
    path: str | PathLike[str],
    plane: npt.NDArray[Any],
    *,
    authors: Sequence[str] = (),
    licence: str | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a model as a BioImage.IO package.

    The package holds ``rdf.yaml``, the weights as Keras 3 and as Keras 2 file (both with the model's
    card, so that this package and the original open them), a test image with the probabilities that
    this package computes for it, a cover picture, and a README made from the card. Like this
    package, it scales every plane to -1…1 by its minimum and maximum.

    Parameters
    ----------
    model
        The model.
    path
        The ``.zip`` to make or replace.
    plane
        Test image ``(y, x)`` of any integer or float type, not uniform; its sides fit :func:`sizes_of`.
    authors
        Names of who made the model.
    licence
        SPDX identifier; the card's if None.
    progress
        Called after each of three steps.

    Raises
    ------
    ModelError
        The name does not end in ``.zip``, or the licence is no SPDX identifier.
    StackError
        The plane is unusable for the test.
    OutputError
        The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise ModelError(f"The package is {path.name!r}; accepted: a name that ends in .zip.")
    refuse_inputs([path], [model.path])
    licence = model.card.licence if licence is None else licence
    if licence and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", licence):
        raise ModelError(f"The licence is {licence!r}; accepted: an SPDX identifier, for example BSD-3-Clause.")
    progress(0, 3, "Compute the test image")
    image, outputs = _test_arrays(model, plane)
    progress(1, 3, "Save the weights")
    files = {
        "test_image.npy": _npy(image[np.newaxis, :, :, np.newaxis]),
        **{f"test_{name}.npy": _npy(values[np.newaxis, :, :, np.newaxis]) for name, values in outputs.items()},
        "cover.png": _cover(image, outputs),
        "README.md": _readme(model, licence, authors).encode(),
        **dict(_weights(model)),
    }
    progress(2, 3, f"Write {path.name}")
    description = _description(model, files, authors, licence)
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=110)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", text)
        for name, content in files.items():
            archive.writestr(name, content)
    progress(3, 3, f"Write {path.name}")


def sizes_of(model: DeepD3Model) -> tuple[int, int] | dict[str, int]:
    """Image sizes that a model's package accepts: ``(height, width)``, or ``{"min": …, "step": …}`` for each side."""
    if model.fixed_shape is not None:
        return model.fixed_shape
    step = model.stride_px
    return {"min": -(-SMALLEST_PX // step) * step, "step": step}


def _test_arrays(model: DeepD3Model, plane: npt.NDArray[Any]
                 ) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
    """Test image and its probabilities, computed by this package's engine."""
    accepted = sizes_of(model)
    fits = plane.ndim == 2 and (
        plane.shape == accepted if isinstance(accepted, tuple)
        else all(side >= accepted["min"] and side % accepted["step"] == 0 for side in plane.shape))
    if not fits:
        text = (f"(height, width) {accepted}" if isinstance(accepted, tuple)
                else f"(height, width) of at least {accepted['min']}, multiples of {accepted['step']}")
        raise StackError(f"The test image has shape {plane.shape}; the model {model.name} accepts {text}.")
    image = plane.astype(np.float32)
    scaled = scale(image)
    if scaled is None:
        raise StackError(f"The test image is {image.flat[0]:g} everywhere; give one that shows something.")
    dendrite, spine = model.predict_batch(scaled[np.newaxis])
    return image, {"dendrite": dendrite[0], "spine": spine[0]}


def _weights(model: DeepD3Model) -> Iterator[tuple[str, bytes]]:
    network = keras_network(model.graph)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".keras", ".h5"):
            file = Path(folder) / f"weights{suffix}"
            save_network(network, file, model.card)
            yield file.name, file.read_bytes()


def _description(
    model: DeepD3Model, files: Mapping[str, bytes], authors: Sequence[str], licence: str
) -> dict[str, Any]:
    card = model.card

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": _name(card),
        "description": _shortened(card.description or _DESCRIPTION),
        **({"authors": [{"name": name.replace("/", " ")} for name in authors]} if authors else {}),
        "cite": [_CITATION],
        **({"license": licence} if licence else {}),
        "tags": list(_TAGS),
        "documentation": file("README.md"),
        "covers": [file("cover.png")],
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "inputs": [_input(model) | {"test_tensor": file("test_image.npy")}],
        "outputs": [_output(model, name) | {"test_tensor": file(f"test_{name}.npy")} for name in _OUTPUTS],
        "weights": _weight_entries(model, file("weights.keras"), file("weights.h5")),
        "config": {"bioimageio": {
            "architecture_type": "U-Net with two decoders", "modality": "fluorescence microscopy",
            "target_structure": ["dendrite", "dendritic spine"], "task": "semantic segmentation",
            "model_parameter_count": model.graph.parameter_count},
            # JSON text and back: plain tables and lists, whatever the card's free tables hold.
            "deepd3_ij": json.loads(json.dumps(
                {**dataclasses.asdict(card), "halo_px": model.halo_px, "source_sha256": model.sha256}))},
    }


def _input(model: DeepD3Model) -> dict[str, Any]:
    sizes = sizes_of(model)
    height, width = sizes if isinstance(sizes, tuple) else (sizes, sizes)
    return {
        "id": "image",
        "description": "One plane of a fluorescence microscope stack, grey values of any range.",
        "axes": [{"type": "batch"}, _space("y", height, model.card), _space("x", width, model.card),
                 {"type": "channel", "channel_names": ["intensity"]}],
        "data": {"type": "float32"},
        "preprocessing": [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 0, "max_percentile": 100,
                                             "eps": _RANGE_EPSILON}},
            {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": -1.0}}],
    }


def _output(model: DeepD3Model, name: str) -> dict[str, Any]:
    def as_input(axis: str) -> dict[str, Any]:
        return _space(axis, {"tensor_id": "image", "axis_id": axis}, model.card)

    return {
        "id": name,
        "description": f"Probability that a pixel belongs to a {'dendrite' if name == 'dendrite' else 'spine'}.",
        "axes": [{"type": "batch"}, as_input("y"), as_input("x"), {"type": "channel", "channel_names": [name]}],
        "data": {"type": "float32", "range": [0.0, 1.0]},
    }


def _space(axis: str, size: Any, card: ModelCard) -> dict[str, Any]:
    # Readers compute size * scale / scale, which only with a short binary fraction gives the very size again.
    resolution = {} if card.resolution_um is None else {"unit": "micrometer",
                                                        "scale": float(np.float32(card.resolution_um))}
    # A copy, so that the YAML text holds no references between tables.
    return {"type": "space", "id": axis, "size": dict(size) if isinstance(size, Mapping) else size, **resolution}


def _weight_entries(model: DeepD3Model, keras3: dict[str, str], keras2: dict[str, str]) -> dict[str, Any]:
    """Entries of the two files; the one of the other kind than the model's own file is marked as converted."""
    backend = keras().config.backend()
    entries: dict[str, dict[str, Any]] = {
        "keras_v3": {**keras3, "keras_version": keras().__version__,
                     "backend": [backend, backend_version(backend)]},
        "keras_hdf5": {**keras2, "tensorflow_version": KERAS_VERSION}}
    own, converted = (("keras_v3", "keras_hdf5") if model.path.suffix == ".keras" else ("keras_hdf5", "keras_v3"))
    entries[converted]["parent"] = own
    return entries


def _name(card: ModelCard) -> str:
    name = re.sub(r"[^A-Za-z0-9_+\- ()]", "_", card.name)
    return (name if "deepd3" in name.lower() else f"DeepD3 {name}")[:_LONGEST_NAME].strip()


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_DESCRIPTION else text[:_LONGEST_DESCRIPTION - 1] + "…"


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _cover(image: npt.NDArray[np.float32], outputs: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """The image's middle beside its probabilities in colour, twice as wide as high."""
    imsave = drawing_library("image").imsave

    side = min(*image.shape, _COVER_PX)
    top, left = ((length - side) // 2 for length in image.shape)
    box = np.s_[top:top + side, left:left + side]
    low, high = np.percentile(image[box], (1, 99.8))
    grey = np.clip((image[box] - low) / max(high - low, _RANGE_EPSILON), 0, 1)
    painted = sum(outputs[name][box][..., np.newaxis] * np.array(_COLOURS[name]) / 255 for name in _OUTPUTS)
    picture = np.concatenate([np.repeat(grey[..., np.newaxis], 3, axis=2), np.clip(painted, 0, 1)], axis=1)
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(picture * 255).astype(np.uint8), format="png")
    return buffer.getvalue()


def _readme(model: DeepD3Model, licence: str, authors: Sequence[str]) -> str:
    card = model.card
    sizes = sizes_of(model)
    accepted = (f"{sizes[0]} × {sizes[1]} px" if isinstance(sizes, tuple)
                else f"height and width of at least {sizes['min']} px, multiples of {sizes['step']}")
    resolution = ("was not recorded" if card.resolution_um is None
                  else f"{card.resolution_um:g} µm per pixel; bring images to it first")
    parts = [
        f"# {_name(card)}", card.description or _DESCRIPTION,
        "## Input and output",
        f"* `image`: one plane, {accepted}. Every plane is scaled linearly to -1…1 by its minimum and maximum.\n"
        "* `dendrite`, `spine`: probabilities 0…1 of the same size.\n"
        f"* The resolution of the training data {'is ' if card.resolution_um else ''}{resolution}.\n"
        f"* Tiles of a larger image should overlap: a pixel's result depends on up to {model.halo_px} px around it.",
        "## Use",
        "In Fiji, on the command line and in Python with deepd3_ij, which also makes 3-D ROIs and tables of spines "
        "from the probabilities. Unpack this zip; then\n\n"
        "```\ndeepd3-ij analyze STACK.tif --model weights.keras --out RESULTS\n```\n\n"
        "`weights.h5` opens in Keras 2 and in the original DeepD3.",
        "## Training", _listed(card.training) or "Not recorded.",
        "## Validation",
        (_listed(card.scores) or "No scores are recorded.") + "\n\n"
        "To validate on your own data, annotate the spines of a stack that the model has not seen, and compare:\n\n"
        "```\ndeepd3-ij evaluate RESULTS/STACK_spines.csv ANNOTATED.csv\n```",
        "## Recommended parameters", _listed(card.recommended) or "None; the defaults of deepd3_ij apply.",
        "## Limits",
        "Trained for bright dendrites on a dark background. Other labels, other resolutions and structures that look "
        "like spines need a check by eye.",
        "## Credits",
        (f"Authors: {', '.join(authors)}. " if authors else "") + (f"Licence: {licence}. " if licence else "")
        + f"The network's architecture comes from: {_CITATION['text']} https://doi.org/{_CITATION['doi']}",
    ]
    return "\n\n".join(parts) + "\n"


def _listed(values: Mapping[str, Any], depth: int = 0) -> str:
    lines = []
    for name, value in values.items():
        inner = _listed(value, depth + 1) if isinstance(value, Mapping) else ""
        lines.append(f"{'  ' * depth}* {name}:" + (f"\n{inner}" if inner else f" {value}"))
    return "\n".join(lines)
