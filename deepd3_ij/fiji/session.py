"""A session with ImageJ: an installed Fiji, a running gateway, or the embedded ImageJ."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from deepd3_ij.errors import FijiError, one_line
from deepd3_ij.fiji import hyperstacks, java, roi_manager, table_windows
from deepd3_ij.fiji.configuration import configured_fiji
from deepd3_ij.fiji.host import Host
from deepd3_ij.fiji.jars import EMBEDDED_IMAGEJ, HEADLESS_COMMANDS, fetch_jars
from deepd3_ij.progress import Progress, no_progress

if TYPE_CHECKING:
    import pandas as pd

    from deepd3_ij import Measurements
    from deepd3_ij.fiji.table_windows import TableLink
    from deepd3_ij.rois.roiset import RoiSet

MODES = ("headless", "interactive", "gui")
EMBEDDED = "embedded"

_lock = threading.Lock()
_running: Session | None = None


def connect(
    fiji: str | Path | None = None,
    *,
    mode: str = "headless",
    gateway: Any = None,
    commands: bool = False,
    memory_percent: int = 60,
    progress: Progress = no_progress,
) -> Session:
    """Start or join ImageJ.

    Parameters
    ----------
    fiji
        A Fiji folder or a Maven endpoint (through pyimagej), or ``"embedded"`` for the embedded
        ImageJ. If None: ``DEEPD3_FIJI``, else the embedded ImageJ.
    mode
        ``"headless"`` opens no window. ``"interactive"`` shows ImageJ and returns; so does ``"gui"``, except
        with a Fiji on macOS, where pyimagej keeps the main thread until Fiji is closed.
    gateway
        A pyimagej gateway that exists already; the other options are not used.
    commands
        Embedded ImageJ, headless: make ``IJ.run`` and macros work without a display (starting takes about
        two seconds longer). Everything else works without it.
    memory_percent
        Largest share of the computer's memory that Java may use.
    progress
        Called while jars are fetched, on first use.

    Returns
    -------
    Session
        The session of this process; a second call gives the same one.

    Raises
    ------
    FijiError
        Java is missing or too old, there is no display, the folder is no Fiji, jars cannot be
        fetched, or Java runs already in another way than asked for.
    """
    global _running
    if mode not in MODES:
        raise FijiError(f"mode is {mode!r}; accepted: {', '.join(MODES)}.")
    with _lock:
        if _running is not None and gateway is not None and gateway is not _running.gateway:
            _running = None
        if _running is not None:
            _check_same(_running, None if fiji is None else _host_name(fiji), mode, commands)
            if not _running.headless:
                _running.show_window()
            return _running
        if gateway is not None:
            _running = _join(gateway)
        else:
            wanted = _host_name(fiji if fiji is not None else configured_fiji() or EMBEDDED)
            if mode != "headless" and (problem := java.display_problem()):
                raise FijiError(f"A visible ImageJ needs a display, and {problem}; use mode='headless', start a "
                                "desktop session, or run under 'xvfb-run'.")
            if wanted == EMBEDDED:
                _running = _start_embedded(mode == "headless", commands, memory_percent, progress)
            else:
                _running = _start_fiji(wanted, mode, memory_percent)
        return _running


def running_session() -> Session | None:
    """The session of this process, if there is one."""
    return _running


class Session(Host):
    """ImageJ in this process, with all that can be done there; made by :func:`connect`.

    Its attributes are those of :class:`deepd3_ij.fiji.host.Host`.
    """

    # Images

    def push(self, data: xr.DataArray | xr.Dataset, **options: Any) -> Any:
        """Make an ImageJ image; see :func:`deepd3_ij.fiji.hyperstacks.push`."""
        return hyperstacks.push(self, data, **options)

    def push_merged(self, stack: xr.DataArray, prediction: xr.Dataset, **options: Any) -> Any:
        """Stack and maps in one composite; see :func:`deepd3_ij.fiji.hyperstacks.push_merged`."""
        return hyperstacks.push_merged(self, stack, prediction, **options)

    def push_projection(self, data: xr.DataArray | xr.Dataset, method: str = "max", **options: Any) -> Any:
        """Projection along z; see :func:`deepd3_ij.fiji.hyperstacks.push_projection`."""
        return hyperstacks.push_projection(self, data, method, **options)

    def pull(self, image: Any = None, **options: Any) -> xr.DataArray | xr.Dataset:
        """Stack, prediction or labels from an ImageJ image; see :func:`deepd3_ij.fiji.hyperstacks.pull`."""
        return hyperstacks.pull(self, image, **options)

    # ROIs and tables

    def push_rois(self, rois: RoiSet, image: Any = None, *, where: str = "auto") -> None:
        """Outlines to the ROI Manager or an overlay; see :func:`deepd3_ij.fiji.roi_manager.push_rois`."""
        roi_manager.push_rois(self, rois, image, where=where)

    def pull_rois(self, image: Any = None, *, source: Any = "auto") -> RoiSet:
        """ROIs as they are now; see :func:`deepd3_ij.fiji.roi_manager.pull_rois`."""
        return roi_manager.pull_rois(self, image, source=source)

    def push_measurements(self, measurements: Measurements, image: Any = None) -> TableLink | None:
        """Spine and dendrite tables to Results windows; see :func:`deepd3_ij.fiji.table_windows.push_measurements`."""
        return table_windows.push_measurements(self, measurements, image)

    def pull_table(self, title: str) -> pd.DataFrame:
        """A Results window as a table; see :func:`deepd3_ij.fiji.table_windows.pull_table`."""
        return table_windows.pull_table(self, title)

    # The window

    def show_window(self) -> None:
        """Show ImageJ's main window; the embedded ImageJ's also again after it was closed."""
        if self.headless:
            raise FijiError("This session is headless; a visible ImageJ needs connect(mode='interactive') in a new "
                            "Python process.")
        window = java.java_class("ij.IJ").getInstance()
        if self.gateway is None:
            if window is None:
                image_j = java.java_class("ij.ImageJ")
                image_j(image_j.EMBEDDED).exitWhenQuitting(False)
                java.wait_for_events()
            return
        if window is None:  # its services are gone with it
            raise FijiError(f"{self.host} was closed by its user; a new one needs a new Python process.")
        if not window.isVisible():
            self.gateway.ui().showUI()
            java.wait_for_events()
        window.exitWhenQuitting(False)  # imagej-legacy has it end the whole process

    def wait_for_user(self, seconds: float | None = None) -> None:
        """Wait until the user closes ImageJ's main window, or for a time."""
        end = None if seconds is None else time.monotonic() + seconds
        ij = java.java_class("ij.IJ")
        if (window := ij.getInstance()) is not None:
            window.exitWhenQuitting(False)
        while ij.getInstance() is not None and (end is None or time.monotonic() < end):
            time.sleep(0.1)

    def close(self) -> None:
        """Close all images without saving them, and the embedded ImageJ's windows; Java ends with the process.

        A Fiji keeps running, and :func:`connect` gives its session again.
        """
        global _running
        manager = java.java_class("ij.WindowManager")
        for image_id in list(manager.getIDList() or ()):
            image = manager.getImage(image_id)
            image.changes = False
            image.close()
        if not self.headless:
            manager = java.java_class("ij.plugin.frame.RoiManager").getInstance()
            if manager is not None:
                manager.reset()  # a filled one asks before it closes
                manager.close()
            if self.gateway is None:
                self._close_windows()
        if _running is self and self.gateway is None:
            _running = None

    def _close_windows(self) -> None:
        imagej = java.java_class("ij.IJ").getInstance()
        for window in java.java_class("java.awt.Window").getWindows():
            if window != imagej:
                window.dispose()
        if imagej is not None:
            imagej.quit()  # in a thread of ImageJ's own
            self.wait_for_user(10)


