"""The inference window: menus and buttons for one stack in ImageJ (``deepd3-inference [STACK]``)."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepd3_ij.errors import Cancelled, ChannelError, DeepD3Error, StackError, VoxelSizeError
from deepd3_ij.fiji.choosers import choose_file, choose_folder
from deepd3_ij.fiji.dialogs import Slider, ask
from deepd3_ij.fiji.events import in_background, listener, on_event_thread, show_error
from deepd3_ij.fiji.java import end_process, java_class
from deepd3_ij.fiji.placement import place_beside
from deepd3_ij.fiji.session import Session, connect
from deepd3_ij.fiji.workbench import Workbench
from deepd3_ij.outputs.registry import output_of
from deepd3_ij.parameters import (
    ChannelParameters,
    CleaningParameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    VoxelSizeParameters,
)
from deepd3_ij.program import debug_wanted, run_program

if TYPE_CHECKING:
    from deepd3_ij.progress import Progress

_SHORTCUTS = {"Open…": "N", "Import annotations…": "I", "Save": "S"}
_BUTTONS = ("Open…", "Segment dendrite and spines…", "Cleaning…", "3D ROI detection…", "Take over corrections", "Save")
_SHORT_NAMES = {"Segment dendrite and spines…": "Segment…", "3D ROI detection…": "3D ROIs…",
                "Take over corrections": "Take corrections"}
_CLEANING_SLIDERS = {"closing_iterations": Slider(1, 100, 1)}
_REDRAW_S = 0.1
_WAITING = "Double-click into the image to test 3D ROIs there."


class InferenceWindow:
    """A small window beside ImageJ with the menus File, Analyze, View, ROIs and Export.

    Parameters
    ----------
    session
        A visible session.

    Attributes
    ----------
    bench
        The stack and what is made of it.
    closed
        Set when the user closes the window.
    """

    def __init__(self, session: Session) -> None:
        self.bench = Workbench(session)
        self.closed = threading.Event()
        self._busy = threading.Lock()
        self._stop = threading.Event()
        self._drawn = 0.0
        self._items: list[Any] = []
        on_event_thread(self._build)

    def run(self, name: str) -> threading.Thread:
        """Do what a menu item does, beside the event thread; one after the other."""
        return self._start(self._actions()[name])

    def open(self, path: str | Path, **options: Any) -> None:
        """Open a stack; asks for what its file does not say (voxel size, channel, time point)."""
        while True:
            try:
                self.bench.open(path, **options)
            except VoxelSizeError as error:
                size = ask("Voxel size", VoxelSizeParameters(), message=_lines(error))
                if size is None:
                    raise Cancelled("No voxel size was given.") from error
                options |= {"xy_um": size.xy_um, "z_um": size.z_um}
            except ChannelError as error:
                if "channel" in options:
                    raise
                chosen = ask("Channel and time point", ChannelParameters(), message=_lines(error))
                if chosen is None:
                    raise Cancelled("No channel was chosen.") from error
                options |= {"channel": chosen.channel - 1, "frame": chosen.frame - 1}
            else:
                self._say(f"{Path(path).name} is open.")
                return

    def close(self) -> None:
        """Close the window and its images."""
        # Hidden, not disposed: Java fails to dispose a window beneath a dialog that is still open.
        on_event_thread(lambda: self._frame.setVisible(False))
        self.bench.close()
        self.closed.set()

    # The menus

    def _actions(self) -> dict[str, Callable[[], Any]]:
        """What each menu item does (runs beside the event thread)."""
        bench = self.bench
        return {
            "Open…": self._open,
            "Import annotations…": self._import_annotations,
            "Save": lambda: self._say_files(bench.save()),
            "Close stack": bench.close,
            "Segment dendrite and spines…": self._segment,
            "Cleaning…": self._clean,
            "2D ROI detection…": lambda: self._build_rois(Roi2DParameters),
            "3D ROI detection…": lambda: self._build_rois(Roi3DParameters),
            "Z projection": bench.project,
            "Set dimensions…": self._set_dimensions,
            "Take over corrections": lambda: bench.apply_corrections(progress=self._progress),
            "Delete selected spines": self._delete_selected,
            "Predictions as TIFF…": lambda: self._export("maps"),
            "ROIs to ImageJ (zip)…": lambda: self._export("roi_zip"),
            "ROIs to folder…": lambda: self._export("roi_folder"),
            "ROI map…": lambda: self._export("roi_map"),
            "ROI map, binary…": lambda: self._export("roi_map_binary"),
            "ROI centroids…": lambda: self._export("centroids"),
            "Tables…": lambda: self._export("tables"),
            "Dendrite traces (SWC)…": lambda: self._export("traces"),
        }

    def _build(self) -> None:
        swing = "javax.swing."
        self._frame = java_class(swing + "JFrame")("DeepD3")
        bar = java_class(swing + "JMenuBar")()
        actions = self._actions()
        menus: dict[str, list[str | None]] = {
            "File": ["Open…", "Import annotations…", "Save", "Close stack"],
            "Analyze": ["Segment dendrite and spines…", "Cleaning…", None, "2D ROI detection…", "3D ROI detection…",
                        None, "Z projection", "Set dimensions…"],
            "View": [],
            "ROIs": ["Take over corrections", "Delete selected spines"],
            "Export": ["Predictions as TIFF…", None, "ROIs to ImageJ (zip)…", "ROIs to folder…", "ROI map…",
                       "ROI map, binary…", "ROI centroids…", "Tables…", "Dendrite traces (SWC)…"],
        }
        for title, names in menus.items():
            menu = java_class(swing + "JMenu")(title)
            for name in names:
                if name is None:
                    menu.addSeparator()
                    continue
                item = java_class(swing + "JMenuItem")(name)
                if name in _SHORTCUTS:
                    item.setAccelerator(java_class(swing + "KeyStroke").getKeyStroke("control " + _SHORTCUTS[name]))
                self._connect(item, actions[name])
                menu.add(item)
            if title == "View":
                self._add_view_items(menu)
            bar.add(menu)
        self._frame.setJMenuBar(bar)
        buttons = java_class(swing + "JPanel")()
        for name in _BUTTONS:
            button = java_class(swing + "JButton")(_SHORT_NAMES.get(name, name))
            self._connect(button, actions[name])
            buttons.add(button)
        self._status = java_class(swing + "JLabel")(_WAITING)
        self._bar = java_class(swing + "JProgressBar")(0, 1000)
        stop = java_class(swing + "JButton")("Stop")
        stop.addActionListener(listener("java.awt.event.ActionListener",
                                        actionPerformed=lambda event: self._stop.set()))
        layout = java_class("java.awt.BorderLayout")
        foot = java_class(swing + "JPanel")(layout(8, 0))
        foot.setBorder(java_class(swing + "BorderFactory").createEmptyBorder(4, 8, 6, 8))
        foot.add(self._status, layout.CENTER)
        right = java_class(swing + "JPanel")()
        right.add(self._bar)
        right.add(stop)
        foot.add(right, layout.EAST)
        content = self._frame.getContentPane()
        content.add(buttons, layout.CENTER)
        content.add(foot, layout.SOUTH)
        self._frame.setDefaultCloseOperation(0)  # nothing by itself: closing is asked for below
        self._frame.addWindowListener(listener("java.awt.event.WindowListener", windowClosing=self._ask_to_close))
        self._frame.pack()
        place_beside(self._frame, java_class("ij.IJ").getInstance())
        self._frame.setVisible(True)

    def _add_view_items(self, menu: Any) -> None:
        bench = self.bench
        for name, shown, show in (
            ("Show segmentation", True, bench.show_segmentation), ("Show maximum projection", False,
                                                                   bench.show_projection),
            ("Show labels", False, bench.show_labels), ("Show ROIs", True, bench.show_rois),
        ):
            item = java_class("javax.swing.JCheckBoxMenuItem")(name, shown)

            def act(item: Any = item, show: Callable[[bool], None] = show) -> None:
                try:
                    show(bool(item.isSelected()))
                except DeepD3Error:
                    on_event_thread(lambda: item.setSelected(not item.isSelected()))
                    raise

            self._connect(item, act)
            menu.add(item)

    def _connect(self, item: Any, action: Callable[[], Any]) -> None:
        self._items.append(item)
        item.addActionListener(listener("java.awt.event.ActionListener",
                                        actionPerformed=lambda event: self._start(action)))

    def _start(self, action: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            if not self._busy.acquire(blocking=False):
                self._say("A step is running; wait for it or stop it.")
                return
            try:
                self._stop.clear()
                self._enable(False)
                action()
            except Cancelled as stopped:
                self._say(str(stopped))
            except Exception as error:
                self._say(_lines(error).splitlines()[0])
                show_error(error)
            finally:
                self._enable(True)
                on_event_thread(lambda: self._bar.setValue(0))
                self._busy.release()

        return in_background(run)

    # Menu items that ask something first

    def _open(self) -> None:
        self.open(choose_file("Open a stack"))

    def _import_annotations(self) -> None:
        self.bench.need_stack()
        path = choose_file("Import annotations (CSV with X, Y and Z or Pos)")
        self._say(f"{self.bench.import_annotations(path)} annotations were drawn.")

    def _segment(self) -> None:
        from deepd3_ij.model.zoo import available

        self.bench.need_stack()
        names = [entry.name for entry in available() if entry.path is not None]
        chosen = {"name": names[0] if names else "", "file": ""}

        def add(dialog: Any) -> None:
            if names:
                dialog.addChoice("Model", names, chosen["name"])
            dialog.addFileField("Model file (optional)" if names else "Model file", chosen["file"], 24)

        def read(dialog: Any) -> None:
            chosen["name"] = str(dialog.getNextChoice()) if names else ""
            chosen["file"] = str(dialog.getNextString()).strip()

        parameters = ask("Segment dendrite and spines", self.bench.recommended(PredictionParameters), before=add,
                         read_before=read)
        if parameters is not None:
            self.bench.segment(chosen["file"] or chosen["name"] or None, parameters, progress=self._progress)
            self._say("Segmented: dendrite magenta, spines green. " + _WAITING)

    def _clean(self) -> None:
        self.bench.need_prediction()
        previews = _Latest(self.bench.preview_cleaning)
        parameters = ask("Cleaning", self.bench.recommended(CleaningParameters), sliders=_CLEANING_SLIDERS,
                         preview=previews.ask)
        previews.finish()
        if parameters is None:
            if previews.shown:
                self.bench.preview_cleaning(None)
            return
        self.bench.clean(parameters, progress=self._progress)
        self._say("The prediction is cleaned.")

    def _build_rois(self, cls: type[Roi2DParameters] | type[Roi3DParameters]) -> None:
        self.bench.need_prediction()
        title = "3D ROI detection" if cls is Roi3DParameters else "2D ROI detection"
        parameters = ask(title, self.bench.recommended(cls))
        if parameters is not None:
            self.bench.build_rois(parameters, progress=self._progress)
            assert self.bench.rois is not None
            self._say(f"{len(self.bench.rois)} ROIs; correct them in the ROI Manager.")

    def _set_dimensions(self) -> None:
        xy_um, z_um = self.bench.voxel_size()
        size = ask("Set dimensions", VoxelSizeParameters(xy_um=xy_um, z_um=z_um))
        if size is not None:
            self.bench.set_dimensions(xy_um=size.xy_um, z_um=size.z_um)

    def _delete_selected(self) -> None:
        from deepd3_ij.fiji.view import selected_ids

        count = len(selected_ids(self.bench.session))
        if count == 0:
            self._say("No spine is selected in the ROI Manager.")
        elif java_class("ij.IJ").showMessageWithCancel("DeepD3", f"Delete {count} spine(s) in all planes?"):
            self._say(f"{self.bench.delete_selected()} spine(s) deleted.")

    def _export(self, what: str) -> None:
        if "prediction" in output_of(what).needs:
            self.bench.need_prediction()
        else:
            self.bench.need_rois()
        folder = choose_folder("Folder for the export")
        self._say_files(self.bench.export(what, folder))

    def _ask_to_close(self, event: Any) -> None:
        def ask_and_close() -> None:
            unsaved = self.bench.prediction is not None
            if not unsaved or java_class("ij.IJ").showMessageWithCancel(
                    "DeepD3", "Close DeepD3? What was not saved is lost."):
                self.close()

        in_background(ask_and_close)

    # The foot of the window

    @property
    def _progress(self) -> Progress:
        def report(done: int, total: int, message: str, /) -> None:
            if self._stop.is_set():
                raise Cancelled("Stopped; nothing was changed.")
            now = time.monotonic()
            if done < total and now - self._drawn < _REDRAW_S:
                return
            self._drawn = now
            on_event_thread(lambda: (self._bar.setValue(round(1000 * done / max(1, total))),
                                     self._status.setText(message)))
        return report

    def _say(self, text: str) -> None:
        on_event_thread(lambda: self._status.setText(text))

    def _say_files(self, files: Sequence[Path]) -> None:
        self._say("Wrote " + ", ".join(path.name for path in files) + f" in {files[0].parent}")

    def _enable(self, enabled: bool) -> None:
        on_event_thread(lambda: [item.setEnabled(enabled) for item in self._items])


class _Latest:
    """Runs a function beside the event thread with the newest value only."""

    def __init__(self, function: Callable[[Any], None]) -> None:
        self._function = function
        self._changed = threading.Condition()
        self._waiting: list[Any] = []
        self._ended = False
        self._last: Any = None
        self.shown = False
        self._thread = in_background(self._work)

    def ask(self, value: Any) -> None:
        with self._changed:
            if value != self._last:
                self._last, self._waiting = value, [value]
                self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                value = self._waiting.pop()
            self.shown = value is not None
            self._function(value)


def _lines(error: BaseException) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(" ".join(str(error).split()), 70)) or type(error).__name__


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of ``deepd3-inference``."""
    parser = argparse.ArgumentParser(prog="deepd3-inference", description="Segment dendrites and spines of a stack "
                                     "in ImageJ: open, segment, clean, build ROIs, correct them, export.")
    parser.add_argument("stack", nargs="?", metavar="STACK", help="TIFF file to open.")
    parser.add_argument("--xy", type=float, metavar="UM", help="Size of a pixel in µm. Default: from the file.")
    parser.add_argument("--z", type=float, metavar="UM", help="Distance between planes in µm. Default: from the file.")
    parser.add_argument("--fiji", metavar="FOLDER", help="Fiji folder or Maven endpoint to use. Default: the "
                        "configured Fiji, else the embedded ImageJ.")
    parser.add_argument("--debug", action="store_true", help="Print the trace of an error.")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``deepd3-inference``."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args(given)
    end_process(run_program("deepd3-inference", lambda: _show(arguments), debug=debug_wanted(given), signals=False))
    return 0


def _show(arguments: argparse.Namespace) -> None:
    if arguments.stack is not None and not Path(arguments.stack).is_file():
        raise StackError(f"There is no file {arguments.stack}; give a TIFF file, or none.")
    session = connect(arguments.fiji, mode="interactive")
    window = InferenceWindow(session)
    if arguments.stack is not None:
        options = {name: value for name, value in (("xy_um", arguments.xy), ("z_um", arguments.z)) if value}
        window._start(lambda: window.open(arguments.stack, **options))
    while not window.closed.is_set() and java_class("ij.IJ").getInstance() is not None:
        window.closed.wait(0.2)
