"""ImageJ dialogs made of the parameter classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deepd3_ij.errors import ParameterError
from deepd3_ij.fiji.events import listener
from deepd3_ij.fiji.java import java_class
from deepd3_ij.parameters import ParameterInfo, Parameters, describe

P = TypeVar("P", bound=Parameters)

_UNITS = {"um": "µm"}
_PROBABILITY_STEP = 0.05


@dataclass(frozen=True)
class Slider:
    """Reach of a slider: the useful part of a parameter's range (other values can be typed)."""

    low: float
    high: float
    step: float


def add_fields(
    dialog: Any, values: Parameters, names: Sequence[str] | None = None, sliders: dict[str, Slider] | None = None
) -> None:
    """Add a field per parameter to an ``ij.gui.GenericDialog``.

    Parameters
    ----------
    dialog
        The dialog.
    values
        Parameters and their first values.
    names
        Parameters to show, in this order; if None, all that always have a value.
    sliders
        Parameters that get a slider, beside those from 0 to 1.
    """
    for info in _chosen(type(values), names):
        value, label = getattr(values, info.name), _label(info, with_unit=False)
        slider = (sliders or {}).get(info.name)
        if slider is None and info.type is float and (info.low, info.high) == (0, 1):
            slider = Slider(0, 1, _PROBABILITY_STEP)
        if info.type is bool:
            dialog.addCheckbox(label, value)
        elif info.choices:
            dialog.addChoice(label, list(info.choices), value)
        elif slider is not None:
            dialog.addSlider(_label(info, with_unit=True), float(slider.low), float(slider.high), float(value),
                             float(slider.step))
        else:
            digits = 0 if info.type is int else 2
            dialog.addNumericField(label, float(value), digits, 8, _UNITS.get(info.unit, info.unit))


def read_fields(dialog: Any, cls: type[P], base: P, names: Sequence[str] | None = None) -> P:
    """Read what :func:`add_fields` added; parameters without a field keep the values of `base`.

    Raises
    ------
    ParameterError
        A field holds no number, or a value outside of its range.
    """
    values = base.to_dict()
    for info in _chosen(cls, names):
        if info.type is bool:
            values[info.name] = bool(dialog.getNextBoolean())
        elif info.choices:
            values[info.name] = str(dialog.getNextChoice())
        else:
            number = float(dialog.getNextNumber())
            values[info.name] = round(number) if info.type is int else round(number, 6)
    if dialog.invalidNumber():
        raise ParameterError(f"A field holds no number ({dialog.getErrorMessage()}); type a number.")
    return cls(**values)


def ask(
    title: str, values: P, names: Sequence[str] | None = None, *, message: str = "",
    sliders: dict[str, Slider] | None = None,
    before: Callable[[Any], None] | None = None, read_before: Callable[[Any], None] | None = None,
    preview: Callable[[P | None], None] | None = None,
) -> P | None:
    """Ask for parameters until they are right.

    Parameters
    ----------
    title, message
        Texts of the dialog.
    values
        Values that are shown first.
    names, sliders
        As in :func:`add_fields`.
    before, read_before
        Add further fields above, and read them.
    preview
        Adds the field *Preview*; called on Java's event thread with the parameters of every change while it is
        ticked, and with None when it is not.

    Returns
    -------
    Parameters or None
        None if the user cancelled.
    """
    note = message
    while True:
        dialog = java_class("ij.gui.GenericDialog")(title)
        if note:
            dialog.addMessage(note)
        if before is not None:
            before(dialog)
        add_fields(dialog, values, names, sliders)
        if preview is not None:
            dialog.addCheckbox("Preview", False)
            dialog.addDialogListener(_previewer(preview, values, names, read_before))
        dialog.showDialog()
        if dialog.wasCanceled():
            return None
        try:
            if read_before is not None:
                read_before(dialog)
            return read_fields(dialog, type(values), values, names)
        except ParameterError as error:
            note = str(error)


def _previewer(
    preview: Callable[[P | None], None], values: P, names: Sequence[str] | None,
    read_before: Callable[[Any], None] | None,
) -> Any:
    def changed(dialog: Any, event: Any) -> bool:
        try:
            if read_before is not None:
                read_before(dialog)
            now = read_fields(dialog, type(values), values, names)
        except ParameterError:
            return False  # ImageJ greys the OK button out
        preview(now if dialog.getNextBoolean() else None)
        return True

    return listener("ij.gui.DialogListener", result=True, dialogItemChanged=changed)


def _chosen(cls: type[Parameters], names: Sequence[str] | None) -> list[ParameterInfo]:
    infos = {info.name: info for info in describe(cls)}
    if names is None:
        return [info for info in infos.values() if not info.optional]  # a field cannot be empty
    return [infos[name] for name in names]


def _label(info: ParameterInfo, *, with_unit: bool) -> str:
    """Text of a field. ImageJ writes the unit behind a number; a slider has no place for it there."""
    text = info.label.removesuffix(" um").removesuffix(" px")
    unit = _UNITS.get(info.unit, info.unit)
    return f"{text} ({unit})" if with_unit and unit and unit not in text else text