def _host_name(fiji: str | Path) -> str:
    """Full path of a Fiji folder; anything else as it is."""
    folder = Path(fiji).expanduser()
    return str(folder.absolute() if folder.is_dir() and str(fiji) != EMBEDDED else fiji)


def _check_same(session: Session, host: str | None, mode: str, commands: bool) -> None:
    running = f"Java runs already in this process ({session.host}, {'headless' if session.headless else 'visible'})"
    if session.headless and mode != "headless":
        raise FijiError(f"{running}; a visible session needs a new Python process.")
    if host is not None and host != session.host:
        raise FijiError(f"{running}; {host} needs a new Python process.")
    if commands and not session.commands:
        raise FijiError(f"{running}, without commands; connect(commands=True) needs a new Python process.")


def _start_embedded(headless: bool, commands: bool, memory_percent: int, progress: Progress) -> Session:
    patched = headless and commands
    if not java.is_running():
        java.find_java()
        jars = fetch_jars([*EMBEDDED_IMAGEJ, *(HEADLESS_COMMANDS if patched else ())], progress=progress)
        java.start(jars, headless=headless, memory_percent=memory_percent)
        if patched:
            java.java_class("net.imagej.patcher.LegacyInjector").preinit()
    elif headless != bool(java.java_class("java.awt.GraphicsEnvironment").isHeadless()) or patched:
        raise FijiError("Java was started by something else in this process, in another way than asked for; "
                        "use a new Python process, or connect(gateway=…).")
    context = java.java_class("org.scijava.Context")(False)  # no argument would select an empty list of services
    session = Session(EMBEDDED, headless, commands or not headless, context)
    if not headless:
        session.show_window()
    return session


