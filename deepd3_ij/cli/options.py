"""Command-line options made from the parameter classes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from rich_argparse import RichHelpFormatter

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import ParameterInfo, Parameters, RegionParameters, describe, resolve
from deepd3_ij.printing import printable

P = TypeVar("P", bound=Parameters)


class HelpFormatter(RichHelpFormatter):
    """Coloured help on a terminal, with room for long option names."""

    group_name_formatter = str

    def __init__(self, prog: str, **kwargs: Any) -> None:
        kwargs["max_help_position"] = 34
        super().__init__(prog, **kwargs)


class Parser(argparse.ArgumentParser):
    """A parser whose usage errors are one line and exit code 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", HelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message)}. See '{self.prog} --help'.\n")


def written_name(text: str) -> str:
    """Name of a file or folder to write; an empty one is a usage error."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; give a file or folder, or . for this folder")
    return text


def add_parameters(parser: argparse.ArgumentParser, title: str, *classes: type[Parameters],
                   only: Sequence[str] | None = None) -> None:
    """Add one option per parameter; a name that several classes share is one option, and means the same for them.

    Parameters
    ----------
    parser
        Gets a group of options.
    title
        Title of the group.
    classes
        Parameter classes.
    only
        Names of the parameters to add; all if None.
    """
    group = parser.add_argument_group(title)
    known = {action.dest for action in parser._actions}
    for cls in classes:
        for info in describe(cls):
            if info.name not in known and (only is None or info.name in only):
                group.add_argument(info.option, **_keywords(info))
                known.add(info.name)


def typed_parameters(cls: type[P], arguments: argparse.Namespace) -> P:
    """Parameters that no model recommends: what the user typed, then the defaults."""
    return resolve(cls, typed_values(cls, arguments)).parameters


def typed_values(cls: type[Parameters], arguments: argparse.Namespace) -> dict[str, Any]:
    """What the user typed for the parameters of a class."""
    names = [info.name for info in describe(cls)]
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name, None) is not None}


def reject_without_effect(arguments: argparse.Namespace, idle: type[Parameters], used: Sequence[type[Parameters]],
                          reason: str) -> None:
    """Refuse an option that the user typed and that only a class without effect has.

    Raises
    ------
    ParameterError
        There is such an option; the message ends with the reason.
    """
    useful = {info.name for cls in used for info in describe(cls)}
    typed = typed_values(idle, arguments)
    for info in describe(idle):
        if info.name in typed and info.name not in useful:
            raise ParameterError(f"{info.option} has no effect {reason}.")


def describe_value(info: ParameterInfo) -> str:
    """A default as help shows it."""
    if info.type is bool:
        return "on" if info.default else "off"
    if info.default is None:
        return "none"
    return f"{info.default} {info.unit.replace('um', 'µm')}".strip()


def _keywords(info: ParameterInfo) -> dict[str, Any]:
    help_text = f"{info.help} Default: {describe_value(info)}.".replace("%", "%%")
    common: dict[str, Any] = {"dest": info.name, "default": None, "help": help_text}
    if info.type is bool:
        return {**common, "action": argparse.BooleanOptionalAction}
    if info.choices:
        return {**common, "choices": info.choices, "metavar": "|".join(info.choices)}
    units = {"um": "UM", "px": "PX", "voxels": "N", "planes": "N"}
    return {**common, "type": info.type, "metavar": units.get(info.unit, "N" if info.type is int else "X")}


def plane_range(text: str) -> tuple[int, int]:
    """Read ``A:B`` (0-based, end exclusive)."""
    begin, colon, end = text.partition(":")
    if not colon or not begin.strip().isdigit() or not end.strip().isdigit() or int(begin) >= int(end):
        raise argparse.ArgumentTypeError(f"'{text}' is no range of planes; give A:B, 0-based, end exclusive, e.g. 3:20")
    return int(begin), int(end)


def shard(text: str) -> tuple[int, int]:
    """Read ``K/N``."""
    number, slash, count = text.partition("/")
    if not slash or not number.isdigit() or not count.isdigit() or not 1 <= int(number) <= int(count):
        raise argparse.ArgumentTypeError(f"'{text}' is no part; give K/N with K from 1 to N, e.g. 3/40")
    return int(number), int(count)


def day_numbers(text: str) -> list[float]:
    """Read ``0,4,9``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = [math.nan]
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"'{text}' are no times; give a number of days for each file, e.g. 0,4,9")
    return values


def add_voxel_size(parser: argparse.ArgumentParser) -> None:
    """Add ``--xy`` and ``--z``."""
    group = parser.add_argument_group("voxel size (default: from the file)")
    group.add_argument("--xy", type=float, metavar="UM", dest="xy_um", help="Size of a pixel in µm.")
    group.add_argument("--z", type=float, metavar="UM", dest="z_um", help="Distance between planes in µm.")


def add_reading(parser: argparse.ArgumentParser, *, z_range: bool = True) -> None:
    """Add what says how a stack is read."""
    add_voxel_size(parser)
    group = parser.add_argument_group("what to read")
    group.add_argument("--channel", type=int, metavar="N", help="Channel, 0-based, if the file has several.")
    group.add_argument("--frame", type=int, metavar="N", help="Time point, 0-based, if the file has several.")
    group.add_argument("--level", type=int, metavar="N",
                       help="Resolution level of an OME-Zarr image; 0, the default, is the finest.")
    if z_range:
        group.add_argument("--z-range", type=plane_range, metavar="A:B",
                           help="Planes A to B-1 only (0-based, end exclusive).")


def add_region(parser: argparse.ArgumentParser) -> None:
    """Add ``--region``."""
    parser.add_argument("--region", type=box_of_pixels, metavar="X,Y,WIDTH,HEIGHT",
                        help="Only this box of pixels; the maps keep the stack's size and are 0 outside of it.")


def box_of_pixels(text: str) -> tuple[int, int, int, int]:
    """Read ``x,y,width,height``."""
    try:
        box = RegionParameters(text).box()
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
    assert box is not None
    return box


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    parser.add_argument("--model", metavar="M", default=None,
                        help="Name (see 'deepd3-ij models list') or file of a model. Default: the bundled model.")


def memory_size(text: str) -> int:
    """Read an amount of memory; another text is a usage error."""
    from deepd3_ij.memory import parse_memory

    try:
        return parse_memory(text)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def add_memory(parser: argparse.ArgumentParser, of_whom: str = "") -> None:
    """Add ``--memory``, which changes no result; `of_whom` says who keeps to it."""
    parser.add_argument("--memory", type=memory_size, metavar="SIZE", help="Memory to keep to, e.g. 6GB; what needs "
                        f"more is done slab by slab, with the same results.{of_whom} Default: 60 %% of what is free.")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``."""
    parser.add_argument("--out", type=written_name, metavar="DIR", required=True,
                        help="Folder for the results; made if missing.")
    add_overwrite(parser)


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite``."""
    parser.add_argument("--overwrite", action="store_true", help="Also replace results that were changed after DeepD3 "
                        "wrote them, e.g. ROIs corrected by hand, and other files of their names.")
