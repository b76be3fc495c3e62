"""Which Fiji to use when a call does not say so."""

from __future__ import annotations

import os


def configured_fiji() -> str | None:
    """Fiji folder or Maven endpoint from ``DEEPD3_FIJI``, else None."""
    return os.environ.get("DEEPD3_FIJI") or None
