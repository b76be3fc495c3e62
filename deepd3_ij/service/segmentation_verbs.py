"""Verbs from a file to a cleaned prediction."""

from __future__ import annotations

import xarray as xr

from deepd3_ij.errors import ParameterError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.parameters import CleaningParameters, PredictionParameters, RegionParameters, check_plane_order
from deepd3_ij.progress import Progress, in_steps
from deepd3_ij.service.exchange import Image, Reply, describe_image, prediction_reply, shown_pixels
from deepd3_ij.service.registry import NOTHING_CHOSEN, Choices, Map, Pixels, verb
from deepd3_ij.stems import saved_beside


@verb("open")
def open_image(progress: Progress, *, path: str, xy_um: float | None = None, z_um: float | None = None,
               channel: int | None = None, frame: int | None = None, level: int | None = None) -> Reply:
    """Read an image file (channel, frame and level 0-based)."""
    progress(0, 1, "Reading the stack")
    stack = open_stack(path, xy_um=xy_um, z_um=z_um, channel=channel, frame=frame, level=level)
    progress(1, 1, "Reading the stack")
    saved = [str(file) for file in saved_beside(path)]
    pixels, signed = shown_pixels(stack.values)
    return Reply({"image": describe_image(stack), "signed": signed, "saved": saved}, {"stack": pixels})


@verb("segment")
def segment(progress: Progress, *, image: Image, stack: Pixels, model: str | None = None,
            choices: Choices = NOTHING_CHOSEN, first_plane: int = 1, last_plane: int | None = None,
            region: str | None = None) -> Reply:
    """Predict dendrites and spines in a stack (planes as a Fiji user counts them, from 1, last one included).

    `region`: the box that alone is segmented, ``x,y,width,height`` in pixels.
    """
    from deepd3_ij.model import load_model
    from deepd3_ij.segmentation import predict

    labelled = image.stack(stack)
    planes, box = _z_range(first_plane, last_plane, labelled), RegionParameters(region).box()
    progress = in_steps(progress, {"Loading the model": 0.1, "Predicting": 0.9})
    progress(0, 1, "Loading the model")
    loaded = load_model(model)
    prediction = predict(labelled, loaded, choices.typed.get(PredictionParameters), z_range=planes, region=box,
                         progress=progress)
    return prediction_reply(prediction, model=loaded.name)


@verb("clean")
def clean(progress: Progress, *, image: Image, dendrite: Map, spine: Map, provenance: str = "{}",
          choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Clean a prediction."""
    from deepd3_ij.cleaning import clean as clean_prediction

    prediction = image.prediction(dendrite, spine, provenance)
    return prediction_reply(clean_prediction(prediction, choices.typed.get(CleaningParameters), progress))


def _z_range(first_plane: int, last_plane: int | None, stack: xr.DataArray) -> tuple[int, int] | None:
    planes = stack.sizes["z"]
    last = planes if last_plane is None else last_plane
    if first_plane > planes or last > planes:
        raise ParameterError(f"The planes {first_plane} to {last} are asked for; accepted: planes from 1 to {planes}.")
    check_plane_order(first_plane, last)
    return None if (first_plane, last) == (1, planes) else (first_plane - 1, last)
