"""The file of a run: everything that a batch needs to be repeated, as YAML."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deepd3_ij.atomic import replacing_together
from deepd3_ij.batch.overrides import READING, Layer, Override, Overrides, check_names, layer_of, read_override_table
from deepd3_ij.batch.settings import BatchSettings
from deepd3_ij.errors import ParameterError, one_line
from deepd3_ij.file_identity import identity_of
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, output_of
from deepd3_ij.parameters import (
    DEFAULT,
    OF_PRESET,
    RECOMMENDED,
    BatchParameters,
    Roi3DParameters,
    resolve,
    volumes_um3,
)
from deepd3_ij.printing import printable
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

NAME, OTHER_NAME = "run.yaml", "run_resolved.yaml"
VERSION = 1
SUMMARY_STEM = ""
"""Stem under which the files of a batch as a whole are noted in the ledger of their folder."""

_LARGEST_BYTES = 10_000_000
_TEXTS = ("input", "output", "pattern", "model", "table")
_KEYS = ("version", *_TEXTS, "voxel_size", "channel", "frame", "z_range", "outputs", "overrides")


@dataclass(frozen=True)
class RunFile:
    """What a run is made of.

    Attributes
    ----------
    source, target
        Folders of stacks and results.
    pattern
        Which files are taken.
    model
        Name or file; None for the default model.
    settings
        Of all stacks.
    overrides
        Of single ones.
    origins
        Where a value comes from, by its name, or by ``Class.name``; what is not there was typed.
    read_from
        The file that all of it was read from, if nothing else was said.
    """

    source: Path | None
    target: Path | None
    pattern: str
    model: str | None
    settings: BatchSettings
    overrides: Overrides
    origins: Mapping[str, str] = field(default_factory=dict)
    read_from: Path | None = None


def read_run_file(path: str | PathLike[str]) -> RunFile:
    """Read the file of a run; folders and files in it are named from its own folder on.

    Raises
    ------
    ParameterError
        It cannot be read, a name is not known, or a value is not accepted.
    """
    file = Path(path)
    values = _load(file)
    where, folder = file.name, file.resolve().parent
    classes = _class_names()
    check_names(values, [*_KEYS, *classes], where)
    if values.get("version") != VERSION:
        raise ParameterError(f"{where}: version is {values.get('version')!r}; accepted: {VERSION}.")
    for name in _TEXTS:
        if not isinstance(values.get(name), str | None):
            raise ParameterError(f"{where}: {name} is {values[name]!r}; accepted: a text.")
    layer = layer_of({**_voxel_size(values, where), **{name: value for name, value in values.items()
                                                       if name in READING or name in classes}}, where)
    outputs = values.get("outputs") or list(USUAL)
    if not isinstance(outputs, list):
        raise ParameterError(f"{where}: outputs is {outputs!r}; accepted: a list of kinds of output.")
    settings = layer.over(BatchSettings({}, outputs=tuple(output_of(str(name)).name for name in outputs)))
    model = values.get("model")
    by_name = read_override_table(folder / values["table"]) if values.get("table") else []
    return RunFile(_below(folder, values.get("input")), _below(folder, values.get("output")),
                   values.get("pattern") or BatchParameters().pattern,
                   str(folder / model) if model and (folder / model).is_file() else model, settings,
                   Overrides(_overrides(values.get("overrides"), where), by_name), read_from=file)


def _load(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise ParameterError(f"{file} has {file.stat().st_size / 1e6:.0f} MB; accepted: the YAML file of a run.")
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{file} cannot be read ({one_line(error)}); give the YAML file of a run.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ParameterError(f"{file.name} is no YAML ({one_line(error, 200)}); correct it, or start from the "
                             f"{NAME} that a batch writes.") from error
    if not isinstance(values, dict):
        raise ParameterError(f"{file.name} holds no table of names and values; start from the {NAME} that a batch "
                             "writes.")
    return values


def _overrides(entries: Any, where: str) -> list[Override]:
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ParameterError(f"{where}: overrides is {entries!r}; accepted: a list of tables, each with match.")
    found = []
    for number, entry in enumerate(entries, 1):
        place = f"{where}: overrides, entry {number}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("match"), str):
            raise ParameterError(f"{place} has no match; accepted: a pattern of paths, e.g. match: \"**/*_green.tif\".")
        values = {name: value for name, value in entry.items() if name not in ("match", "voxel_size")}
        found.append(Override(entry["match"], layer_of({**_voxel_size(entry, place), **values}, place, ["match"]),
                              place))
    return found


def _voxel_size(values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    size = values.get("voxel_size") or {}
    if not isinstance(size, Mapping):
        raise ParameterError(f"{where}: voxel_size is {size!r}; accepted: a table with xy and z in µm.")
    check_names(size, ["xy", "z"], f"{where}: voxel_size")
    return size


def _below(folder: Path, name: str | None) -> Path | None:
    return folder / name if name else None


def _class_names() -> list[str]:
    from deepd3_ij.pipeline import STEPS

    return [cls.__name__ for cls in STEPS]


def write_run_file(file: RunFile, model: DeepD3Model, *, overwrite: bool = False) -> Path | None:
    """Write the file of a run into the folder of results; one that somebody changed is kept, and gets a neighbour.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    assert file.target is not None
    if file.read_from is not None and identity_of(file.read_from) == identity_of(file.target / NAME):
        return file.read_from
    ledger = Ledger(file.target, SUMMARY_STEM, overwrite)
    free = [name for name in (NAME, OTHER_NAME) if overwrite or not ledger.changed([name])]
    if not free:
        return None
    with replacing_together(file.target, ledger.approve) as folder:
        (folder / free[0]).write_text(as_yaml(file, model), encoding="utf-8", errors="surrogateescape")
    return file.target / free[0]


