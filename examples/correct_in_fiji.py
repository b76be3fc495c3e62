"""Show a stack, its prediction and its spines in ImageJ, take the corrections back, and measure again.

python examples/correct_in_fiji.py STACK.tif                     waits until you say that you are done
python examples/correct_in_fiji.py STACK.tif --edit              makes three corrections itself, as a user would
python examples/correct_in_fiji.py STACK.tif --edit --screenshot review.png
"""

import argparse
import time

import pandas as pd
import xarray as xr

from deepd3_ij import (
    Measurements,
    build_rois_3d,
    clean,
    fiji,
    measure,
    open_stack,
    predict,
)
from deepd3_ij.fiji.java import java_class


def edit_three_rois(image: object, before: Measurements) -> None:
    """Delete a spine, move one outline, draw a new one: through the ROI Manager, as a user does."""
    manager = java_class("ij.plugin.frame.RoiManager").getInstance()
    by_size = before.spines.sort_values("voxels", ascending=False)["id"].tolist()
    deleted, moved = by_size[0], by_size[1]
    names = [str(manager.getName(index)) for index in range(manager.getCount())]
    manager.setSelectedIndexes([index for index, name in enumerate(names) if name.startswith(f"spine{deleted:04d}_")])
    manager.runCommand("Delete")
    print(f"deleted spine {deleted}")

    index = next(index for index in range(manager.getCount())
                 if str(manager.getName(index)).startswith(f"spine{moved:04d}_"))
    manager.select(image, index)
    image.getRoi().translate(4.0, -3.0)
    manager.runCommand("Update")
    print(f"moved one outline of spine {moved}")

    image.setSlice(image.getNSlices() // 2)
    image.setRoi(java_class("ij.gui.OvalRoi")(20, 20, 9, 9))
    manager.runCommand("Add")
    manager.deselect()
    print("drew a new spine")


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Spines that are new, gone or otherwise measured."""
    columns = ["planes", "voxels", "volume_um3", "y_um", "x_um"]
    both = pd.concat({"before": before.set_index("id")[columns], "after": after.set_index("id")[columns]}, axis=1)
    same = ((both["before"] - both["after"]).abs() < 1e-9).all(axis=1)
    return both[~same].round(3)


def arrange(image: object, before: Measurements) -> None:
    """Windows side by side, the image enlarged and in the plane with most spines."""
    image.setPosition(1, round(before.spines["z_px"].median()) + 1, 1)
    image.getWindow().setLocation(10, 100)
    image.getCanvas().zoomIn(0, 0)
    image.getCanvas().zoomIn(0, 0)
    time.sleep(2)
    right = 20 + image.getWindow().getWidth()
    manager = java_class("ij.plugin.frame.RoiManager").getInstance()
    manager.setBounds(right, 100, 260, 400)
    for kind, top_px, height_px in (("Spines", 510, 290), ("Dendrites", 810, 150)):
        table = java_class("ij.WindowManager").getFrame(f"{kind} of {image.getTitle()}")
        table.setBounds(right, top_px, 740, height_px)


def part_of(stack: xr.DataArray, dim: str, limits: str | None) -> xr.DataArray:
    """Planes or rows ``first:end`` of a stack (0-based, end not included); they keep their place in µm."""
    if limits is None:
        return stack
    first, end = (int(number) for number in limits.split(":"))
    return stack.isel({dim: slice(first, end)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack")
    parser.add_argument("--planes", help="first plane and the one after the last (0-based), such as 20:40")
    parser.add_argument("--rows", help="the same for rows")
    parser.add_argument("--edit", action="store_true", help="make three corrections instead of waiting")
    parser.add_argument("--screenshot", help="PNG of the screen before the corrections")
    arguments = parser.parse_args()

    stack = part_of(part_of(open_stack(arguments.stack), "z", arguments.planes), "y", arguments.rows)
    prediction = clean(predict(stack))
    rois = build_rois_3d(prediction)
    before = measure(rois, prediction, stack)

    session = fiji.connect(mode="interactive")
    image = session.push_merged(stack, prediction)
    session.push_rois(rois, image)
    session.push_measurements(before, image)
    if arguments.screenshot:
        arrange(image, before)
        time.sleep(2)
        screen = java_class("ij.plugin.ScreenGrabber")().captureScreen()
        java_class("ij.io.FileSaver")(screen).saveAsPng(arguments.screenshot)
    if arguments.edit:
        edit_three_rois(image, before)
    else:
        input("Correct the spines in the ROI Manager, then press Enter here: ")

    after = measure(session.pull_rois(image), prediction, stack)
    print(f"{len(before.spines)} spines before, {len(after.spines)} after; what changed:")
    print(changes(before.spines, after.spines).to_string())
    fiji.end_process()


if __name__ == "__main__":
    main()
