"""Files that a user chooses for a window: in a dialog, by folder, or dropped onto it.

Jython 2.7. Needs windows.
"""

import os

from deepd3_questions import answer_to
from deepd3_settings import Settings
from deepd3_texts import unicode_of
from java.awt.datatransfer import DataFlavor
from java.io import File
from javax.swing import JFileChooser, TransferHandler
from javax.swing.filechooser import FileNameExtensionFilter


def ask_for_files(context, frame, endings):
    """The files that a user chooses, several at once; none if the dialog was closed."""
    chooser = _chooser(context)
    chooser.setMultiSelectionEnabled(True)
    names = u", ".join(u"." + ending for ending in endings)
    chooser.setFileFilter(FileNameExtensionFilter(u"Training data (%s)" % names, endings))
    return _paths(context, chooser, chooser.getSelectedFiles) if _approved(chooser, frame) else []


def ask_for_folder(context, frame):
    """The folder that a user chooses, or None."""
    chooser = _chooser(context)
    chooser.setFileSelectionMode(JFileChooser.DIRECTORIES_ONLY)
    return _paths(context, chooser, lambda: [chooser.getSelectedFile()])[0] if _approved(chooser, frame) else None


def ask_where_to_save(frame, proposed, title):
    """The path that a user chooses, or None. proposed: None for no proposal."""
    chooser = JFileChooser()
    chooser.setDialogTitle(title)
    if proposed is not None:
        chooser.setSelectedFile(File(proposed))
    if chooser.showSaveDialog(frame) != JFileChooser.APPROVE_OPTION:
        return None
    return unicode_of(chooser.getSelectedFile().getAbsolutePath())


def with_ending(path, ending):
    """A path, with an ending if it has another one or none."""
    return path if path.lower().endswith(ending) else path + ending


def may_write(path):
    """Ask before a file is replaced; False to keep what is there."""
    return not os.path.exists(path) \
        or answer_to(u"%s exists. Replace it?" % path, [u"Replace", u"Cancel"]) == u"Replace"


def files_below(folder, endings):
    """All files below a folder with one of some endings, in the order of their paths; hidden ones are left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(u".")]
        found += [os.path.join(place, name) for name in names
                  if name.lower().endswith(tuple(u"." + ending for ending in endings)) and not name.startswith(u".")]
    return sorted(found)


class Dropped(TransferHandler):
    """Calls a function with the paths of files that were dropped."""

    def __init__(self, work):
        self._work = work

    def canImport(self, support):  # noqa: N802 - Java's name
        return support.isDataFlavorSupported(DataFlavor.javaFileListFlavor)

    def importData(self, support):  # noqa: N802 - Java's name
        if not self.canImport(support):
            return False
        files = support.getTransferable().getTransferData(DataFlavor.javaFileListFlavor)
        self._work([unicode_of(each.getAbsolutePath()) for each in files])
        return True


def _chooser(context):
    return JFileChooser(Settings(context).read("folder"))


def _approved(chooser, frame):
    return chooser.showOpenDialog(frame) == JFileChooser.APPROVE_OPTION


def _paths(context, chooser, chosen):
    Settings(context).write("folder", unicode_of(chooser.getCurrentDirectory().getAbsolutePath()))
    return [unicode_of(each.getAbsolutePath()) for each in chosen()]
