"""The verb that tells a dialog what to show, and a macro what its fields mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from deepd3_ij.errors import ModelError, ParameterError, VoxelSizeError
from deepd3_ij.parameters import (
    DEFAULT,
    OF_PRESET,
    PRESET,
    RECOMMENDED,
    Parameters,
    Resolved,
    Roi3DParameters,
    VoxelSizeParameters,
    accepted_values,
    read_text,
    recommended_of,
    volumes_um3,
)
from deepd3_ij.progress import Progress
from deepd3_ij.service.dialogs import Field, dialog_of
from deepd3_ij.service.exchange import Image, Reply
from deepd3_ij.service.registry import Choices, verb
from deepd3_ij.service.training_verbs import training_of_length

_DEFAULT = "default"
_UNITS = {"um": "µm", "1/um": "1/µm"}


@dataclass(frozen=True)
class Texts:
    """Texts by the names of fields, as a macro or a dialog gives them."""

    texts: Mapping[str, str]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Texts:
        """Check that all of them are texts."""
        for name, text in values.items():
            if not isinstance(text, str):
                raise ParameterError(f"The field {name} is {text!r}; accepted: a text.")
        return cls(values)


NOTHING_TYPED = Texts({})


@verb("dialog")
def dialog(progress: Progress, *, command: str, typed: Texts = NOTHING_TYPED, kept: Choices | None = None,
           model: str | None = None, provenance: str | None = None, image: Image | None = None) -> Reply:
    """Tell the fields of a command with the values that would run, where they come from, and what is accepted.

    `typed` are the fields that a user gave, `kept` what a live test kept, `model` the default model of the settings,
    `provenance` that of the prediction that the command works on, `image` describes what the command works on.
    """
    asked = dialog_of(command)
    fields = list(asked.fields())
    values = _typed_values(command, fields, typed.texts)
    empty = {name for name, text in typed.texts.items() if not text.strip()}
    recommended: Mapping[str, Any] = {}
    chosen = None
    if asked.has_model:
        named = values.pop("model", None)
        chosen = model if named in (None, _DEFAULT) else named
        recommended = _recommended_by(chosen, of_settings=chosen is not None and chosen == model)
    elif asked.has_lengths:
        recommended = training_of_length(values.get("length", "quick"))
    elif provenance:
        recommended = recommended_of(json.loads(provenance))
    of_image = any(section.cls is VoxelSizeParameters for section in asked.sections)
    voxel_size_um = None if of_image else _voxel_size_um(image)
    # Where many stacks wait, a volume means another number of voxels for each of them.
    by_stack = asked.has_model and voxel_size_um is None
    for name in empty & set(volumes_um3(recommended)) if by_stack else ():
        del values[name]
    resolved = {section.prefix + section.cls.__name__: Choices(
        {section.cls: {field.info.name: values[field.name] for field in fields
                       if field.section is section and field.name in values}},
        kept.kept if kept is not None else {}).resolve(section.cls, recommended, voxel_size_um)
        for section in asked.sections}
    rois = resolved.get(Roi3DParameters.__name__)
    shown = [_described(field, resolved[field.section.prefix + field.section.cls.__name__]) for field in fields]
    if by_stack and rois is not None:
        _show_volumes(shown, volumes_um3(recommended, getattr(rois.parameters, PRESET)))
    if asked.has_model:
        item = next(item for item in shown if item["name"] == "model")
        item.update(value=_model_name(chosen), origin="default" if chosen == model else "typed")
    if of_image and image is not None:
        _show_voxel_size(shown, image)
    for item in shown:
        if item["name"] == "name" and command == "DeepD3 Models...":
            item["suggestions"] = _zoo_names()
        elif item["name"] == "start":
            item["suggestions"] = ["", *_model_names()]
        elif item["name"] == "model":
            item["suggestions"] = _model_names() if item["class"] == "ModelParameters" else []
        if asked.has_lengths and item["origin"] == "recommended":
            item["origin"] = "preset"
    recommends = asked.has_model or (asked.follows_model and bool(provenance))
    follows = {"length": asked.has_lengths, "model": asked.has_model, PRESET: rois is not None}
    return Reply({"fields": shown, "has_recommendations": recommends,
                  "follows": [name for name, followed in follows.items() if followed],
                  "choices": _choices(shown), "preview": asked.preview})


def _typed_values(command: str, fields: list[Field], texts: Mapping[str, str]) -> dict[str, Any]:
    infos = {field.name: field.info for field in fields}
    unknown = sorted(set(texts) - set(infos))
    if unknown:
        raise ParameterError(f"{command} has no field {unknown[0]!r}; accepted: {', '.join(infos)}.")
    for name, text in texts.items():
        if infos[name].required and not text.strip():
            raise ParameterError(f"{infos[name].label} is empty; accepted: {accepted_values(infos[name])}.")
    return {name: read_text(infos[name], text) for name, text in texts.items()}


def _described(field: Field, resolved: Resolved[Parameters]) -> dict[str, Any]:
    info = field.info
    unit = _UNITS.get(info.unit, info.unit)
    return {"name": field.name, "parameter": info.name, "class": field.section.cls.__name__, "step": field.is_step,
            "type": info.type.__name__, "optional": info.optional, "required": info.required,
            "choices": list(info.choices), "suggestions": None, "low": info.low, "high": info.high,
            "unit": "" if info.label.lower().endswith(unit.lower()) else unit, "help": info.help, "label": info.label,
            "path": info.path, "accepted": accepted_values(info), "section": field.section.title,
            "advanced": field.advanced,
            "needs": [[name, list(values)] for name, values in field.needs],
            "value": getattr(resolved.parameters, info.name),
            "origin": resolved.origins[info.name]}


def _show_volumes(shown: list[dict[str, Any]], volumes: Mapping[str, float]) -> None:
    """Leave fields empty whose values follow from a volume and the voxel size of each stack."""
    for item in shown:
        if item["class"] == Roi3DParameters.__name__ and item["name"] in volumes and (
                item["origin"] in (DEFAULT, OF_PRESET)):
            of_model = item["origin"] == DEFAULT
            item.update(value=None, origin=RECOMMENDED if of_model else OF_PRESET, optional=True,
                        help=f"{item['help']} Empty: the {'model' if of_model else 'preset'}'s "
                        f"{volumes[item['name']]:g} µm³, for the voxel size of each stack.")


def _choices(shown: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was typed for the steps of the work: values by name, by parameter class."""
    typed: dict[str, dict[str, Any]] = {}
    for item in shown:
        if item["step"] and item["origin"] == "typed":
            typed.setdefault(item["class"], {})[item["parameter"]] = item["value"]
    return typed


