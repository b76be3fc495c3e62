"""The menu of DeepD3 in the menu bar of an ImageJ that Python hosts."""

from typing import Any

import numpy as np

from deepd3_ij import label_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service.in_process import add_menu, commands, publish
from tests.imagej.display.conftest import wait_for


def menu(session: Session) -> Any:
    """The one menu DeepD3."""
    publish(session)
    add_menu(session)
    add_menu(session)  # changes nothing
    bar = java_class("ij.Menus").getMenuBar()
    plugins = next(bar.getMenu(number) for number in range(bar.getMenuCount())
                   if str(bar.getMenu(number).getLabel()) == "Plugins")
    found = [plugins.getItem(number) for number in range(plugins.getItemCount())
             if str(plugins.getItem(number).getLabel()) == "DeepD3"]
    assert len(found) == 1
    return found[0]


def items(menu: Any) -> list[Any]:
    return [menu.getItem(number) for number in range(menu.getItemCount())]


def leaves(menu: Any) -> list[str]:
    kind = java_class("java.awt.Menu")
    return [name for item in items(menu) for name in
            (leaves(item) if isinstance(item, kind) else [str(item.getLabel())])]


def test_analysis_is_first_then_the_steps_in_their_order_then_the_rest(session: Session) -> None:
    labels = [str(item.getLabel()) for item in items(menu(session))]
    assert labels[0] == "Analyze Dendrites and Spines..."
    assert labels[1:9] == ["DeepD3 1 Stack", "DeepD3 2 Segment", "DeepD3 3 ROIs", "DeepD3 4 Measure", "DeepD3 5 Show",
                           "DeepD3 6 Export", "DeepD3 7 Save and Load", "DeepD3 8 Training"]
    assert labels[9] == "DeepD3 Batch..."
    assert labels == sorted(labels)  # Fiji's order


def test_it_has_every_command(session: Session) -> None:
    assert tuple(sorted(leaves(menu(session)))) == commands()


def test_an_item_runs_its_command_on_the_active_image(session: Session) -> None:
    show = next(item for item in items(menu(session)) if str(item.getLabel()) == "DeepD3 5 Show")
    item = next(item for item in items(show) if str(item.getLabel()) == "Show DeepD3 Maximum Projection")
    pixels = np.arange(4 * 30 * 40, dtype=np.uint16).reshape(4, 30, 40)
    session.push(label_stack(pixels, xy_um=0.1, z_um=0.5, source="cell.tif"))
    choose(item)
    projection = wait_for(lambda: next((image for image in opened() if str(image.getTitle()).endswith(" max")), None))
    np.testing.assert_array_equal(np.asarray(projection.getProcessor().getPixels()).view(np.uint16).reshape(30, 40),
                                  pixels.max(axis=0))


def test_an_item_shows_the_dialog_of_its_command(session: Session) -> None:
    item = next(item for item in items(menu(session)) if str(item.getLabel()) == "DeepD3 Batch...")
    choose(item)
    window = wait_for(lambda: next((window for window in java_class("java.awt.Window").getWindows()
                                    if window.isShowing() and str(window.getName()) == "deepd3"), None))
    assert str(window.getTitle()) == "DeepD3 Batch"
    window.dispose()


def choose(item: Any) -> None:
    """Choose a menu item, on the event thread as the mouse does."""
    event = java_class("java.awt.event.ActionEvent")
    java_class("java.awt.Toolkit").getDefaultToolkit().getSystemEventQueue().postEvent(
        event(item, event.ACTION_PERFORMED, item.getLabel()))


def opened() -> list[Any]:
    windows = java_class("ij.WindowManager")
    return [windows.getImage(number) for number in windows.getIDList() or ()]
