"""The scripts of the menu that the package brings."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from deepd3_ij.errors import FijiError


def script_folder() -> Path:
    """Folder of the scripts that this package brings, laid out as in Fiji.app.

    Raises
    ------
    FijiError
        The package was installed without them.
    """
    places = (Path(str(resources.files("deepd3_ij"))) / "fiji_scripts", Path(__file__).parents[2] / "fiji_scripts")
    for folder in places:
        if (folder / "scripts").is_dir():
            return folder
    raise FijiError(f"The scripts for Fiji are not in {places[0]}; install the package again, in its folder: "
                    "pip install .")
