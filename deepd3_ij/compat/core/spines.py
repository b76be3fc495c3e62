"""The guide's ``deepd3.core.spines``."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from deepd3_ij.compat.core.mask_files import write_mask
from deepd3_ij.compat.pitch import labelled
from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.masks import PIPRA_SUFFIX, TIFF_SUFFIXES, read_pipra_foreground, read_tiff_foreground
from deepd3_ij.stems import stem_of


class Spines:
    """Makes a TIFF stack of annotated spines."""

    spines_fn: str | PathLike[str] | None = None

    def open(self, spines_fn: str) -> None:
        """Name the annotation.

        Parameters
        ----------
        spines_fn
            TIFF mask or label image, or pipra ``.mask`` file.
        """
        self.spines_fn = spines_fn

    def convert(self) -> str:
        """Write ``<stem>_spines.tif`` (0/255) beside the annotation, and its maximum projection as PNG.

        The voxel size in the file is the guide's default; readers of annotations do not look at it.

        Returns
        -------
        str
            The file.

        Raises
        ------
        AnnotationError
            No file was named, or one that cannot be read. (The original fails for every TIFF.)
        """
        if self.spines_fn is None:
            raise AnnotationError("No spine annotation is named yet; call open(path) first.")
        path = Path(self.spines_fn)
        suffix = path.suffix.lower()
        if suffix in TIFF_SUFFIXES:
            mask = read_tiff_foreground(path, labelled(np.zeros((1, 1, 1)), path.name))
        elif suffix == PIPRA_SUFFIX:
            mask = read_pipra_foreground(path)
        else:
            raise AnnotationError(f"{path.name} has the suffix {suffix or '(none)'}; accepted: "
                                  f"{', '.join((*TIFF_SUFFIXES, PIPRA_SUFFIX))}.")
        return write_mask(path.with_name(f"{stem_of(path)}_spines.tif"),
                          labelled(mask.astype(np.uint8) * np.uint8(255), path.name))
