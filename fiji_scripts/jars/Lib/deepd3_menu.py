"""The menu DeepD3 in an ImageJ that makes no menus of scripts by itself.

Jython 2.7. It has the commands of a Fiji in which the menu is installed, in the order in which Fiji sorts them.
"""

import functools
import os

from deepd3_events import Acted, on_event_thread
from ij import Menus
from java.awt import Menu, MenuItem
from java.io import File
from java.util import HashMap
from org.scijava.script import ScriptInfo, ScriptService

TITLE = "DeepD3"
FOLDER = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
"""Folder below which the scripts lie, laid out as Fiji.app."""

_PARENT = "Plugins"
_SCRIPTS = os.path.join(FOLDER, "scripts", _PARENT, TITLE)


def add_menu(context):
    """Add the menu to ImageJ's menu bar, unless it is there."""
    on_event_thread(lambda: _add(context))


def start(context, path, values=None):
    """Run a script with its dialog, off the event thread; gives its future."""
    return context.service(ScriptService).run(ScriptInfo(context, File(path)), True, HashMap(values or {}))


def script_of(command):
    """Path of the script of a command, or None."""
    for folder, _, files in os.walk(_SCRIPTS):
        for name in files:
            if name.endswith(".py") and _shown(name) == command:
                return os.path.join(folder, name)
    return None


def _add(context):
    bar = Menus.getMenuBar()
    plugins = [bar.getMenu(number) for number in range(bar.getMenuCount())
               if bar.getMenu(number).getLabel() == _PARENT][0]
    if TITLE in [plugins.getItem(number).getLabel() for number in range(plugins.getItemCount())]:
        return
    plugins.addSeparator()
    plugins.add(_menu(context, _SCRIPTS, TITLE))


def _menu(context, folder, title):
    menu = Menu(title)
    for shown, path in sorted((_shown(name), os.path.join(folder, name)) for name in os.listdir(folder)):
        if os.path.isdir(path):
            menu.add(_menu(context, path, shown))
        elif path.endswith(".py"):
            item = MenuItem(shown)
            item.addActionListener(Acted(functools.partial(start, context, path)))
            menu.add(item)
    return menu


def _shown(name):
    """What Fiji makes of the name of a file or folder."""
    return (name[:-len(".py")] if name.endswith(".py") else name).replace("_", " ")