def as_yaml(file: RunFile, model: DeepD3Model) -> str:
    """The text: what was given as values, what follows from the model or is a default as comments."""
    settings = file.settings
    lines = [f"# DeepD3 {__version__}. Repeat this run with: deepd3-ij batch --config {NAME}",
             "# Each value has its origin beside it. A line that begins with # is a value that was not given.",
             f"version: {VERSION}"]

    def add(name: str, value: Any, indent: str = "") -> None:
        lines.append(f"{indent}{name}: {_plain(value)}  # {printable(file.origins.get(name, 'given'))}")

    for name, text in (("input", file.source), ("output", file.target), ("pattern", file.pattern)):
        if text is not None:
            add(name, str(text.resolve()) if isinstance(text, Path) else text)
    chosen = file.model or model.name
    if Path(chosen).expanduser().is_file():
        chosen = str(model.path)  # this file lies elsewhere than where the name was typed
    origin = file.origins.get("model", "given") if file.model else "default"
    lines.append(f"model: {_plain(chosen)}  # {origin}; SHA-256 {model.sha256}")
    if settings.xy_um is not None or settings.z_um is not None:
        lines.append("voxel_size:")
        for name, value in (("xy", settings.xy_um), ("z", settings.z_um)):
            if value is not None:
                add(name, value, "  ")
    for name in ("channel", "frame", "z_range"):
        value = getattr(settings, name)
        if value is not None:
            add(name, list(value) if name == "z_range" else value)
    add("outputs", list(settings.outputs))
    lines += _steps(settings, model, file.origins)
    every = [*file.overrides.by_pattern, *file.overrides.by_name]
    if every:
        lines.append("overrides:")
        for override in every:
            lines += _override(override, file.overrides.typed)
    return "\n".join(lines) + "\n"


def _steps(settings: BatchSettings, model: DeepD3Model, origins: Mapping[str, str]) -> list[str]:
    from deepd3_ij.pipeline import STEPS

    lines = []
    for cls in STEPS:
        found = resolve(cls, settings.typed.get(cls), recommended=model.card.recommended)
        volumes = (volumes_um3(model.card.recommended, found.parameters.preset)
                   if isinstance(found.parameters, Roi3DParameters) else {})
        lines.append(f"{'' if settings.typed.get(cls) else '# '}{cls.__name__}:")
        for name, value in found.parameters.to_dict().items():
            if name in settings.typed.get(cls, {}):
                lines.append(f"  {name}: {_plain(value)}  # {origins.get(f'{cls.__name__}.{name}', 'given')}")
                continue
            origin = RECOMMENDED if name in volumes and found.origins[name] == DEFAULT else found.origins[name]
            text = {RECOMMENDED: "recommended by the model", OF_PRESET: "of the preset"}.get(origin, origin)
            shown = f"{volumes[name]:g} µm³ in voxels of each stack" if name in volumes else _plain(value)
            lines.append(f"  # {name}: {shown}  # {text}")
    return lines


def _override(override: Override, above: Layer) -> list[str]:
    """An entry, without what counts less than the command line did."""
    match = glob.escape(override.match) if override.exact else override.match
    lines = [f"- match: {_plain(match)}  # {printable(override.origin)}"]
    short = {field: name for name, field in READING.items()}
    for name, value in override.layer.reading.items():
        if name not in above.reading:
            lines.append(f"  {short[name]}: {_plain(list(value) if isinstance(value, tuple) else value)}")
    for cls, values in override.layer.typed.items():
        left = {name: value for name, value in values.items() if name not in above.typed.get(cls, {})}
        if left:
            lines.append(f"  {cls.__name__}: {_plain(left)}")
    return lines


def _plain(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def with_command_line(file: RunFile, layer: Layer, outputs: Sequence[str] | None, **others: Any) -> RunFile:
    """The run with what was typed on the command line in the place of what the file says.

    Parameters
    ----------
    file
        As read.
    layer
        Typed settings.
    outputs
        Typed kinds of output; None for none.
    others
        ``source``, ``target``, ``pattern``, ``model``, ``table``; None for what was not typed.
    """
    name = str(file.read_from.name) if file.read_from else ""
    settings = layer.over(file.settings)
    if outputs is not None:
        settings = dataclasses.replace(settings, outputs=tuple(outputs))
    table = others.pop("table", None)
    by_name = [*file.overrides.by_name, *(read_override_table(table) if table else [])]
    typed = {key: value for key, value in others.items() if value is not None}
    keys = {"source": "input", "target": "output"}
    origins = {f"{cls.__name__}.{key}": name for cls, values in file.settings.typed.items() for key in values}
    origins |= dict.fromkeys((*_TEXTS, *READING, "outputs"), name or "default")
    short = {field: key for key, field in READING.items()}
    spoken = [*(keys.get(key, key) for key in typed), *(short[key] for key in layer.reading),
              *(f"{cls.__name__}.{key}" for cls, values in layer.typed.items() for key in values),
              *(["outputs"] if outputs is not None else [])]
    origins |= dict.fromkeys(spoken, "command line")
    same = not layer and not typed and outputs is None and not table
    return dataclasses.replace(file, settings=settings, origins=origins,
                               overrides=Overrides(file.overrides.by_pattern, by_name, layer),
                               read_from=file.read_from if same else None, **typed)
