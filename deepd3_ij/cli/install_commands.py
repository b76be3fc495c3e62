"""The commands ``install-fiji``, ``uninstall-fiji`` and ``doctor``."""

from __future__ import annotations

import argparse

from deepd3_ij.cli.console import shown_progress


def install(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij install-fiji``."""
    from deepd3_ij.install.installer import install as install_scripts

    with shown_progress(arguments.quiet) as progress:
        installation = install_scripts(arguments.fiji, force=arguments.force, progress=progress)
    print(f"{len(installation.files)} files installed; they start {installation.python}")
    print("Restart Fiji: the commands are in Plugins > DeepD3.")


def uninstall(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij uninstall-fiji``."""
    from deepd3_ij.install.installer import uninstall as remove_scripts

    kept = remove_scripts(arguments.fiji, force=arguments.force)
    print("The DeepD3 menu is removed.")
    for path in kept:
        print(f"kept, because it was changed since: {path}")


def doctor(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij doctor``; 1 if something is to be mended."""
    from deepd3_ij.install.doctor import PROBLEM, format_checks, run_checks

    checks = run_checks(arguments.fiji)
    print(format_checks(checks))
    if arguments.fiji:
        from deepd3_ij.install.installer import verify

        installation = verify(arguments.fiji)
        print(f"ok      DeepD3 in Fiji   version {installation.version}; {installation.python} answers")
    return int(any(check.status == PROBLEM for check in checks))
