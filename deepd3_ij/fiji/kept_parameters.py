"""3-D ROI parameters that the live test *Test 3D ROIs* kept for an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deepd3_ij.fiji.java import text_of
from deepd3_ij.names import ROI_PARAMETERS


def kept_roi_parameters(image: Any) -> dict[str, Any]:
    """What was kept for an image, by the names of :class:`deepd3_ij.parameters.Roi3DParameters`; often not all."""
    return dict(json.loads(text_of(image.getProp(ROI_PARAMETERS)) or "{}"))


def keep_roi_parameters(image: Any, values: Mapping[str, Any]) -> None:
    """Keep values for 3-D ROI building on an image; they count before those of the model, and after typed ones."""
    image.setProp(ROI_PARAMETERS, json.dumps(dict(values), sort_keys=True))
