"""Show a stack, its prediction and its spines in ImageJ, take the corrections back, and measure again.

python examples/correct_in_fiji.py STACK.tif                     waits until you say that you are done
python examples/correct_in_fiji.py STACK.tif --edit              makes three corrections itself, as a user would
python examples/correct_in_fiji.py STACK.tif --edit --screenshot review.png
"""

import argparse
import time

import pandas as pd

from deepd3_ij import (
    CleaningParameters,
    Measurements,
    PredictionParameters,
    Roi3DParameters,
    build_rois_3d,
    clean,
    fiji,
    load_model,
    measure,
    open_stack,
    predict,
)
from deepd3_ij.fiji.java import java_class
from deepd3_ij.stack import voxel_size_um


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
    columns = ["planes", "voxels", "volume_um3", "z_um", "y_um", "x_um"]
    joined = before.set_index("id")[columns].join(after.set_index("id")[columns], how="outer", lsuffix=" before",
                                                   rsuffix=" after")
    changed = pd.Series(False, index=joined.index)
    for name in columns:
        changed |= ~((joined[f"{name} before"] - joined[f"{name} after"]).abs() < 1e-9)
    order = [f"{name} {when}" for name in columns[:3] for when in ("before", "after")]
    return joined.loc[changed, order]


def arrange(session: fiji.Session, image: object, spines: str) -> None:
    """Windows side by side."""
    image.getWindow().setLocation(10, 100)
    manager = java_class("ij.plugin.frame.RoiManager").getInstance()
    manager.setSize(260, 420)
    manager.setLocation(20 + image.getWindow().getWidth(), 100)
    table = java_class("ij.WindowManager").getFrame(spines)
    table.setBounds(20 + image.getWindow().getWidth(), 540, 900, 320)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack")
    parser.add_argument("--planes", help="first plane and the one after the last (0-based), such as 20:40")
    parser.add_argument("--edit", action="store_true", help="make three corrections instead of waiting")
    parser.add_argument("--screenshot", help="PNG of the screen before the corrections")
    arguments = parser.parse_args()

    stack = open_stack(arguments.stack)
    if arguments.planes:
        first, last = (int(plane) for plane in arguments.planes.split(":"))
        stack = stack.isel(z=slice(first, last))
    model = load_model()
    size = voxel_size_um(stack)
    prediction = predict(stack, model, model.card.resolve(PredictionParameters, {}, size))
    prediction = clean(prediction, model.card.resolve(CleaningParameters, {}, size))
    rois = build_rois_3d(prediction, model.card.resolve(Roi3DParameters, {}, size))
    before = measure(rois, prediction, stack)

    session = fiji.connect(mode="interactive")
    image = session.push_merged(stack, prediction)
    session.push_rois(rois, image)
    session.push_measurements(before, image)
    if arguments.screenshot:
        arrange(session, image, f"Spines of {image.getTitle()}")
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
