"""The jars of the embedded ImageJ: pinned, fetched once from Maven Central, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepd3_ij.errors import FijiError, one_line
from deepd3_ij.progress import Progress, no_progress


@dataclass(frozen=True)
class Jar:
    """One pinned file of Maven Central."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


EMBEDDED_IMAGEJ = (
    Jar("net.imagej", "ij", "1.54p", "2e1a09961dfb41cee66ddc821b2577a41a072566ce45a49bae69267099741e20"),
    Jar("org.scijava", "scijava-common", "2.100.1", "af53bb31087dd46bfe15645c8b7cc69fe837795516816c60f5be78b9ff0ce6a3"),
    Jar("org.scijava", "parsington", "3.1.0", "7943c91a1e62918ea47d0a08f6b5989a8b388e019216441002236528f769c72a"),
    Jar("org.python", "jython-standalone", "2.7.4", "1fba1769effcc8b19f5e10436bc8274a158ce988559f257927c24c73bb137f3c"),
)
"""ImageJ, the SciJava services and Jython."""

HEADLESS_COMMANDS = (
    Jar("net.imagej", "ij1-patcher", "2.0.0", "b68810263f9521ddb34bac272816613ebb71607775c1fc337079a0476c2b581a"),
    Jar("org.javassist", "javassist", "3.30.2-GA", "eba37290994b5e4868f3af98ff113f6244a6b099385d9ad46881307d3cb01aaf"),
)
"""What makes ``IJ.run`` and macros work without a display."""


def cache_folder() -> Path:
    """Folder of the fetched jars: ``DEEPD3_CACHE``, or the user's cache folder for this package."""
    import pooch

    return Path(os.environ.get("DEEPD3_CACHE") or pooch.os_cache("deepd3_ij")) / "jars"


def missing_jars(jars: Sequence[Jar], folder: Path | None = None) -> list[Jar]:
    """Jars that are not in the cache yet."""
    folder = folder or cache_folder()
    return [jar for jar in jars if not (folder / jar.file_name).is_file()]


def fetch_jars(jars: Sequence[Jar], folder: Path | None = None, progress: Progress = no_progress) -> list[Path]:
    """Paths of jars in the cache; those that are missing are fetched from Maven Central, no other repository.

    Parameters
    ----------
    jars
        Pinned jars.
    folder
        Cache, :func:`cache_folder` if None.
    progress
        Called per fetched jar.

    Raises
    ------
    FijiError
        A jar cannot be fetched, or is another file than the pinned one.
    """
    folder = folder or cache_folder()
    missing = missing_jars(jars, folder)
    for done, jar in enumerate(missing):
        progress(done, len(missing), f"Fetching {jar.file_name}")
        _fetch(jar, folder)
        progress(done + 1, len(missing), f"Fetched {jar.file_name}")
    return [folder / jar.file_name for jar in jars]


def _fetch(jar: Jar, folder: Path) -> None:
    from jgo.maven import MavenContext

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            context = MavenContext(repo_cache=Path(fresh))  # asks Maven Central alone
            path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            received = hashlib.sha256(path.read_bytes()).hexdigest()
            if received != jar.sha256:
                raise FijiError(f"{jar.file_name} from Maven Central has the SHA-256 {received}, not the pinned "
                                f"{jar.sha256}; it was not used. Try again on another network.")
            os.replace(path, folder / jar.file_name)
    except FijiError:
        raise
    except OSError as error:  # requests' errors are OSErrors too
        raise FijiError(f"Cannot fetch {jar.file_name} ({type(error).__name__}). The embedded ImageJ needs Maven "
                        f"Central on its first use: connect to the network and try again, copy the jar to {folder}, "
                        "or use an installed Fiji (DEEPD3_FIJI=/path/to/Fiji.app).") from error
    except RuntimeError as error:
        raise FijiError(f"Maven Central does not offer {jar.file_name} ({one_line(error)}); copy the jar to {folder} "
                        "or use an installed Fiji (DEEPD3_FIJI=/path/to/Fiji.app).") from error