def _show_voxel_size(shown: list[dict[str, Any]], image: Image) -> None:
    """Let the fields that nobody typed show the voxel size that an image has."""
    with suppress(VoxelSizeError):
        z_um, xy_um = image.size_um()
        for item in shown:
            if item["origin"] != "typed":
                item.update(value={"xy_um": xy_um, "z_um": z_um}[item["name"]], origin="image")


def _voxel_size_um(image: Image | None) -> tuple[float, float, float] | None:
    if image is None:
        return None
    z_um, xy_um = image.size_um()
    return z_um, xy_um, xy_um


def _recommended_by(model: str | None, *, of_settings: bool) -> Mapping[str, Any]:
    from deepd3_ij.model.zoo import card_of, find_model

    try:
        return card_of(find_model(model)).recommended
    except ModelError as error:
        if of_settings:
            raise ModelError(f"The default model of DeepD3 Settings…, {model}, cannot be used ({error}) Choose another "
                             "one there, or leave its field empty.") from error
        raise


def _model_name(model: str | None) -> str:
    from deepd3_ij.model.zoo import default_model

    return model or default_model()


def _model_names() -> list[str]:
    """Models on this computer."""
    from deepd3_ij.model.zoo import available

    return [entry.name for entry in available() if entry.path is not None]


def _zoo_names() -> list[str]:
    from deepd3_ij.model.zoo import ZOO_NAMES

    return list(ZOO_NAMES)


