"""Tracings in the SWC format.

A line of an SWC file is one node: id, type, x, y, z, radius, id of the parent. The format is the one of
Cannon, Turner, Pyapali & Wheal, J. Neurosci. Methods 84 (1998) 49–54. It knows no units: here x, y, z of a
:class:`Tracing` are in µm unless a function says otherwise.
"""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path

import numpy as np

from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.text_file import lines_of, read_text


def read_swc(path: str | PathLike[str]) -> Tracing:
    """Read a tracing.

    Accepted are any white space between columns, comments (``#``) anywhere, a byte-order mark, columns after the
    seventh (ignored), ids with gaps, in any order and from any start, several roots, and children before their
    parents. A parent below 0 marks a root. A radius of 0 means "not known" and is kept; a negative one is an error.

    Parameters
    ----------
    path
        SWC file.

    Returns
    -------
    Tracing

    Raises
    ------
    AnnotationError
        With the line's number: too few columns, something that is no number, a negative radius, an id used twice,
        a parent that does not exist, a cycle. Also for a file without nodes or without a readable text.
    """
    name, text = Path(path).name, read_text(path, "tracing (SWC)")
    if text.lstrip()[:1] in ("<", "(", ";", "{"):
        raise AnnotationError(f"{name} is no SWC file but of another format (it begins with "
                              f"{text.lstrip()[:20].split(chr(10))[0]!r}); export the tracing as SWC "
                              "(in SNT: File ▸ Export As SWC…).")
    return parse_swc(text, name)


def write_swc(path: str | PathLike[str], tracing: Tracing, *, comment: str = "") -> None:
    """Write a tracing, replacing the file only when the new one is complete.

    Parameters
    ----------
    path
        File to write.
    tracing
        Nodes; written in their order, positions and radii with four digits behind the point.
    comment
        Text of the comment lines at the top.
    """
    from deepd3_ij.atomic import replacing

    with replacing(path) as temporary:
        Path(temporary).write_text(format_swc(tracing, comment=comment), encoding="utf-8")


def format_swc(tracing: Tracing, *, comment: str = "") -> str:
    """Text of an SWC file with the given nodes."""
    lines = [f"# {line}" for line in lines_of(comment) if comment] + ["# id type x y z radius parent"]
    rows = zip(tracing.ids, tracing.types, tracing.xyz, tracing.radius, tracing.parents, strict=True)
    lines += [f"{identity} {kind} {x:.4f} {y:.4f} {z:.4f} {radius:.4f} {parent}"
              for identity, kind, (x, y, z), radius, parent in rows]
    return "\n".join(lines) + "\n"


def parse_swc(text: str, name: str) -> Tracing:
    """Read a tracing from the text of an SWC file.

    Parameters
    ----------
    text
        Content of the file.
    name
        Name for messages.

    Returns
    -------
    Tracing

    Raises
    ------
    AnnotationError
        As :func:`read_swc`.
    """
    nodes: list[tuple[int, int, float, float, float, float, int]] = []
    line_of: dict[int, int] = {}
    for number, line in enumerate(lines_of(text), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        node = _node(words, f"{name}, line {number}")
        identity = node[0]
        if identity in line_of:
            raise AnnotationError(f"{name}, line {number}: id {identity} was already used in line "
                                  f"{line_of[identity]}; every node needs its own id. Renumber one of them.")
        line_of[identity] = number
        nodes.append(node)
    if not nodes:
        raise AnnotationError(f"{name} has no nodes; a tracing needs at least one line "
                              "'id type x y z radius parent'.")
    for node in nodes:
        identity, parent = node[0], node[6]
        if parent != ROOT and parent not in line_of:
            raise AnnotationError(f"{name}, line {line_of[identity]}: node {identity} has parent {parent}, which "
                                  "does not exist; name a node of the file, or -1 for a root.")
    _check_no_cycle({node[0]: node[6] for node in nodes}, line_of, name)
    ids, types, x, y, z, radius, parents = zip(*nodes, strict=True)
    return Tracing(ids=np.array(ids, dtype=np.int64), types=np.array(types, dtype=np.int64),
                   xyz=np.array([x, y, z], dtype=np.float64).T.copy(), radius=np.array(radius, dtype=np.float64),
                   parents=np.array(parents, dtype=np.int64))


def _node(words: list[str], where: str) -> tuple[int, int, float, float, float, float, int]:
    if len(words) < 7:
        raise AnnotationError(f"{where}: {len(words)} columns; a node has 7, separated by white space: "
                              "id type x y z radius parent.")
    identity, kind, parent = (_whole(words[column], title, where)
                              for column, title in ((0, "id"), (1, "type"), (6, "parent")))
    x, y, z, radius = (_number(words[column], title, where)
                       for column, title in ((2, "x"), (3, "y"), (4, "z"), (5, "radius")))
    if identity < 0:
        raise AnnotationError(f"{where}: id is {identity}; accepted: 0 or a positive whole number.")
    if radius < 0:
        raise AnnotationError(f"{where}: radius is {radius:g}; accepted: 0 (not known) or a positive number.")
    return identity, kind, x, y, z, radius, max(parent, ROOT)


def _number(word: str, title: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{where}: {title} is {word!r}; accepted: a finite number with a decimal point.")
    return value


def _whole(word: str, title: str, where: str) -> int:
    value = _number(word, title, where)
    if not value.is_integer() or abs(value) > 2**53:
        raise AnnotationError(f"{where}: {title} is {word!r}; accepted: a whole number.")
    return int(value)


def _check_no_cycle(parent_of: dict[int, int], line_of: dict[int, int], name: str) -> None:
    reaches_root: set[int] = {ROOT}
    for start in parent_of:
        path: dict[int, None] = {}
        node = start
        while node not in reaches_root:
            if node in path:
                raise AnnotationError(f"{name}, line {line_of[node]}: node {node} is its own ancestor; a tracing must "
                                      "not have cycles. Give one node of the cycle the parent -1.")
            path[node] = None
            node = parent_of[node]
        reaches_root.update(path)
