"""Write docs/parameters.md from the parameter classes.

    python docs/make_parameters.py
"""

from __future__ import annotations

from pathlib import Path

from deepd3_ij.parameters import DialogParameters, ParameterInfo, Parameters, accepted_values, describe
from deepd3_ij.parameters import table as parameters


def reference() -> str:
    """The page, as Markdown."""
    classes = [cls for cls in vars(parameters).values()
               if isinstance(cls, type) and issubclass(cls, Parameters) and describe(cls)]
    lines = ["# Parameters", "",
             "Every parameter of every operation: the same names, defaults and ranges hold in Python, on the command",
             "line and in Fiji's dialogs. This page is made from `deepd3_ij/parameters.py`.", ""]
    for cls in classes:
        lines += [f"## {cls.__name__}", "", (cls.__doc__ or "").strip(), "",
                  "| Python | command line | default | accepted | meaning |", "|---|---|---|---|---|"]
        lines += [_row(info, on_command_line=not issubclass(cls, DialogParameters)) for info in describe(cls)] + [""]
    return "\n".join(lines)


def _row(info: ParameterInfo, *, on_command_line: bool) -> str:
    if info.type is bool:
        default, accepted = ("on" if info.default else "off"), "on, off"
    else:
        default = "none" if info.default in (None, "") else f"{info.default} {info.unit}".strip()
        accepted = ", ".join(info.choices) or f"{info.low:g} … {info.high:g}" if info.choices or info.low is not None \
            else accepted_values(info)
    option = f"`{info.option}`" if on_command_line else "in Fiji's dialogs"
    cells = [f"`{info.name}`", option, default, accepted, info.help]
    return "| " + " | ".join(cell.replace(" um", " µm").replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    Path(__file__).with_name("parameters.md").write_text(reference(), encoding="utf-8")
