"""What this package wrote under which names, so that work of a person is never taken for it and replaced.

A hidden folder beside the results holds a file per stem with the SHA-256 of each. A file with another content was
changed by somebody (ROIs corrected in Fiji, a table edited, a mask drawn by hand), and is kept unless the user says
otherwise.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tifffile

from deepd3_ij.atomic import RECORDS, check_names, check_output_folder, remove_durably, replacing
from deepd3_ij.errors import OutputError, remedy
from deepd3_ij.file_identity import FilePath, content_of, has_content, refuse_inputs
from deepd3_ij.files.plane_source import quiet_tifffile
from deepd3_ij.stems import FOLDER_ENDINGS

DONE_SUFFIX = "_done.json"
"""End of the name of a batch's record that all results of a stack are there."""
_PNG_END = b"IEND\xaeB`\x82"
_HDF5 = (".prediction", ".rois")

_FIELDS = "'Replace files' or 'Overwrite' in the dialog"


@dataclass(frozen=True)
class Ledger:
    """Record of the results of one stem in a folder.

    Attributes
    ----------
    folder, stem
        Where the results are, and the start of their names.
    overwrite
        Replace also what was changed, or was there before.
    """

    folder: Path
    stem: str
    overwrite: bool = False

    @property
    def file(self) -> Path:
        """The file."""
        return self.folder / RECORDS / f"{self.stem}.json"

    def check(self, endings: Iterable[str], inputs: Sequence[FilePath | None] = ()) -> None:
        """Check before the work that its results can be written, and that nothing is lost by that.

        Parameters
        ----------
        endings
            How the names of the results end.
        inputs
            Files that are read for them.

        Raises
        ------
        OutputError
            A name is too long, a result would replace an input, or (without ``overwrite``) what somebody
            changed or made.
        """
        names = [f"{self.stem}{ending}" for ending in endings]
        check_names(self.folder, [*names, self.file.name])
        for name in names:
            if name.removeprefix(self.stem) not in FOLDER_ENDINGS and (self.folder / name).is_dir():
                raise OutputError(f"{self.folder / name} is a folder where a file is to be written; rename it or give "
                                  "another folder.")
        refuse_inputs([self.folder / name for name in names], inputs)
        if not self.overwrite:
            for name in self.changed(names):
                what = "changed after DeepD3 wrote it" if name in self._read() else "not written by DeepD3"
                raise OutputError(f"{self.folder / name} was {what} and would be replaced; give another folder, move "
                                  f"it away, or replace it with {remedy('--overwrite', _FIELDS)}.")

    def changed(self, names: Iterable[str]) -> list[str]:
        """Which of these files are there with a content that was not written here; empty or cut-off ones do not count.

        Returns
        -------
        list of str
            Their names.
        """
        written = self._read()
        return [name for name in names if (self.folder / name).exists()
                and not _is_replaceable(self.folder / name, written.get(name))]

    def corrected(self, written: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
        """Files that were written here and that somebody changed since; those that are gone or cut off do not count.

        Parameters
        ----------
        written
            Contents by name that another record tells.

        Returns
        -------
        list of str
            Their names.
        """
        known = self._read()
        names = sorted({*known, *written})
        entries = {name: [*known.get(name, []), *([written[name]] if name in written else [])] for name in names}
        return [name for name in names if Path(name).name == name and (self.folder / name).exists()
                and not _is_replaceable(self.folder / name, entries[name])]

    def approve(self, made: Sequence[Path]) -> None:
        """Note files that are about to take their places; for :func:`deepd3_ij.atomic.replacing_together`.

        What was written before stays noted until then, so that a process that is killed in between leaves
        nothing that counts as changed.

        Raises
        ------
        OutputError
            Somebody changed a file since :meth:`check`, or the note cannot be written.
        """
        self.check([path.name.removeprefix(self.stem) for path in made])
        known = self._read()
        for path in made:
            kept = [entry for entry in known.get(path.name, []) if has_content(self.folder / path.name, entry)]
            known[path.name] = [*kept[-1:], content_of(path)]
        remove_durably(self.folder / f"{self.stem}{DONE_SUFFIX}")  # it tells of what is now replaced
        check_output_folder(self.file.parent)
        with replacing(self.file) as temporary:
            temporary.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")

    def _read(self) -> dict[str, list[Any]]:
        try:
            values = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(values, dict):
            return {}
        return {str(name): entries for name, entries in values.items() if isinstance(entries, list)}


def _is_replaceable(path: Path, written: list[Any] | None) -> bool:
    if path.is_file() and path.stat().st_size == 0:
        return True
    if written is None:
        return False
    return any(has_content(path, entry) for entry in written) or (path.is_file() and not is_complete(path))


def is_complete(path: Path) -> bool:
    """Whether a result can be what a program finished writing, by the end that its format has.

    A table has no such end: it counts as complete unless it is empty.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            return False
        suffix = path.suffix.lower()
        if suffix == ".zip":
            return zipfile.is_zipfile(path)
        if suffix == ".png":
            with path.open("rb") as stream:
                stream.seek(max(0, size - len(_PNG_END)))
                return stream.read() == _PNG_END
        if suffix in _HDF5:
            return _opens_as_hdf5(path)
        if suffix in (".tif", ".tiff"):
            return _opens_as_tiff(path)
    except OSError:
        return False
    return True


def _opens_as_hdf5(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return bool(file.keys())
    except (OSError, RuntimeError):
        return False


def _opens_as_tiff(path: Path) -> bool:
    try:
        with quiet_tifffile(), tifffile.TiffFile(path) as tif:
            ends = [offset + count for page in tif.pages
                    for offset, count in zip(page.aspage().dataoffsets, page.aspage().databytecounts, strict=True)]
            series = tif.series[0]
            if series.dataoffset is not None:
                ends.append(series.dataoffset + series.nbytes)
            return bool(ends) and max(ends) <= tif.filehandle.size and _chain_ends(tif)
    except Exception:  # a file that breaks off makes tifffile fail in many ways
        return False


def _chain_ends(tif: tifffile.TiffFile) -> bool:
    """Whether the chain of pages ends by a zero; else it was cut off."""
    position = tif.pages.next_page_offset
    if position is None:
        return True
    tif.filehandle.seek(position)
    return bool(tif.filehandle.read(tif.tiff.offsetsize) == bytes(tif.tiff.offsetsize))
