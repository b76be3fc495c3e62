"""Where models come from: local files, models that the package brings, the DeepD3 Model Zoo."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from deepd3_ij.atomic import check_output_folder, replacing
from deepd3_ij.errors import ModelError, remedy
from deepd3_ij.file_identity import sha256_of
from deepd3_ij.model.card import ModelCard, read_card
from deepd3_ij.model.network_file import read_network
from deepd3_ij.progress import Progress, no_progress

ZOO_NAMES = ("DeepD3_8F", "DeepD3_16F", "DeepD3_32F", "DeepD3_8F_94nm", "DeepD3_16F_94nm", "DeepD3_32F_94nm")
ZOO_ADDRESS = "https://deepd3.forschung.fau.de/models/{name}.h5"
ZOO_RESOLUTION_UM = dict.fromkeys((name for name in ZOO_NAMES if name.endswith("_94nm")), 0.094)

_BUNDLED = Path(__file__).parent / "bundled"
_HASHES = "sha256.json"
_SUFFIXES = (".keras", ".h5", ".hdf5")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be named: where it comes from and its file, if it is on this computer."""

    name: str
    origin: str
    path: Path | None

    def card(self) -> ModelCard | None:
        """The model's card; None for a Zoo model that has not been downloaded."""
        return None if self.path is None else card_of(self.path)

    def about(self) -> str:
        """The card's description, or what is wrong with the file; empty without a file."""
        try:
            card = self.card()
        except ModelError as error:
            return f"cannot be used: {error}"
        return card.description if card else ""


def card_of(path: Path) -> ModelCard:
    """The card of a model file; the Zoo's files have none, but their names tell the resolution."""
    card = read_card(path)
    if card.resolution_um is None and card.name == path.stem and path.stem in ZOO_RESOLUTION_UM:
        return dataclasses.replace(card, resolution_um=ZOO_RESOLUTION_UM[path.stem])
    return card


def available(cache: str | PathLike[str] | None = None) -> list[ModelEntry]:
    """List the bundled models, those of the Zoo and the user's own in the folder of models.

    Parameters
    ----------
    cache
        Folder of models; the user's cache folder if None.

    Returns
    -------
    list of ModelEntry
        ``origin`` is "bundled", "zoo" or "own"; ``path`` is None for a Zoo model that is not downloaded.
    """
    folder = models_folder(cache)
    bundled = [ModelEntry(path.stem, "bundled", path) for path in sorted(_BUNDLED.glob("*.keras"))]
    zoo = [ModelEntry(name, "zoo", path if (path := folder / f"{name}.h5").is_file() else None) for name in ZOO_NAMES]
    named = {entry.name for entry in bundled + zoo}
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES and path.stem not in named)
    own = {path.stem: ModelEntry(path.stem, "own", path) for path in files}  # of two, .keras comes last and is taken
    return bundled + zoo + [own[name] for name in sorted(own)]


def default_model() -> str:
    """Name of the model that is used when none is given.

    Raises
    ------
    ModelError
        The package brings no model.
    """
    bundled = [entry.name for entry in available() if entry.origin == "bundled"]
    if not bundled:
        raise ModelError("No model is given and the package brings none; give a .keras or .h5 file or a name of "
                         f"the Zoo: {', '.join(ZOO_NAMES)}.")
    return bundled[0]


def find_model(name_or_path: str | PathLike[str] | None = None, *, cache: str | PathLike[str] | None = None) -> Path:
    """Find the file of a model; nothing is downloaded.

    Parameters
    ----------
    name_or_path
        A file, or the name of a bundled or downloaded model; None for the default model.
    cache
        Folder of models; the user's cache folder if None.

    Returns
    -------
    pathlib.Path
        An existing file.

    Raises
    ------
    ModelError
        There is no such file or name, or a downloaded file has changed since its download.
    """
    if name_or_path is None:
        name_or_path = default_model()
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path.resolve()
    if path.is_dir():
        raise ModelError(f"{path} is a folder; accepted: a .keras or .h5 file.")
    name = os.fspath(name_or_path)
    entries = {entry.name: entry for entry in available(cache)}
    if name not in entries:
        if path.suffix.lower() in _SUFFIXES or len(path.parts) > 1:
            raise ModelError(f"There is no model file {path}; check the path.")
        raise ModelError(f"There is no model {name!r}; accepted: a .keras or .h5 file, or one of {', '.join(entries)}.")
    entry = entries[name]
    if entry.path is None:
        raise ModelError(f"The model {name} " + remedy(
            f"is not on this computer yet; get it with: deepd3-ij models get {name}",
            "is not on this computer yet; get it with DeepD3 Models..."))
    if entry.origin == "zoo":
        _check_hash(entry.path)
    return entry.path


