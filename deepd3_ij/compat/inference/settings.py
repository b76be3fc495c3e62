"""The guide's dialogs as the settings that they ask for."""

from __future__ import annotations

from os import PathLike
from typing import Any, Generic, TypeVar

from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS
from deepd3_ij.files.roi_settings import parameters_of, settings_of
from deepd3_ij.parameters import (
    CleaningParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    VoxelSizeParameters,
    describe,
)

P = TypeVar("P", bound=Parameters)

_LINE_LENGTH = 40


class QHLine:
    """A horizontal line between groups of settings."""

    def __str__(self) -> str:
        return "─" * _LINE_LENGTH


class Settings(Generic[P]):
    """Parameters of a step, with a title.

    Attributes
    ----------
    parameters
        What the step is done with; replace them to change it.
    closed
        Whether :meth:`close` was called.
    """

    title = ""

    def __init__(self, parameters: P) -> None:
        self.parameters = parameters
        self.closed = False

    def __str__(self) -> str:
        lines = (f"{info.label}: {getattr(self.parameters, info.name)}" for info in describe(type(self.parameters)))
        return "\n".join([self.title, str(QHLine()), *lines])

    def close(self) -> bool:
        """End the entry of settings; True."""
        self.closed = True
        return True


class Segment(Settings[PredictionParameters]):
    """Model and tiling of a segmentation; whole planes at first, as in the guide's dialog.

    Parameters
    ----------
    model_fn
        Model file, or the name of a model; None for the bundled one.
    """

    title = "Segment dendrite and spines"

    def __init__(self, model_fn: str | PathLike[str] | None = None) -> None:
        super().__init__(PredictionParameters(tiling="plane", padding="min"))
        self.model_fn = None if model_fn is None else str(model_fn)

    def findModel(self) -> str:
        """Ask for a model file in ImageJ's dialog; a choice that is cancelled leaves the model as it was."""
        from deepd3_ij.compat.imagej import choose_file

        self.model_fn = str(choose_file("Model file (.keras, .h5)"))
        return self.model_fn


class Cleaning(Settings[CleaningParameters]):
    """How the prediction is cleaned; spines by 21 dilations at first, as in the guide's dialog."""

    title = "Cleaning"

    def __init__(self) -> None:
        super().__init__(CleaningParameters(spine_iterations=21))


class ROI2D(Settings[Roi2DParameters]):
    """How 2-D ROIs are built."""

    title = "2D ROI detection"

    def __init__(self) -> None:
        super().__init__(Roi2DParameters())


class ROI3D(Settings[Roi3DParameters]):
    """How 3-D ROIs are built.

    Parameters
    ----------
    settings
        Settings by DeepD3's names (method, areaThreshold, peakThreshold, minPx, maxPx, minPlanes, distanceToSeed,
        seedDelta, watershed) or parameters; what is missing is the default.
    """

    title = "3D ROI detection"

    def __init__(self, settings: dict[str, Any] | Roi3DParameters | None = None) -> None:
        super().__init__(settings if isinstance(settings, Roi3DParameters) else parameters_of(settings or {}))

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters by DeepD3's names."""
        return settings_of(self.parameters)


class askDimensions:
    """Voxel size of a stack.

    Parameters
    ----------
    xy, z
        Size of a pixel and distance between planes in µm.
    """

    def __init__(self, xy: float = DEFAULT_DIMENSIONS["xy"], z: float = DEFAULT_DIMENSIONS["z"]) -> None:
        self._size = VoxelSizeParameters(xy_um=xy, z_um=z)

    def dimensions(self) -> dict[str, float]:
        """Give ``{'xy': …, 'z': …}`` in µm."""
        return {"xy": self._size.xy_um, "z": self._size.z_um}
