"""The commands ``models list``, ``get`` and ``show``."""

from __future__ import annotations

import argparse

from deepd3_ij.cli.console import shown_progress


def list_models(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models list``."""
    from deepd3_ij.model.zoo import available, default_model

    entries = available()
    default = default_model()
    for entry in entries:
        state = "bundled" if entry.origin == "bundled" else "downloaded" if entry.path else "to download"
        card = entry.card()
        about = card.description.split(". ")[0] if card else f"deepd3-ij models get {entry.name}"
        print(f"{entry.name:16} {state:12} {about}{' (default)' if entry.name == default else ''}")


def get(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models get``."""
    from deepd3_ij.model.zoo import download

    with shown_progress(arguments.quiet) as progress:
        path = download(arguments.name, progress=progress)
    print(path)


def show(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models show``."""
    from deepd3_ij.model.zoo import card_of, find_model

    path = find_model(arguments.name)
    print(path)
    print(card_of(path).to_json())
