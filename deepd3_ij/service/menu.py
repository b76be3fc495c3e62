"""The files of Fiji's menu, ready to be installed or run.

The sources in ``fiji_scripts`` leave out what Python knows better: the fields of the dialogs, a command per kind of
output, names and colours. All of that is filled in here.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deepd3_ij import colours, names
from deepd3_ij.fiji.scripts import script_folder
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.progress import no_progress
from deepd3_ij.service import calls  # noqa: F401 - makes all verbs and their dialogs known
from deepd3_ij.service.dialog_verbs import dialog
from deepd3_ij.service.dialogs import DIALOGS, SETTINGS, SETUP, Dialog

_FIELD_TYPE = "java.lang.CharSequence"
"""A text for which SciJava has no dialog of its own: ours asks instead, and what is asked is recorded nevertheless."""

_SCRIPTS = Path("scripts") / "Plugins" / "DeepD3"
_EXPORTS = _SCRIPTS / "DeepD3_6_Export"
_MODULES = Path("jars") / "Lib"
_TEMPLATES = "templates"


def command_of(path: Path) -> str:
    """Menu command of a script file, as Fiji makes it of the file's name."""
    return path.stem.replace("_", " ")


def with_header(source: str, dialog: Dialog) -> str:
    """A script with the fields of its dialog as parameters, without values: what is not given is not typed."""
    lines = source.splitlines()
    given = next((number for number, line in enumerate(lines) if not line.startswith("#@")), len(lines))
    fields = [f"#@ {_FIELD_TYPE} (required=false, persist=false, autoFill=false) {field.name}"
              for field in dialog.fields()]
    return "\n".join([*lines[:given], *fields, *lines[given:]]) + "\n"


def menu_files() -> Iterator[tuple[Path, str]]:
    """Names below the Fiji folder and contents of all files of the menu, in the order of their names."""
    top = script_folder()
    files = {path.relative_to(top): path.read_text(encoding="utf-8") for path in top.rglob("*")
             if path.suffix in (".py", ".ijm") and path.parent != top}
    template = files.pop(Path(_TEMPLATES) / "Export.py")
    for output in OUTPUTS.values():
        text = template
        for mark, value in (("KIND_TITLE", output.title), ("KIND_NAME", output.name),
                            ("KIND_HELP", _ascii(output.help)), ('("KIND_NEEDS",)', repr(output.needs))):
            text = text.replace(mark, value)
        files[_EXPORTS / f"Export DeepD3 {output.title}....py".replace(" ", "_")] = text
    for name, text in files.items():
        if name.is_relative_to(_SCRIPTS):
            files[name] = with_header(text, DIALOGS.get(command_of(name), Dialog(command_of(name))))
    files[_MODULES / "deepd3_names.py"] = _names_module()
    files[_MODULES / "deepd3_colours.py"] = _colours_module()
    files[_MODULES / "deepd3_settings_fields.py"] = _settings_module()
    return iter(sorted(files.items()))


def write_menu(folder: Path) -> None:
    """Write all files of the menu, laid out as in Fiji.app."""
    for name, text in menu_files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


@functools.cache
def menu_folder() -> Path:
    """Folder of the menu's files for this process; removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="deepd3_menu_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_menu(folder)
    return folder


def _names_module() -> str:
    values = [f"{name} = {value!r}" for name, value in vars(names).items()
              if name.isupper() and isinstance(value, str)]
    return '"""Made from deepd3_ij/names.py."""\n\n' + "\n".join(values) + "\n"


def _colours_module() -> str:
    values = [f"{name} = {value!r}" for name, value in vars(colours).items()
              if name.isupper() and isinstance(value, tuple)]
    labels = ",\n    ".join(str(tuple(colour)) for colour in colours.distinct_colours().tolist())
    return '"""Made from deepd3_ij/colours.py."""\n\n' + "\n".join(values) + f"\nDISTINCT = (\n    {labels})\n"


def _settings_module() -> str:
    texts = {name: json.dumps(dialog(no_progress, command=command).values)
             for name, command in (("FIELDS", SETTINGS), ("SETUP_FIELDS", SETUP))}
    values = [f"{name} = {text!r}" for name, text in texts.items()]
    return '"""What the service says about the dialogs that work without it."""\n\n' + "\n".join(values) + "\n"


def _ascii(text: str) -> str:
    """Text for a script, which Java reads in the platform's encoding."""
    return text.replace("µ", "u").replace("…", "...").replace("–", "-")