def _start_fiji(fiji: str, mode: str, memory_percent: int) -> Session:
    folder = Path(fiji)
    if folder.is_dir():
        jars = folder / "jars"
        if not (any(jars.glob("imagej-legacy*.jar")) and any(jars.glob("ij-1*.jar"))):
            raise FijiError(f"{folder} is no Fiji: it has no jars/imagej-legacy*.jar and jars/ij-1*.jar; "
                            "give the folder named Fiji.app or Fiji, or fiji='embedded'.")
    elif ":" not in fiji or folder.is_absolute():
        raise FijiError(f"{fiji} is neither a Fiji folder nor a Maven endpoint such as 'sc.fiji:fiji'; "
                        "give one of them or fiji='embedded'.")
    if java.is_running():
        raise FijiError("Java was started by something else in this process; use a new Python process, or "
                        "connect(gateway=…).")
    java.find_java()
    # pyimagej changes how Java starts as soon as it is imported, so it is imported on this path alone.
    import imagej
    import scyjava

    if folder.is_dir() and any(jars.glob("imglib2-imglyb-*.jar")):
        # This Fiji brings the one thing that pyimagej would fetch for it, and needs no network.
        scyjava.config.endpoints[:] = [name for name in scyjava.config.endpoints if "imglib2-imglyb" not in name]
    scyjava.config.set_java_constraints(fetch="auto", version="17")
    scyjava.config.add_options(java.memory_options(memory_percent))
    try:
        gateway = imagej.init(fiji, mode="interactive" if mode == "gui" and sys.platform != "darwin" else mode)
    except OSError as error:  # requests' errors are OSErrors too
        raise FijiError(f"pyimagej cannot fetch what it needs for {fiji} from the SciJava Maven repository "
                        f"({type(error).__name__}): connect to the network and try again, or use fiji='embedded'."
                        ) from error
    except Exception as error:
        raise FijiError(f"pyimagej cannot start {fiji}: {one_line(error)}") from error
    if gateway is None:
        raise FijiError(f"{fiji} was closed; mode='gui' keeps the main thread on macOS until then. To go on beside a "
                        "visible Fiji use mode='interactive' in IPython or Jupyter.")
    session = _join(gateway, host=fiji)
    if not session.headless:
        session.show_window()
    return session


def _join(gateway: Any, host: str = "gateway") -> Session:
    legacy = getattr(gateway, "legacy", None)
    if legacy is None or not legacy.isActive():
        raise FijiError("This gateway has no original ImageJ (imagej-legacy); start it with "
                        "imagej.init(…, add_legacy=True).")
    java.end_with_python()
    headless = bool(java.java_class("java.awt.GraphicsEnvironment").isHeadless())
    return Session(host, headless, True, gateway.context(), gateway)
