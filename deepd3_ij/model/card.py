"""Model cards: what a model was trained on, how good it is, and the parameters that suit it.

A card is a JSON text inside the model file itself: the zip member ``deepd3_card.json`` of a
``.keras`` file, the root attribute ``deepd3_card`` of an ``.h5`` file. Other programs ignore it.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from deepd3_ij.errors import ModelError, one_line
from deepd3_ij.parameters import checked_recommendations, is_number

MEMBER = "deepd3_card.json"
ATTRIBUTE = "deepd3_card"
_LARGEST_CARD_BYTES = 1_000_000
_HDF5_ATTRIBUTE_BYTES = 60_000


@dataclass(frozen=True)
class ModelCard:
    """What is known about a model.

    Attributes
    ----------
    name, description
        Name and one paragraph for the user.
    resolution_um
        Pixel size in the plane that the training data were brought to; None if they were
        used as they were.
    z_um
        Distance between planes of the training data, if they have one.
    filters
        Filters of the first encoder block.
    licence, created
        Licence of the weights; date of training (ISO 8601).
    training, scores
        Free tables: data, steps, losses; measured recall, precision, F1.
    recommended
        Parameters that suit the model, by parameter class name, e.g.
        ``{"Roi3DParameters": {"area_threshold": 0.3}, "min_volume_um3": 0.05}``;
        ``min_volume_um3`` and ``max_volume_um3`` become ``min_voxels`` and ``max_voxels``.
    confidence
        How measures of a ROI become the probability that it is a spine
        (:class:`deepd3_ij.measurement.confidence.ConfidenceModel`); empty without a calibration. How well that held on
        stacks that it was not fitted to stands in ``scores["confidence"]``.
    trained_on
        Smallest and largest value of each measure of :mod:`deepd3_ij.segmentation.likeness` over the training stacks;
        without them no stack is said to be unlike those.
    empty_below
        Share of a plane's brightest place up to which the model finds nothing
        (:mod:`deepd3_ij.segmentation.emptiness`); None if that is not known, so that all is computed.
    """

    name: str = ""
    description: str = ""
    resolution_um: float | None = None
    z_um: float | None = None
    filters: int | None = None
    licence: str = ""
    created: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    recommended: dict[str, Any] = field(default_factory=dict)
    confidence: dict[str, Any] = field(default_factory=dict)
    trained_on: dict[str, Any] = field(default_factory=dict)
    empty_below: float | None = None

    def __post_init__(self) -> None:
        for name in ("resolution_um", "z_um"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and 0 < value < 1000):
                raise ModelError(f"The model card's {name} is {value!r}; accepted: a positive number of µm, or null.")
        for name in ("training", "scores", "confidence", "trained_on"):
            if not isinstance(getattr(self, name), dict):
                raise ModelError(f"The model card's {name} is {getattr(self, name)!r}; accepted: a table.")
        for name, ends in self.trained_on.items():
            if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)) and ends[0] <= ends[1]):
                raise ModelError(f"The model card's trained_on has {ends!r} for {name}; accepted: the smallest and the "
                                 "largest value in the training stacks.")
        if self.empty_below is not None and not (is_number(self.empty_below) and 0 <= self.empty_below < 1):
            raise ModelError(f"The model card's empty_below is {self.empty_below!r}; accepted: a share from 0 to "
                             "below 1, or null.")
        checked_recommendations(self.recommended)

    def to_json(self) -> str:
        """The card as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card from JSON text; names that this version does not know are passed over.

        Raises
        ------
        ModelError
            The text is no JSON table, or a value is unusable.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The model card is no JSON text ({one_line(error, 120)}); attach a new card to the model."
                             ) from error
        if not isinstance(values, dict):
            raise ModelError(f"The model card is a {type(values).__name__}; accepted: a JSON table.")
        known = {item.name for item in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def read_card(path: str | PathLike[str]) -> ModelCard:
    """Read the card of a model file; a model without one gets an empty card with its file's stem as name.

    Parameters
    ----------
    path
        A ``.keras`` or ``.h5`` file.

    Raises
    ------
    ModelError
        The file is missing, is no model file, or its card is unusable.
    """
    path = Path(path)
    text = _read_zip_card(path) if _is_zip(path) else _read_hdf5_card(path)
    card = ModelCard() if text is None else ModelCard.from_json(text)
    return card if card.name else dataclasses.replace(card, name=path.stem)


def attach_card(path: str | PathLike[str], card: ModelCard) -> None:
    """Put a card into a model file; an earlier card is replaced.

    The file is replaced as a whole only when the new one is complete.

    Parameters
    ----------
    path
        A ``.keras`` or ``.h5`` file.
    card
        The new card.

    Raises
    ------
    ModelError
        The file is missing or no model file.
    """
    from deepd3_ij.atomic import replacing

    path = Path(path)
    text = card.to_json()
    with replacing(path) as temporary:
        if _is_zip(path):
            _write_zip_card(path, Path(temporary), text)
        else:
            _write_hdf5_card(path, Path(temporary), text)


def _is_zip(path: Path) -> bool:
    if not path.is_file():
        raise ModelError(f"There is no model file {path}; check the path.")
    return zipfile.is_zipfile(path)


def _read_zip_card(path: Path) -> bytes | None:
    try:
        return _zip_member(path)
    except ModelError:
        raise
    except Exception as error:  # zipfile and its decompressors fail in many ways
        raise ModelError(f"The card in {path.name} is damaged ({one_line(error, 120)}); attach a new card to the model."
                         ) from error


def _zip_member(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        try:
            info = archive.getinfo(MEMBER)
        except KeyError:
            return None
        if info.file_size > _LARGEST_CARD_BYTES:
            raise ModelError(f"The card in {path.name} has {info.file_size} bytes; "
                             f"accepted: at most {_LARGEST_CARD_BYTES}.")
        with archive.open(info) as member:  # the directory of the zip may state less than there is
            content = member.read(_LARGEST_CARD_BYTES + 1)
        if len(content) > _LARGEST_CARD_BYTES:
            raise ModelError(f"The card in {path.name} has more than {_LARGEST_CARD_BYTES} bytes.")
        return content


def _read_hdf5_card(path: Path) -> str | bytes | None:
    with _open_hdf5(path, "r") as file:
        try:
            text = file.attrs.get(ATTRIBUTE)
        except Exception as error:  # damaged files make h5py fail in many ways
            raise ModelError(f"The card in {path.name} is damaged ({one_line(error, 120)}); attach a new card to the "
                             "model.") from error
    return text if text is None or isinstance(text, str | bytes) else str(text)


def _write_zip_card(path: Path, temporary: Path, text: str) -> None:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
        for info in old.infolist():
            if info.filename != MEMBER:
                with old.open(info) as source, new.open(info, "w") as target:
                    shutil.copyfileobj(source, target)
        new.writestr(MEMBER, text)


def _write_hdf5_card(path: Path, temporary: Path, text: str) -> None:
    if len(text.encode()) > _HDF5_ATTRIBUTE_BYTES:
        raise ModelError(f"The card has {len(text.encode())} bytes; an .h5 file takes at most "
                         f"{_HDF5_ATTRIBUTE_BYTES}: shorten it or save the model as .keras.")
    shutil.copyfile(path, temporary)
    with _open_hdf5(temporary, "r+") as file:
        file.attrs[ATTRIBUTE] = text


def _open_hdf5(path: Path, mode: str) -> Any:
    import h5py

    try:
        return h5py.File(path, mode, locking=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path.name} is no model file; accepted: .keras or .h5 as written by Keras.") from error
