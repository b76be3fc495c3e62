"""Which part of a file is read, and with which voxel size: what the user chose before what the file tells."""

from __future__ import annotations

from deepd3_ij.errors import ChannelError, VoxelSizeError, remedy
from deepd3_ij.files.calibration import FileVoxelSize

_SAME_SIZE = 1e-3
_FIELDS = {"channel": "Channel", "frame": "Time point"}
"""What dialogs call the options."""


def choose(name: str, option: str, plural: str, value: int | None, count: int) -> int:
    """The channel or time point to read, 0-based; without a choice the only one.

    Parameters
    ----------
    name
        The file, for messages.
    option, plural
        "channel" and "channels", "frame" and "time points".
    value, count
        What the user chose, and how many there are.

    Raises
    ------
    ChannelError
        One must be chosen, or there is none of this number.
    """
    if value is None and count == 1:
        return 0
    if value is None:
        hint = ""
        if option == "frame":
            hint = "; if these are the planes of a stack, say so in Fiji (Image ▸ Properties…) and save it again"
        choose = remedy(f"--{option} 0 to {count - 1} (in Python {option}=…)",
                        f"{_FIELDS[option]}, 1 to {count}")
        raise ChannelError(f"{name} has {count} {plural}; choose one with {choose}{hint}.")
    if not 0 <= value < count:
        first, field = remedy("0", "1"), remedy(f"--{option}", _FIELDS[option])
        accepted = first if count == 1 else f"{first} to {int(first) + count - 1}"
        raise ChannelError(f"{name} has no {option} {value + int(first)}: it has {count} "
                           f"{plural if count > 1 else plural[:-1]}; accepted for {field}: {accepted}.")
    return int(value)


def choose_voxel_size(name: str, found: FileVoxelSize, planes: int, xy_um: float | None,
                      z_um: float | None) -> tuple[float, float]:
    """Voxel size (z, xy) in µm: given before found.

    Parameters
    ----------
    name
        The file, for messages.
    found
        What the file states.
    planes
        Their number; a single one needs no distance.
    xy_um, z_um
        What the user gave.

    Raises
    ------
    VoxelSizeError
        It is not known, and the message names the options that are missing; or pixels are not square.
    """
    if xy_um is None and found.x_um is not None and found.y_um is not None:
        if abs(found.x_um - found.y_um) > _SAME_SIZE * found.x_um:
            raise VoxelSizeError(f"{name} has pixels of {found.x_um:g} × {found.y_um:g} µm (x × y); accepted: square "
                                 "pixels. Give the size with " + remedy("--xy (in Python xy_um=)", "Pixel size")
                                 + " if this is wrong.")
        xy_um = found.x_um
    if z_um is None:
        z_um = found.z_um
    if z_um is None and planes == 1:
        z_um = xy_um
    missing = [(option, argument, what) for option, argument, what, value in (
        (remedy("--xy", "Pixel size"), "xy_um=", "pixel size", xy_um),
        (remedy("--z", "Distance between planes"), "z_um=", "distance of planes", z_um)) if value is None]
    if xy_um is None or z_um is None:
        if planes == 1 and xy_um is None:
            missing = missing[:1]
        unit = f" in a known unit (it has {found.unknown_unit!r})" if found.unknown_unit else ""
        in_python = remedy(f" (in Python {', '.join(argument for _, argument, _ in missing)})", "")
        raise VoxelSizeError(f"{name} does not state its {' and '.join(what for _, _, what in missing)}{unit}; "
                             f"give it in µm with {' and '.join(option for option, _, _ in missing)}{in_python}.")
    return z_um, xy_um
