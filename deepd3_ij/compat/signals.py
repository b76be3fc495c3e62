"""Signals with ``connect`` and ``emit``, as the guide's classes have them, without Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload


class BoundSignal:
    """The signal of one object: calls what is connected, in the order of connection."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call `slot` with the values of every :meth:`emit`."""
        self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any] | None = None) -> None:
        """Take away one slot, or all."""
        self._slots = [] if slot is None else [other for other in self._slots if other != slot]

    def emit(self, *values: Any) -> None:
        """Call every slot with these values; an exception of a slot stops the work that emits."""
        for slot in list(self._slots):
            slot(*values)


class Signal:
    """Class attribute that gives every object a :class:`BoundSignal` of its own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Signal: ...

    @overload
    def __get__(self, instance: object, owner: type) -> BoundSignal: ...

    def __get__(self, instance: object | None, owner: type) -> Signal | BoundSignal:
        if instance is None:
            return self
        bound: BoundSignal = instance.__dict__.setdefault(self._name, BoundSignal())
        return bound
