"""The files of a simulated scene: what a microscope and a careful annotator would give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepd3_ij.atomic import replacing_together
from deepd3_ij.files.swc import write_swc
from deepd3_ij.files.tables import write_table
from deepd3_ij.files.tiff import ROLE, write_stack
from deepd3_ij.outputs.ledger import Ledger

if TYPE_CHECKING:
    from deepd3_ij.simulation import SimulatedScene


SCENE_ENDINGS = (".tif", "_true_dendrites.tif", "_true_spines.tif", "_true.swc", "_true_spines.csv")
"""How the names of a scene's files end, after the stem."""


def write_scene(scene: SimulatedScene, folder: Path, stem: str, ledger: Ledger | None = None) -> list[Path]:
    """Write stack, masks, tracing and spine table; all of them or, if one cannot be written, none.

    Parameters
    ----------
    scene
        Result of :func:`deepd3_ij.simulation.simulate`.
    folder, stem
        Existing folder and start of the names.
    ledger
        Notes what is written, and keeps what somebody changed; without it, whatever is there is replaced.

    Returns
    -------
    list of pathlib.Path
        ``<stem>.tif``, ``<stem>_true_dendrites.tif`` (0/255), ``<stem>_true_spines.tif`` (one number
        per spine), ``<stem>_true.swc`` (µm) and ``<stem>_true_spines.csv`` (spines that can be seen).
    """
    with replacing_together(folder, None if ledger is None else ledger.approve) as place:
        _write_files(scene, [place / f"{stem}{ending}" for ending in SCENE_ENDINGS])
    return [folder / f"{stem}{ending}" for ending in SCENE_ENDINGS]


def _write_files(scene: SimulatedScene, files: list[Path]) -> None:
    write_stack(files[0], scene.stack)
    mask = scene.dendrite.astype(np.uint8) * np.uint8(255)
    write_stack(files[1], mask.assign_attrs(scene.stack.attrs), display_range=(0, 255),
                properties={ROLE: "true dendrites"})
    write_stack(files[2], scene.spine, properties={ROLE: "true spines"})
    write_swc(files[3], scene.neurites, comment="simulated dendrites; x, y, z and radius in µm")
    spines = scene.spines[scene.spines["visible"].astype(bool)].drop(columns="visible")
    sizes_um = {"z": scene.parameters.z_um, "y": scene.parameters.xy_um, "x": scene.parameters.xy_um}
    first = list(spines.columns).index("x_um") + 1
    for number, (axis, size_um) in enumerate(sizes_um.items()):
        spines.insert(first + number, f"{axis}_px", spines[f"{axis}_um"] / size_um)
    write_table(files[4], spines)
