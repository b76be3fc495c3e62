"""The command ``doctor``."""

from __future__ import annotations

import argparse

from deepd3_ij.fiji.doctor import PROBLEM, format_checks, run_checks


def doctor(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij doctor``; 1 if something is to be mended."""
    checks = run_checks(arguments.fiji)
    print(format_checks(checks))
    return int(any(check.status == PROBLEM for check in checks))
