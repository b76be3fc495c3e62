"""Whether the positions of a tracing are µm or pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepd3_ij.annotation.tracing import Tracing

AUTO = "auto"


def guess_units(tracing: Tracing, shape: Sequence[int], *, xy_um: float, z_um: float) -> tuple[str, str]:
    """Guess the unit of a tracing's positions from its extent.

    The unit with which more nodes lie inside of the volume is taken; of two equally good ones, µm if any position has
    a fraction, else pixels.

    Parameters
    ----------
    tracing
        Nodes.
    shape
        Size of the traced volume (z, y, x) in voxels.
    xy_um, z_um
        Its voxel size in µm.

    Returns
    -------
    units : str
        "um" or "px".
    reason : str
        Why, in a few words.
    """
    end = np.array(shape[::-1])
    inside = {units: float((((tracing.xyz / size) > -1) & ((tracing.xyz / size) < end)).all(axis=1).mean())
              for units, size in (("um", np.array([xy_um, xy_um, z_um])), ("px", np.ones(3)))}
    shares = ", ".join(f"{share:.0%} of the nodes lie in the stack as {'µm' if units == 'um' else 'pixels'}"
                       for units, share in inside.items())
    if inside["um"] != inside["px"]:
        return max(inside, key=lambda units: inside[units]), shares
    whole = bool((tracing.xyz == np.round(tracing.xyz)).all())
    return ("px", f"{shares}; all positions are whole numbers") if whole else \
        ("um", f"{shares}; positions have fractions")
