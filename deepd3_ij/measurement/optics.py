"""Widths of light."""

from __future__ import annotations

import math

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian, relative to its standard deviation."""
HALF_LIGHT = math.sqrt(math.sqrt(2.0) - 1.0)
"""Defocus, in Rayleigh lengths, at which the light on the axis of a two-photon focus is halved."""
