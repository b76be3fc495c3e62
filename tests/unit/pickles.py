"""Finding pickles in HDF5 files without loading them."""

from __future__ import annotations

import io
import pickletools
from pathlib import Path
from typing import Any

import h5py
import numpy as np

PLAIN = "biufS"


def pickles_in(path: Path) -> list[str]:
    """Name every dataset and attribute of a file that is no plain data, or text that can be read as a pickle."""
    found: list[str] = []

    def look(name: str, value: Any) -> None:
        if isinstance(value, h5py.Empty):
            return
        array = np.asarray(value)
        if array.dtype.kind not in PLAIN + "U" or (array.dtype.kind == "S" and any(map(is_pickle, array.flat))):
            found.append(name)

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            if node.dtype.kind in PLAIN:
                look(name, node[()])
            else:
                found.append(name)
        for key, value in node.attrs.items():
            look(f"{name}@{key}", value)
            if key == "PSEUDOATOM" and value == b"object":
                found.append(f"{name}@{key}")

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)  # goes on as long as the function returns None
    return found


def is_pickle(text: bytes) -> bool:
    """Whether these bytes are a whole pickle of any protocol; nothing of it is carried out."""
    try:
        pickletools.dis(text, out=io.StringIO())
    except Exception:
        return False
    return True