def download(
    name: str,
    *,
    cache: str | PathLike[str] | None = None,
    address: str = ZOO_ADDRESS,
    progress: Progress = no_progress,
) -> Path:
    """Download a model of the Zoo into the cache, unless it is there.

    The Zoo publishes no checksums: the SHA-256 of the first download is recorded beside the
    file and checked from then on, also when the file is downloaded again.

    Parameters
    ----------
    name
        One of ``ZOO_NAMES``.
    cache
        Folder for models; the user's cache folder if None.
    address
        Web address with ``{name}``.
    progress
        Gets the bytes that have come.

    Returns
    -------
    pathlib.Path
        The file in the cache.

    Raises
    ------
    ModelError
        The name is unknown, the Zoo cannot be reached, or what came is no DeepD3 model or
        another one than the first time.
    """
    if name not in ZOO_NAMES:
        raise ModelError(f"There is no model {name!r} in the Zoo; accepted: {', '.join(ZOO_NAMES)}.")
    path = models_folder(cache) / f"{name}.h5"
    if path.is_file():
        _check_hash(path)
        return path

    url = address.format(name=name)
    check_output_folder(path.parent)
    with replacing(path) as temporary:
        _fetch(url, temporary, _DownloadProgress(progress, name))
        try:
            read_network(temporary)
        except ModelError as error:
            raise ModelError(f"What {url} returned is no usable model: "
                             f"{str(error).replace(temporary.name, path.name)}") from error
        sha256 = sha256_of(temporary)
        if _recorded_hashes(path.parent).get(path.name, sha256) != sha256:
            raise ModelError(f"{url} returned another file than at the first download (its SHA-256 is {sha256}); if "
                             f"you trust it, delete {path.parent / _HASHES} and try again.")
        _record_hash(path, sha256)
    return path


def _fetch(url: str, target: Path, bar: _DownloadProgress) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    target.unlink()
    try:
        pooch.retrieve(url, known_hash=None, fname=target.name, path=target.parent,
                       downloader=pooch.HTTPDownloader(progressbar=bar, timeout=_TIMEOUT_S))
    except (OSError, ValueError) as error:
        # The errors of requests are OSErrors; their texts are long and tell of sockets.
        raise ModelError(f"{url} cannot be downloaded ({type(error).__name__}); check the network connection, or "
                         "download the file elsewhere and give its path.") from error


class _DownloadProgress:
    """What pooch expects of a progress bar, handed on to ``progress``."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._message = progress, f"Downloading {name}"
        self.total = 0
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        self._progress(self._done, max(self.total, self._done), self._message)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def models_folder(cache: str | PathLike[str] | None = None) -> Path:
    """Folder of downloaded models and of the user's own."""
    if cache is not None:
        return Path(cache)
    import pooch

    return Path(pooch.os_cache("deepd3_ij")) / "models"


def _recorded_hashes(folder: Path) -> dict[str, str]:
    try:
        values = json.loads((folder / _HASHES).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}


def _record_hash(path: Path, sha256: str) -> None:
    hashes = {**_recorded_hashes(path.parent), path.name: sha256}
    with replacing(path.parent / _HASHES) as temporary:
        temporary.write_text(json.dumps(hashes, indent=1, sort_keys=True))


def _check_hash(path: Path) -> None:
    recorded = _recorded_hashes(path.parent).get(path.name)
    if recorded is not None and recorded != sha256_of(path):
        raise ModelError(f"{path} is not the file that was downloaded (its SHA-256 differs from the recorded one); "
                         "delete it and get it again with" + remedy(f": deepd3-ij models get {path.stem}",
                                                                    " DeepD3 Models..."))
