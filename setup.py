"""Adds the Fiji scripts, which lie beside the package, to what is installed."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFijiScripts(build_py):
    """Copies ``fiji_scripts`` into the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree("fiji_scripts", Path(self.build_lib) / "deepd3_ij" / "fiji_scripts", dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("*.class", "ruff.toml"))


setup(cmdclass={"build_py": BuildWithFijiScripts})
