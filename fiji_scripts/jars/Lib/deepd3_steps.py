"""What a window changes, with its earlier states.

Jython 2.7.
"""

_STEPS = 50


class Steps(object):
    """A value that is replaced, never changed, and can be taken back step by step."""

    def __init__(self, value):
        self.value = value
        self._earlier = []

    def change(self, value):
        """Another value; False if it is the same."""
        if value == self.value:
            return False
        self._earlier = (self._earlier + [self.value])[-_STEPS:]
        self.value = value
        return True

    def can_undo(self):
        """True if there is an earlier value."""
        return bool(self._earlier)

    def undo(self):
        """Go back to the value before."""
        self.value = self._earlier.pop()
