"""OME-XML of a TIFF file, made ready for reading: damaged texts, companion files, files that hold its planes.

The format is OME-TIFF (https://docs.openmicroscopy.org/ome-model/6.3.1/ome-tiff/). A text may say where the
metadata really are (``BinaryOnly``), name the files of the planes by paths of the computer that wrote them, and
be damaged by programs that edit it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

from deepd3_ij.errors import StackError
from deepd3_ij.files.tiff_pages import PageChain, read_chain
from deepd3_ij.input_limits import check_regular

_LARGEST_COMPANION_BYTES = 100_000_000
_LARGEST_PLANE_COUNT = 1_000_000
_OWN = "urn:uuid:this-file"


@dataclass(frozen=True)
class OmeMetadata:
    """What is known from the OME-XML of a file.

    Attributes
    ----------
    xml
        Well-formed text whose references lead to files beside the image or to the image itself; None if the text is
        damaged beyond use.
    axes, sizes
        Of a damaged text: outer axes from slow to fast and their lengths, as far as they can still be read and fit the
        pages; else empty.
    notes
        What the user should know.
    """

    xml: str | None
    axes: str = ""
    sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def looks_like_ome(description: str) -> bool:
    """Whether a description is meant as OME-XML, also when it is damaged or cut off."""
    return description.rstrip().endswith("OME>") or "<OME" in description[:2000]


def read_ome(description: str, file: Path, chain: PageChain) -> OmeMetadata:
    """Read the OME-XML of a TIFF file.

    Parameters
    ----------
    description
        Text of the first page's description.
    file
        The TIFF file; files that the text names are looked for beside it.
    chain
        Pages of the file.

    Raises
    ------
    StackError
        The metadata are in a file that is missing, planes are in a file of another folder, or the text
        states more planes than there can be.
    """
    root = _parsed(description)
    if root is None:
        return _salvaged(description, file.name, len(chain))
    own_uuid = root.get("UUID")
    binary = next((element for element in root if _tag(element) == "BinaryOnly"), None)
    if binary is not None:
        root = _companion(binary.get("MetadataFile") or "", file)
    _refer_to_own_file(root, own_uuid, file)
    problem = _check_sizes(root, file, chain)
    if problem:
        return _salvaged(description, file.name, len(chain), problem)
    return OmeMetadata(ElementTree.tostring(root, encoding="unicode"), notes=_left_out(root, file, chain))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _parsed(text: str) -> ElementTree.Element | None:
    """The root of an XML text; common damage (control characters, bare ampersands, a tail) is mended."""
    end = text.rfind("OME>")
    mended = re.sub(r"&(?!(?:#\d+|#x[0-9A-Fa-f]+|\w+);)", "&amp;",
                    re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text[:end + 4] if end >= 0 else text))
    for attempt in (text, mended):
        try:
            # An encoding that the text names does not hold any more: it is decoded already.
            return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", attempt))
        except (ElementTree.ParseError, ValueError, RecursionError):
            continue
    return None


def _companion(name: str, file: Path) -> ElementTree.Element:
    """The metadata of a set of files, which lie in one file of their own."""
    beside = file.with_name(PureWindowsPath(name).name or "?")
    remedy = f"the OME-XML file {beside.name!r}, in which {file.name} has its axes and voxel size, beside it"
    if check_regular(beside, remedy, StackError) > _LARGEST_COMPANION_BYTES:
        raise StackError(f"{beside.name} has {beside.stat().st_size} bytes; accepted for OME-XML: at most "
                         f"{_LARGEST_COMPANION_BYTES}. Export {file.name} as a single file.")
    data = beside.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    root = _parsed(data.decode(encoding, errors="replace"))
    if root is None:
        raise StackError(f"{beside.name}, in which {file.name} has its axes and voxel size, is damaged; copy it again "
                         "or export the stack as a single file.")
    return root


def _refer_to_own_file(root: ElementTree.Element, own_uuid: str | None, file: Path) -> None:
    """Let planes of this file refer to it by one identity, whatever its name or folder was when it was written."""
    references = [element for element in root.iter() if _tag(element) == "UUID"]
    names = {element.get("FileName") or "" for element in references}
    only = next(iter(names)) if len(names) == 1 else ""
    renamed = bool(only) and not _is_other_file(only, file)
    root.set("UUID", _OWN)
    for element in references:
        name = element.get("FileName") or ""
        same_name = name.lower() == file.name.lower()
        if renamed or same_name or (own_uuid and element.text == own_uuid):
            element.text = _OWN
            element.set("FileName", file.name)
        elif Path(name).name != name or "\\" in name:
            raise StackError(f"{file.name} refers to {name!r}, which is not in its folder; export it as a single file.")


def _is_other_file(name: str, file: Path) -> bool:
    base = PureWindowsPath(name).name
    return base.lower() != file.name.lower() and file.with_name(base or "?").exists()


def _images(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root.iter() if _tag(element) == "Pixels"]


def _outer(pixels: ElementTree.Element) -> dict[str, int]:
    """Lengths of z, channel and time from slow to fast."""
    order = pixels.get("DimensionOrder") or ""
    if sorted(order) != sorted("XYZCT") or not order.startswith("XY"):
        raise ValueError(f"the order of axes is {order!r}")
    sizes = {axis: int(pixels.get("Size" + axis) or "") for axis in reversed(order)}
    if min(sizes.values()) < 1:
        raise ValueError("an axis has no length")
    return {axis: size for axis, size in sizes.items() if axis in "ZCT"}


def _samples(pixels: ElementTree.Element) -> int:
    channel = next((element for element in pixels if _tag(element) == "Channel"), None)
    return max(1, int((channel.get("SamplesPerPixel") or "1") if channel is not None else "1"))


def _check_sizes(root: ElementTree.Element, file: Path, chain: PageChain) -> str:
    """Check what would make reading endless; give a reason if the text is no usable description of an image."""
    other_files = _other_pages(root, file)
    there = len(chain) + sum(other_files.values())
    looked_up = 0
    for pixels in _images(root):
        try:
            outer = _outer(pixels)
            samples = _samples(pixels)
            blocks = [element for element in pixels if _tag(element) == "TiffData"]
            counts = [int(block.get("PlaneCount") or block.get("NumPlanes") or "0") for block in blocks]
        except ValueError as error:
            return str(error)
        planes = math.prod(outer.values())
        looked_up += sum(count if count > 0 else len(chain) for count in counts)
        stated = " × ".join(f"{axis} {size}" for axis, size in outer.items() if size > 1) or "1 plane"
        if max(planes, looked_up, *counts, 0) > max(_LARGEST_PLANE_COUNT, there):
            raise StackError(f"{file.name} states {stated} = {planes} planes and has {there} pages; export it again.")
        whole = not _references(pixels) or all(name == file.name for name in _references(pixels))
        if blocks and whole and samples == 1 and planes > len(chain):
            raise StackError(f"{file.name} is incomplete: its metadata state {planes} planes ({stated}), and "
                             f"{len(chain)} pages are there; copy or export it again.")
    return ""


def _references(pixels: ElementTree.Element) -> list[str]:
    return [element.get("FileName") or "" for element in pixels.iter() if _tag(element) == "UUID"]


def _other_pages(root: ElementTree.Element, file: Path) -> dict[str, int]:
    """Pages of the other files that the text names and that are there."""
    names = {name for pixels in _images(root) for name in _references(pixels) if name and name != file.name}
    return {name: len(read_chain(file.with_name(name))) for name in sorted(names) if file.with_name(name).exists()}


def _left_out(root: ElementTree.Element, file: Path, chain: PageChain) -> tuple[str, ...]:
    images = _images(root)
    if any(_references(pixels) for pixels in images) or any(_samples(pixels) > 1 for pixels in images) or not images:
        return ()
    stated = sum(math.prod(_outer(pixels).values()) for pixels in images)
    if stated >= len(chain):
        return ()
    return (f"{file.name} has {len(chain)} pages, and its metadata describe {stated} planes; the other pages are left "
            "out.",)


def _salvaged(text: str, name: str, pages: int, problem: str = "it is no well-formed XML") -> OmeMetadata:
    """What a damaged text still tells: the axes, if they fit the pages; the pixels can be read in any case."""
    told = f"{name}: its OME metadata are damaged ({problem})"
    found = re.search(r"<(?:\w+:)?Pixels\b[^>]*", text)
    tag = found[0] if found else ""
    values = dict(re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", tag))
    order = values.get("DimensionOrder", "")
    sizes = [(axis, int(size)) for axis in reversed(order)
             if axis in "ZCT" and (size := values.get("Size" + axis, "")).isdigit() and len(size) < 9]
    if len(sizes) == 3 and math.prod(size for _, size in sizes) == pages:
        axes = "".join(axis for axis, _ in sizes)
        lengths = ", ".join(f"{axis} {size}" for axis, size in sizes)
        return OmeMetadata(None, axes, tuple(size for _, size in sizes), (
            f"{told}; of them only the sizes ({lengths}) are used. Check the channel, and give the voxel size.",))
    several = {axis: values[key] for axis in "CT" if (key := "Size" + axis) in values and values[key] not in ("1", "")}
    if several:
        stated = ", ".join(f"Size{axis} {size}" for axis, size in several.items())
        raise StackError(f"{told} and state {stated}, which does not fit its {pages} pages; export it again.")
    return OmeMetadata(None, notes=(f"{told}; its {pages} pages are taken as planes in their order. Give the voxel "
                                    "size.",))


