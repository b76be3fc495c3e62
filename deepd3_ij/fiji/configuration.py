"""Which Fiji to use when a call does not say so."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from deepd3_ij.errors import FijiError, one_line


def settings_file() -> Path:
    """The user's settings: ``DEEPD3_SETTINGS``, or ``deepd3_ij/settings.json`` in the configuration folder."""
    given = os.environ.get("DEEPD3_SETTINGS")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "deepd3_ij" / "settings.json"


def configured_fiji() -> str | None:
    """Fiji folder or Maven endpoint from ``DEEPD3_FIJI`` or the user's settings, else None.

    Raises
    ------
    FijiError
        The settings file is damaged.
    """
    return os.environ.get("DEEPD3_FIJI") or _settings().get("fiji")


def store_fiji(fiji: str | None) -> Path:
    """Keep a Fiji folder or endpoint in the user's settings (None forgets it); the settings file is returned."""
    from deepd3_ij.atomic import replacing

    settings = {**_settings(), "fiji": fiji}
    if fiji is None:
        del settings["fiji"]
    path = settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    return path


def _settings() -> dict[str, str]:
    path = settings_file()
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FijiError(f"The settings file {path} is damaged ({one_line(error)}); mend or remove it.") from error
    if not isinstance(settings, dict):
        raise FijiError(f"The settings file {path} holds no settings; mend or remove it.")
    return settings
