"""``python -m deepd3_ij`` is ``deepd3-ij``."""

import sys

from deepd3_ij.cli import main

sys.exit(main())
