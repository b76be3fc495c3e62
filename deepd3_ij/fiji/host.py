"""The ImageJ that runs in this process, as everything that works on images needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deepd3_ij.fiji.java import java_class


@dataclass(eq=False)
class Host:
    """ImageJ in this process.

    Attributes
    ----------
    host
        ``"embedded"``, the Fiji folder or endpoint, or ``"gateway"``.
    headless
        True if windows (and the ROI Manager) cannot be opened.
    commands
        True if ``IJ.run`` and macros work.
    context
        The SciJava context (Java).
    gateway
        The pyimagej gateway, None with the embedded ImageJ.
    """

    host: str
    headless: bool
    commands: bool
    context: Any = field(repr=False)
    gateway: Any = field(default=None, repr=False)

    @property
    def imagej_version(self) -> str:
        """For example ``1.54p``."""
        return str(java_class("ij.IJ").getVersion())
