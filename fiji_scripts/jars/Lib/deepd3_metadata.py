"""Metadata of training data that a user changes: what the files say, what was typed since, earlier steps.

Jython 2.7.
"""

from deepd3_steps import Steps

NAMES = ("Generated_from", "Resolution_XY", "Resolution_Z", "Depth", "Height", "Width", "X", "Y", "Z_begin", "Z_end",
         "crop", "Timestamp", "Changed")


class Metadata(object):
    """Files in the order in which they were added; texts by name for each stack of them.

    known: by path, what the service told of a file: its stacks, which names can be changed; or its problem.
    """

    def __init__(self):
        self.known = {}
        self._steps = Steps({"files": (), "typed": {}})

    def files(self):
        """Paths of the files."""
        return self._steps.value["files"]

    def rows(self):
        """(path, number of the stack in it) of all stacks; (path, None) of files that are not read or cannot be."""
        rows = []
        for path in self.files():
            stacks = self.known.get(path, {}).get("stacks", ())
            rows += [(path, number) for number in range(len(stacks))] or [(path, None)]
        return rows

    def text(self, row, name):
        """What a stack's metadata say under a name, with what was typed."""
        path, number = row
        if number is None:
            return u""
        typed = self._steps.value["typed"].get(path, {})
        return typed.get(name, self._stored(path, number, name))

    def problem(self, path):
        """Why a file cannot be read, or None."""
        return self.known.get(path, {}).get("problem")

    def can_change(self, row, name):
        """True if a stack's value can be changed."""
        return row[1] is not None and name in self.known[row[0]].get("changeable", ())

    def unsaved(self, path):
        """Values by name that were typed and differ from those in the file."""
        if not self.known.get(path, {}).get("stacks"):
            return {}
        return dict((name, text) for name, text in self._steps.value["typed"].get(path, {}).items()
                    if text != self._stored(path, 0, name))

    def changed_files(self):
        """Paths of the files with values that are not saved."""
        return [path for path in self.files() if self.unsaved(path)]

    # Steps

    def add(self, paths):
        """Add files that are not there yet; those."""
        new = []
        for path in paths:
            if path not in self.files() and path not in new:
                new.append(path)
        self._change(files=self.files() + tuple(new))
        return new

    def remove(self, paths):
        """Take files off the list, with what was typed for them."""
        self._change(files=tuple(path for path in self.files() if path not in paths),
                     typed=dict((path, texts) for path, texts in self._steps.value["typed"].items()
                                if path not in paths))

    def type(self, path, name, text):
        """Change a value."""
        typed = self._steps.value["typed"]
        before = dict({name: self._stored(path, 0, name)}, **typed.get(path, {}))
        # Going back to this step, once the new value is saved, has to bring the old one back.
        self._steps.value = dict(self._steps.value, typed=dict(typed, **{path: before}))
        self._change(typed=dict(typed, **{path: dict(before, **{name: text})}))

    def can_undo(self):
        """True if there is an earlier step."""
        return self._steps.can_undo()

    def undo(self):
        """Go back one step."""
        self._steps.undo()

    def _change(self, **values):
        self._steps.change(dict(self._steps.value, **values))

    def _stored(self, path, number, name):
        return self.known[path]["stacks"][number].get(name, u"")
