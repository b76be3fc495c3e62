"""Images between Python and ImageJ: native hyperstacks with a calibration in µm."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.colours import DENDRITE, GREY, SPINE
from deepd3_ij.errors import FijiError, StackError
from deepd3_ij.fiji.description import ImageDescription
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.lookup_tables import label_table, ramp
from deepd3_ij.fiji.pixels import fill, from_java, to_java
from deepd3_ij.names import (
    ID,
    LABELS,
    MERGED,
    PREDICTION,
    PROJECTION,
    PROVENANCE,
    ROLE,
    SOURCE,
    SOURCE_ID,
    STACK,
    VOXEL_SIZE,
)
from deepd3_ij.parallel import in_blocks
from deepd3_ij.stack import DIMS, MAPS, label_stack, voxel_size_um

if TYPE_CHECKING:
    from deepd3_ij.fiji.host import Host

KINDS = (STACK, PREDICTION, LABELS)

_HYPERSTACK_DIMS = ("t", "z", "c", "y", "x")
_OTHER_NAMES = {"pln": "z", "row": "y", "col": "x", "ch": "c"}
_EXACT_IN_FLOAT32 = 2**24
_SIGNED16_OFFSET = 32768
_RANGE_SAMPLE_PX = 2**22


def push(
    session: Host,
    data: xr.DataArray | xr.Dataset,
    *,
    title: str | None = None,
    display_range: tuple[float, float] | None = None,
    plane: int | None = None,
    source: Any = None,
    show: bool | None = None,
) -> Any:
    """Make a native ImageJ image.

    Parameters
    ----------
    session
        Where to.
    data
        A stack ``(z, y, x)`` (also with ``c`` and ``t``, in any order, or with pyimagej's names ``pln, row, col,
        ch``); a prediction, which becomes one 32-bit composite of two channels (dendrite magenta,
        spine green, 0 to 1); or int32 labels, shown in distinct colours.
        Pixel types: uint8, uint16, int16 (through ImageJ's signed 16-bit calibration), float32; bool
        becomes 0 and 255; float64 and whole numbers become 32-bit pixels.
    title
        Window title; made from the source's name if None.
    display_range
        Smallest and largest displayed value; if None, 0 to 1 for maps, the range of the data for stacks.
    plane
        0-based plane to show; the middle one if None.
    source
        For maps and labels: the ImageJ image that they were made of, to link them.
    show
        Open a window; if None, as the session has a display or not.

    Returns
    -------
    ij.ImagePlus
        The image. Its properties say what it is; they stay when it is saved as TIFF.

    Raises
    ------
    StackError
        Pixels that ImageJ cannot hold, or unknown dimensions.
    """
    if isinstance(data, xr.Dataset):
        _check_prediction(data)
        image = _composite([data["dendrite"], data["spine"]], title or _title(data, " prediction"),
                           [DENDRITE, SPINE], [display_range or (0.0, 1.0)] * 2)
        role = PREDICTION
    elif data.dtype.kind in "iu" and data.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.int16):
        image = _push_labels(data, title or _title(data, " ROIs"))
        role = LABELS
    else:
        data = _named(data)
        image = _hyperstack(data, title or _title(data, ""))
        low, high = display_range or _range(data)
        _set_ranges(image, [(low, high)] * image.getNChannels(), float(image.getCalibration().getCValue(0)))
        role = STACK
    _finish(session, image, data, role, source, plane, show)
    return image


def push_merged(
    session: Host, stack: xr.DataArray, prediction: xr.Dataset, *, title: str | None = None,
    source: Any = None, plane: int | None = None, show: bool | None = None,
) -> Any:
    """Stack (grey), dendrite (magenta) and spine (green) as one 32-bit composite; options as in :func:`push`."""
    _check_prediction(prediction)
    image = _composite([stack, prediction["dendrite"], prediction["spine"]],
                       title or _title(prediction, " merged"), [GREY, DENDRITE, SPINE],
                       [_range(stack), (0.0, 1.0), (0.0, 1.0)])
    _finish(session, image, prediction, MERGED, source, plane, show)
    return image


def push_projection(
    session: Host, data: xr.DataArray | xr.Dataset, method: str = "max", *, title: str | None = None,
    source: Any = None, show: bool | None = None,
) -> Any:
    """Projection of a stack or prediction along z as one plane.

    Parameters
    ----------
    session, title, source, show
        As in :func:`push`.
    data
        Stack or prediction.
    method
        ``"max"`` or ``"sum"``; a sum is shown from 0 to its largest value.
    """
    if method not in ("max", "sum"):
        raise FijiError(f"method is {method!r}; accepted: max, sum.")
    z_um, xy_um, _ = voxel_size_um(data)
    suffix = f" {method}"
    if isinstance(data, xr.Dataset):
        _check_prediction(data)
        planes = [_project(data[name], method) for name in MAPS]
        ranges = [(0.0, 1.0 if method == "max" else max(float(plane.max()), 1e-6)) for plane in planes]
        labelled = [label_stack(plane, xy_um=xy_um, z_um=z_um) for plane in planes]
        image = _composite(labelled, title or _title(data, " prediction" + suffix), [DENDRITE, SPINE], ranges)
    else:
        plane = _project(data, method)
        image = _hyperstack(label_stack(plane, xy_um=xy_um, z_um=z_um), title or _title(data, suffix))
        image.setDisplayRange(float(plane.min()), float(plane.max()))
    _finish(session, image, data, PROJECTION, source, 0, show)
    return image


def pull(
    session: Host,
    image: Any = None,
    *,
    kind: str | None = None,
    channel: int | None = None,
    frame: int | None = None,
    xy_um: float | None = None,
    z_um: float | None = None,
) -> xr.DataArray | xr.Dataset:
    """Copy an ImageJ image to Python, as it is now.

    Parameters
    ----------
    session
        Where from.
    image
        An ``ij.ImagePlus``, the title or number of an open one; the active image if None.
    kind
        ``"stack"``, ``"prediction"`` (channels dendrite and spine) or ``"labels"``; if None, what
        the image's properties say, else a stack.
    channel, frame
        0-based; needed when the image has several.
    xy_um, z_um
        Voxel size in µm, for images without one; they override the image's.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        A stack ``(z, y, x)`` of the image's pixel type (8-bit uint8, 16-bit uint16 or int16, 32-bit
        float32), int32 labels, or a prediction. Coordinates are in µm; ImageJ's origin is kept.

    Raises
    ------
    StackError
        Colour images, several channels or frames without a choice, labels that are no whole numbers.
    VoxelSizeError
        The image has no voxel size in a unit of length and none is given.
    """
    image = find_image(session, image)
    title = str(image.getTitle())
    if image.getType() in (image.COLOR_256, image.COLOR_RGB):
        raise StackError(f"{title!r} is a colour image; accepted: 8-bit, 16-bit and 32-bit grey. Convert it with "
                         "Image ▸ Type ▸ 8-bit, or split its channels.")
    if kind is None:
        role = text_of(image.getProp(ROLE))
        kind = role if role in KINDS and channel is None else STACK
    if kind not in KINDS:
        raise FijiError(f"kind is {kind!r}; accepted: {', '.join(KINDS)}.")
    frame = _choice(image, "frame", image.getNFrames(), frame)
    if kind == PREDICTION:
        if image.getNChannels() != 2 or image.getBitDepth() != 32:
            raise StackError(f"{title!r} has {image.getNChannels()} channels of {image.getBitDepth()} bit; "
                             "a prediction has 2 (dendrite, spine) of 32 bit.")
        maps = {name: _labelled(image, _read(image, number, frame), xy_um, z_um)
                for number, name in enumerate(MAPS)}
        attrs = {**maps["dendrite"].attrs, "provenance": text_of(image.getProp(PROVENANCE)) or "{}"}
        return xr.Dataset(maps, attrs=attrs)
    channel = _choice(image, "channel", image.getNChannels(), channel)
    array = _read(image, channel, frame)
    if kind == LABELS:
        labels = array.astype(np.int32)
        if not np.array_equal(labels, array) or (labels < 0).any():
            raise StackError(f"{title!r} holds other values than whole numbers from 0 up; it is no label image.")
        array = labels
    return _labelled(image, array, xy_um, z_um)


def geometry(image: Any) -> xr.DataArray:
    """Shape and coordinates (z, y, x) of an ImageJ image, without its pixels (zeros that take no memory)."""
    shape = (int(image.getNSlices()), int(image.getHeight()), int(image.getWidth()))
    return _labelled(image, np.broadcast_to(np.zeros((), np.uint8), shape), None, None)


def find_image(session: Host, image: Any = None) -> Any:
    """The ``ij.ImagePlus`` that is meant: itself, by title or number, or the active one (None).

    Raises
    ------
    FijiError
        There is no such image.
    """
    manager = java_class("ij.WindowManager")
    if image is None:
        found, wanted = manager.getCurrentImage(), "active image"
    elif isinstance(image, str | int):
        found, wanted = manager.getImage(image), f"image {image!r}"
    else:
        return image
    if found is None:
        titles = ", ".join(repr(str(title)) for title in manager.getImageTitles()) or "none"
        remedy = "a headless session has no windows: give the ij.ImagePlus" if session.headless else f"open: {titles}"
        raise FijiError(f"There is no {wanted} in ImageJ; {remedy}.")
    return found


def linked_images(session: Host, image: Any, role: str) -> list[Any]:
    """Open images of a role (``"prediction"``, ``"labels"``, …) that were made of an image."""
    manager = java_class("ij.WindowManager")
    wanted = text_of(image.getProp(ID))
    opened = [manager.getImage(number) for number in manager.getIDList() or ()]
    return [other for other in opened if other is not None and text_of(other.getProp(ROLE)) == role
            and wanted is not None and text_of(other.getProp(SOURCE_ID)) == wanted]


def replace_channels(image: Any, channels: Sequence[xr.DataArray]) -> None:
    """Put new values, one array ``(z, y, x)`` per channel, into an image of the same size."""
    dtype = {8: np.uint8, 16: np.uint16, 32: np.float32}[int(image.getBitDepth())]
    stack = image.getStack()
    for channel, data in enumerate(channels, start=1):
        values = data.data

        def copy(begin: int, end: int, channel: int = channel, values: Any = values) -> None:
            for z in range(begin, end):
                fill(stack.getPixels(image.getStackIndex(channel, z + 1, 1)), np.asarray(values[z], dtype=dtype))

        in_blocks(copy, len(values))
    image.updateAndDraw()


def set_voxel_size(image: Any, *, xy_um: float, z_um: float) -> None:
    """Calibrate an ImageJ image in µm."""
    calibration = image.getCalibration()
    calibration.setUnit("micron")
    calibration.pixelWidth = calibration.pixelHeight = float(xy_um)
    calibration.pixelDepth = float(z_um)
    image.setCalibration(calibration)
    image.repaintWindow()


# To ImageJ


def _push_labels(labels: xr.DataArray, title: str) -> Any:
    highest = int(labels.max())
    if int(labels.min()) < 0 or highest > _EXACT_IN_FLOAT32:
        raise StackError(f"Labels reach from {int(labels.min())} to {highest}; "
                         f"ImageJ shows 0 to {_EXACT_IN_FLOAT32}. Renumber them first.")
    labels = _named(labels)
    image = _hyperstack(labels.astype(np.uint16 if highest < 2**16 else np.float32), title)
    image.setLut(label_table())
    # One colour per id up to 255; more ids share the table evenly.
    image.setDisplayRange(0, max(255, highest))
    return image


def _named(data: xr.DataArray) -> xr.DataArray:
    data = data.rename({old: new for old, new in _OTHER_NAMES.items() if old in data.dims})
    unknown = [str(dim) for dim in data.dims if dim not in _HYPERSTACK_DIMS]
    if unknown or not {"y", "x"} <= set(data.dims):
        raise StackError(f"The array has the dimensions {data.dims}; accepted: y and x, with any of z, c and t.")
    missing = [dim for dim in _HYPERSTACK_DIMS if dim not in data.dims]
    return data.expand_dims(missing).transpose(*_HYPERSTACK_DIMS)


def _check_prediction(prediction: xr.Dataset) -> None:
    missing = [name for name in MAPS if name not in prediction]
    if missing:
        raise StackError(f"The dataset has no map {missing[0]!r}; a prediction has 'dendrite' and 'spine'.")


def _hyperstack(data: xr.DataArray, title: str) -> Any:
    """ImagePlus of a stack or a ``(t, z, c, y, x)`` array: planes are copied in ImageJ's order, channel first."""
    data = _named(data)
    frames, planes, channels, _, _ = data.shape
    converted, signed = _pixel_type(data)
    pixels = data.data

    def plane(number: int) -> np.ndarray:
        frame, rest = divmod(number, planes * channels)
        return converted(np.asarray(pixels[frame, rest // channels, rest % channels]))

    return _image_of_planes(plane, data, title, channels, planes, frames, signed)


def _composite(
    maps: list[xr.DataArray], title: str, colours: list[tuple[int, int, int]],
    ranges: list[tuple[float, float]],
) -> Any:
    """32-bit composite of several maps on the same coordinates."""
    pixels = [channel.data for channel in maps]

    def plane(number: int) -> np.ndarray:
        z, channel = divmod(number, len(maps))
        return np.asarray(pixels[channel][z], dtype=np.float32)

    image = _image_of_planes(plane, maps[0], title, len(maps), maps[0].sizes["z"], 1, False)
    for number, (colour, (low, high)) in enumerate(zip(colours, ranges, strict=True), start=1):
        table = ramp(colour)
        table.min, table.max = low, high
        image.setChannelLut(table, number)
    return image


def _image_of_planes(
    plane: Callable[[int], np.ndarray], data: xr.DataArray, title: str, channels: int, planes: int, frames: int,
    signed: bool,
) -> Any:
    height, width = data.sizes["y"], data.sizes["x"]
    stack = java_class("ij.ImageStack")(width, height, channels * planes * frames)
    try:
        for number, pixels in enumerate(to_java(plane, channels * planes * frames), start=1):
            stack.setPixels(pixels, number)
    except _out_of_memory() as error:
        raise FijiError(f"Java has too little memory for {title!r} ({channels * planes * frames} planes of {height} × "
                        f"{width}); "
                        "close images, or start with connect(memory_percent=…) of a larger share.") from error
    image = java_class("ij.ImagePlus")(title, stack)
    image.setDimensions(channels, planes, frames)
    image.setOpenAsHyperStack(True)
    calibration = image.getCalibration()
    _calibrate(calibration, data)
    if signed:
        calibration.setSigned16BitCalibration()
    image.setCalibration(calibration)
    if channels > 1:
        composite_image = java_class("ij.CompositeImage")
        image = composite_image(image, composite_image.COMPOSITE)
    return image


def _pixel_type(data: xr.DataArray) -> tuple[Any, bool]:
    """How to convert planes to a type of ImageJ, and whether they are signed 16-bit."""
    dtype = data.dtype.newbyteorder("=")
    if dtype == np.bool_:
        return (lambda plane: plane.astype(np.uint8) * np.uint8(255)), False
    if dtype in (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)):
        return (lambda plane: plane), False
    if dtype == np.int16:
        return (lambda plane: plane.astype(np.int16).view(np.uint16) ^ np.uint16(_SIGNED16_OFFSET)), True
    if dtype.kind == "f":
        return (lambda plane: plane.astype(np.float32)), False
    raise StackError(f"Pixels are {dtype}; accepted: bool, uint8, uint16, int16, whole numbers as labels, and floats.")


def _calibrate(calibration: Any, data: xr.DataArray) -> None:
    if "voxel_size_um" not in data.attrs:
        return
    z_um, y_um, x_um = voxel_size_um(data)
    calibration.setUnit("micron")
    calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth = x_um, y_um, z_um
    # ImageJ counts its origin in pixels; a crop keeps its place in the whole stack.
    for dim, size, field in zip(DIMS, (z_um, y_um, x_um), ("zOrigin", "yOrigin", "xOrigin"), strict=True):
        if dim in data.coords and data.coords[dim].size:
            setattr(calibration, field, -float(data.coords[dim].values.flat[0]) / size)


def _set_ranges(image: Any, ranges: list[tuple[float, float]], offset: float) -> None:
    """Display ranges per channel; `offset` is the calibrated value of raw 0 (signed 16-bit)."""
    current = image.getC()
    for channel, (low, high) in enumerate(ranges, start=1):
        if len(ranges) > 1:
            image.setC(channel)
        image.setDisplayRange(low - offset, high - offset)
    if len(ranges) > 1:
        image.setC(current)


def _range(data: xr.DataArray) -> tuple[float, float]:
    """Smallest and largest finite value; of large data, of evenly spaced rows."""
    rows = -(-data.size // _RANGE_SAMPLE_PX)
    values = np.asarray(data.isel(y=slice(None, None, rows)).data)
    if values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
        values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)


def _project(data: xr.DataArray, method: str) -> np.ndarray:
    values = data.values
    return values.max(axis=0) if method == "max" else values.sum(axis=0, dtype=np.float32)


def _title(data: xr.DataArray | xr.Dataset, suffix: str) -> str:
    name = PurePath(str(data.attrs.get("source", "stack"))).name
    for ending in (".tif", ".tiff", ".ome"):
        name = name.removesuffix(ending)
    return (name or "stack") + suffix


def _finish(
    session: Host, image: Any, data: xr.DataArray | xr.Dataset, role: str, source: Any, plane: int | None,
    show: bool | None,
) -> None:
    properties: Mapping[str, Any] = {
        ROLE: role, ID: uuid.uuid4().hex, SOURCE: data.attrs.get("source"), PROVENANCE: data.attrs.get("provenance"),
        SOURCE_ID: None if source is None else source.getProp(ID),
        VOXEL_SIZE: " ".join(map(repr, voxel_size_um(data))) if "voxel_size_um" in data.attrs else None,
    }
    for key, value in properties.items():
        if value is not None:
            image.setProp(key, str(value))
    slices = image.getNSlices()
    image.setPosition(1, min(slices, slices // 2 + 1 if plane is None else plane + 1), 1)
    if show if show is not None else not session.headless:
        if session.headless:
            raise FijiError("A headless session has no windows; leave show out.")
        image.show()


# To Python


def _choice(image: Any, name: str, count: int, chosen: int | None) -> int:
    if chosen is None and count == 1:
        return 0
    if chosen is None or not 0 <= chosen < count:
        hint = ""
        if name == "frame" and image.getNSlices() == 1:
            hint = "; if these are planes, swap them in Image ▸ Properties… (slices and frames)"
        what = "no choice was made" if chosen is None else f"{name} is {chosen}"
        raise StackError(f"{str(image.getTitle())!r} has {count} {name}{'s' if count > 1 else ''} and {what}; "
                         f"accepted: {name} from 0 to {count - 1}{hint}.")
    return chosen


def _read(image: Any, channel: int, frame: int) -> np.ndarray:
    dtype = {8: np.uint8, 16: np.uint16, 32: np.float32}[int(image.getBitDepth())]
    stack = image.getStack()
    array = np.empty((int(image.getNSlices()), int(image.getHeight()), int(image.getWidth())), dtype=dtype)
    signed = dtype == np.uint16 and bool(image.getCalibration().isSigned16Bit())

    def pixels(z: int) -> Any:
        return stack.getPixels(image.getStackIndex(channel + 1, z + 1, frame + 1))

    # A virtual stack loads a plane when it is asked for, and forgets it afterwards.
    from_java(pixels, array, in_order=bool(stack.isVirtual()), toggle=_SIGNED16_OFFSET if signed else 0)
    return array.view(np.int16) if signed else array


def _labelled(image: Any, array: np.ndarray, xy_um: float | None, z_um: float | None) -> xr.DataArray:
    calibration = image.getCalibration()
    return ImageDescription(
        title=str(image.getTitle()),
        pixel_size=(float(calibration.pixelWidth), float(calibration.pixelHeight), float(calibration.pixelDepth)),
        units=(str(calibration.getXUnit()), str(calibration.getYUnit()), str(calibration.getZUnit())),
        origin_px=(float(calibration.zOrigin), float(calibration.yOrigin), float(calibration.xOrigin)),
        source=text_of(image.getProp(SOURCE)), voxel_size_um=text_of(image.getProp(VOXEL_SIZE)),
    ).labelled(array, xy_um, z_um)


def _out_of_memory() -> Any:
    return java_class("java.lang.OutOfMemoryError")
