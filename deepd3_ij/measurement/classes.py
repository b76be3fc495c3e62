"""Classes of spines by rules, each with the probability that the errors of the measures leave to it.

The rules are a tree like NeuronStudio's (head to neck, head size, length to head; with a filopodium, as Neurolucida
has it). Light does not resolve necks, so that the ratio of head and neck is replaced by the light of the neck relative
to the head's. Spines form a continuum: classes depend on limits, and are an option for comparison with earlier work.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deepd3_ij.measurement.columns import SPLITS

CLASSES = ("mushroom", "thin", "stubby", "filopodium")
UNDECIDED = "undecided"
LEAST_PROBABILITY = 0.6
"""Below it a spine is undecided."""
LARGEST_CONTRAST = 0.6
"""A head that has a neck of less light than this, relative to its own, is wider than the neck."""
MUSHROOM_HEAD_UM = 0.35
"""Such a head makes a mushroom from this diameter on."""
THIN_RATIO = 2.5
"""A spine without such a head is thin if its length is more than so many diameters of its head."""
FILOPODIUM_UM = 2.0
"""A spine without any head that is longer than this is a filopodium."""
DRAWS = 200
LENGTH_SE_UM, CONTRAST_SE, HEAD_SE_UM = 0.15, 0.1, 0.2
"""Standard errors of length and contrast, and of a head's diameter that has none of its own."""


def classes_of(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sort spines into classes.

    Parameters
    ----------
    columns
        Columns of ``SHAPE_COLUMNS``, shape ``(n,)`` each.

    Returns
    -------
    dict of numpy.ndarray
        ``spine_class``, object, one of ``CLASSES`` or ``UNDECIDED``, empty where no length is known; and
        ``class_probability``, float64, that of the most probable class, NaN where none is known.
    """
    head_um, head_se_um = _heads(columns)
    length_um, contrast = columns["length_um"], columns["neck_contrast"]
    split = (columns["head_neck_split"] != SPLITS[-1]) & np.isfinite(contrast)
    known = np.isfinite(length_um) & np.isfinite(head_um)
    # The same for all spines, so that none depends on others.
    errors = np.random.default_rng(0).normal(size=(3, DRAWS, 1))
    drawn_length = length_um + LENGTH_SE_UM * errors[0]
    drawn_head = np.maximum(head_um + head_se_um * errors[1], 1e-3)
    wide = split & (np.where(split, contrast, 1.0) + CONTRAST_SE * errors[2] < LARGEST_CONTRAST)
    filopodium = ~split & (drawn_length > FILOPODIUM_UM)
    mushroom = wide & (drawn_head >= MUSHROOM_HEAD_UM)
    thin = ~filopodium & ~mushroom & (wide | (drawn_length / drawn_head > THIN_RATIO))
    shares = np.stack([mushroom, thin, ~(mushroom | thin | filopodium), filopodium]).mean(axis=1)
    best = shares.argmax(axis=0)
    probability = np.where(known, shares.max(axis=0), np.nan)
    names = np.array(CLASSES, dtype=object)[best]
    names[probability < LEAST_PROBABILITY] = UNDECIDED
    names[~known] = ""
    return {"spine_class": names, "class_probability": probability}


def _heads(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Diameters of heads and their errors: without blur, else from their light, else as far as the tip reaches."""
    volume = columns["volume_intensity_um3"]
    with np.errstate(invalid="ignore", divide="ignore"):
        from_light = np.cbrt(6 / np.pi * np.where(volume > 0, volume, np.nan))
        from_light_se = from_light / 3 * columns["volume_relative_se"] / columns["volume_relative"]
    reach = 2 * np.sqrt(sum((columns[f"tip_{dim}_um"] - columns[f"head_{dim}_um"]) ** 2 for dim in "zyx"))
    diameter, error = columns["head_diameter_um"], columns["head_diameter_se_um"]
    for other, other_error in ((from_light, from_light_se), (reach, np.full(len(reach), HEAD_SE_UM))):
        missing = ~(np.isfinite(diameter) & np.isfinite(error))
        diameter, error = np.where(missing, other, diameter), np.where(missing, other_error, error)
    return diameter, error
