"""Trying 3-D ROI parameters on an image: a double click, sliders, outlines at once."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deepd3_ij import colours
from deepd3_ij.errors import FijiError, ParameterError
from deepd3_ij.fiji.dialogs import Slider, add_fields, read_fields
from deepd3_ij.fiji.events import in_background, listener, on_event_thread
from deepd3_ij.fiji.hyperstacks import find_image, geometry, linked_images
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.placement import place_beside
from deepd3_ij.fiji.roi_manager import as_overlay, java_outlines
from deepd3_ij.names import ID, MERGED, PREDICTION, ROI_PARAMETERS, ROLE, SOURCE_ID
from deepd3_ij.parameters import Roi3DParameters, from_values
from deepd3_ij.rois.building_3d import build_rois_3d
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, label_prediction

if TYPE_CHECKING:
    from deepd3_ij.fiji.host import Host

SPINE_MAP, INTENSITY = "spine map", "intensity"
PLANES_BEFORE, PLANES = 3, 6
SIDE_PX = 128

_FIELDS = ("mode", "sigma_px", "area_threshold", "peak_threshold", "seed_delta", "distance_um", "min_voxels",
           "max_voxels", "min_planes", "watershed")
_SLIDERS = {
    "sigma_px": Slider(0, 3, 0.1), "distance_um": Slider(0, 10, 0.1), "min_voxels": Slider(1, 500, 1),
    "max_voxels": Slider(1, 10_000, 1), "min_planes": Slider(1, 10, 1),
}


@dataclass(frozen=True)
class Crop:
    """Part of an image around a click: slices z, y, x that lie wholly inside."""

    z: slice
    y: slice
    x: slice

    @classmethod
    def around(cls, shape: tuple[int, ...], z: int, y: int, x: int) -> Crop:
        """128 × 128 pixels and planes z − 3 … z + 2, moved inwards at the borders, smaller in a smaller image."""
        starts = (z - PLANES_BEFORE, y - SIDE_PX // 2, x - SIDE_PX // 2)
        parts = []
        for start, size, length in zip(starts, (PLANES, SIDE_PX, SIDE_PX), shape, strict=True):
            start = max(0, min(start, length - size))
            parts.append(slice(start, min(length, start + size)))
        return cls(*parts)


def stored_parameters(image: Any) -> Roi3DParameters | None:
    """Parameters that a live test handed over to 3-D ROI building on this image, if any."""
    stored = text_of(image.getProp(ROI_PARAMETERS))
    return None if stored is None else from_values(Roi3DParameters, json.loads(stored))


def store_parameters(image: Any, parameters: Roi3DParameters) -> None:
    """Hand parameters over to 3-D ROI building on this image."""
    image.setProp(ROI_PARAMETERS, json.dumps(parameters.to_dict(), sort_keys=True))


class LiveRoiTest:
    """Double click on an image opens a dialog that shows at once which ROIs its settings give around the click.

    The ROIs are computed by :func:`deepd3_ij.build_rois_3d` on a crop with the image's voxel size, so inside of the
    crop they equal those of the whole stack. *Keep settings* hands the settings over to 3-D ROI
    building (:func:`stored_parameters`).

    Parameters
    ----------
    session
        A visible session.
    image
        A prediction, a merged view, or a stack with a prediction linked to it (without one, intensities alone can be
        tried); the active image if None.
    parameters
        First settings; those handed over before, else the defaults, if None.

    Attributes
    ----------
    parameters
        Settings shown last.
    rois
        ROIs shown last (on the crop).
    """

    def __init__(self, session: Host, image: Any = None, parameters: Roi3DParameters | None = None) -> None:
        if session.headless:
            raise FijiError("The live ROI test needs a display and this session is headless; use "
                            "connect(mode='interactive').")
        self.image = find_image(session, image)
        self.parameters = parameters or stored_parameters(self.image) or Roi3DParameters()
        self.rois: RoiSet | None = None
        self._session = session
        self._like = geometry(self.image)
        self._source = SPINE_MAP
        self._crop: Crop | None = None
        self._pixels: dict[str, np.ndarray] = {}
        self._dialog: Any = None
        self._overlay_before: Any = None
        self._lock = threading.Lock()
        self._mouse = listener("java.awt.event.MouseListener", mousePressed=self._clicked)
        self.image.getCanvas().addMouseListener(self._mouse)

    def open_at(self, z: int, y: int, x: int) -> None:
        """Test around a pixel (0-based), as a double click there does; the dialog does not block."""
        with self._lock:
            self._crop = Crop.around(self._like.shape, z, y, x)
            self._pixels = {}
            if self._dialog is not None:
                self._draw()
                return
            self._dialog = java_class("ij.gui.NonBlockingGenericDialog")("Test 3D ROIs")
        in_background(self._show_dialog)

    def close(self) -> None:
        """End the test: no more double clicks; the dialog and the outlines go."""
        canvas = self.image.getCanvas()
        if canvas is not None:
            canvas.removeMouseListener(self._mouse)
        dialog = self._dialog
        if dialog is not None:
            on_event_thread(lambda: dialog.windowClosing(None))  # what waits for the dialog goes on

    def compute(self, crop: Crop, parameters: Roi3DParameters, source: str = SPINE_MAP) -> RoiSet:
        """ROIs on a crop of the image.

        Parameters
        ----------
        crop
            Part of the image.
        parameters
            How ROIs are built.
        source
            ``"spine map"``, or ``"intensity"``: the image itself, its display range as 0 to 1.
        """
        if crop != self._crop:
            self._crop, self._pixels = crop, {}
        if source not in self._pixels:
            self._pixels[source] = self._read(crop, source)
        like = self._like.isel(dict(zip(DIMS, (crop.z, crop.y, crop.x), strict=True)))
        spine = self._pixels[source]
        return build_rois_3d(label_prediction(np.zeros_like(spine), spine, like, {}), parameters)

    def show(self, crop: Crop, rois: RoiSet) -> None:
        """Draw the outlines of ROIs on a crop, and the crop's frame."""
        outlines = java_outlines(rois)
        for outline in outlines:
            bounds = outline.getBounds()
            outline.setLocation(float(bounds.x + crop.x.start), float(bounds.y + crop.y.start))
            outline.setPosition(0, outline.getZPosition() + crop.z.start, 0)
        frame = java_class("ij.gui.Roi")(crop.x.start, crop.y.start, crop.x.stop - crop.x.start,
                                         crop.y.stop - crop.y.start)
        frame.setStrokeColor(java_class("java.awt.Color")(*colours.FRAME))
        self.image.setOverlay(as_overlay([frame, *outlines]))

    def _clicked(self, event: Any) -> None:
        if event.getClickCount() == 2:
            canvas = self.image.getCanvas()
            self.open_at(self.image.getZ() - 1, int(canvas.offScreenY(event.getY())),
                         int(canvas.offScreenX(event.getX())))

    def _show_dialog(self) -> None:
        dialog = self._dialog
        self._overlay_before = self.image.getOverlay()
        choices = [SPINE_MAP, INTENSITY] if self._prediction_image() is not None else [INTENSITY]
        if self._source not in choices:
            self._source = choices[0]
        try:
            dialog.addChoice("Data", choices, self._source)
            add_fields(dialog, self.parameters, _FIELDS, _SLIDERS)
            dialog.addMessage(" " * 60)
            dialog.setOKLabel("Keep settings")
            dialog.setCancelLabel("Close")
            dialog.addDialogListener(listener("ij.gui.DialogListener", result=True, dialogItemChanged=self._changed))
            dialog.pack()
            place_beside(dialog, self.image.getWindow())
            self._draw()
            dialog.showDialog()  # waits in this thread alone
            if dialog.wasOKed():
                store_parameters(self.image, self.parameters)
                for other in self._linked():
                    store_parameters(other, self.parameters)
        finally:
            self._dialog = None
            self.image.setOverlay(self._overlay_before)

    def _changed(self, dialog: Any, event: Any) -> bool:
        try:
            self._source = str(dialog.getNextChoice())
            self.parameters = read_fields(dialog, Roi3DParameters, self.parameters, _FIELDS)
        except ParameterError as error:
            self._say(str(error))
            return False
        self._draw()
        return True

    def _draw(self) -> None:
        if self._crop is None:
            return
        self.rois = self.compute(self._crop, self.parameters, self._source)
        self.show(self._crop, self.rois)
        self._say(f"{len(self.rois)} ROIs in {self._crop.x.stop - self._crop.x.start} × "
                  f"{self._crop.y.stop - self._crop.y.start} pixels, planes {self._crop.z.start + 1} to "
                  f"{self._crop.z.stop}")

    def _say(self, text: str) -> None:
        label = self._dialog.getMessage() if self._dialog is not None else None
        if label is not None:
            label.setText(text)

    def _prediction_image(self) -> tuple[Any, int] | None:
        """The image with the spine map, and its channel (1-based)."""
        role = text_of(self.image.getProp(ROLE))
        if role == PREDICTION:
            return self.image, 2
        if role == MERGED:
            return self.image, 3
        linked = linked_images(self._session, self.image, PREDICTION)
        return (linked[-1], 2) if linked else None

    def _linked(self) -> list[Any]:
        manager = java_class("ij.WindowManager")
        names = {text_of(self.image.getProp(name)) for name in (ID, SOURCE_ID)} - {None}
        opened = [manager.getImage(number) for number in manager.getIDList() or ()]
        return [image for image in opened if image is not None
                and names & {text_of(image.getProp(ID)), text_of(image.getProp(SOURCE_ID))}]

    def _read(self, crop: Crop, source: str) -> np.ndarray:
        found = self._prediction_image() if source == SPINE_MAP else (self.image, self.image.getC())
        if found is None:
            raise FijiError(f"{str(self.image.getTitle())!r} has no prediction; segment it first, or choose the "
                            "intensity as data.")
        image, channel = found
        height, width = int(image.getHeight()), int(image.getWidth())
        stack, planes = image.getStack(), []
        for z in range(crop.z.start, crop.z.stop):
            pixels = np.asarray(stack.getPixels(image.getStackIndex(channel, z + 1, image.getT())))
            pixels = pixels.reshape(height, width)[crop.y, crop.x]
            planes.append(pixels.view(f"u{pixels.itemsize}") if pixels.dtype.kind == "i" else pixels)
        values = np.stack(planes).astype(np.float32)
        if source == INTENSITY:
            low, high = image.getDisplayRangeMin(), image.getDisplayRangeMax()
            values = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
        return values
