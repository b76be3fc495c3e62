"""Shared memory that is used again: fresh memory costs several times as much as the copy into it.

Jython 2.7. Blocks that are not in use are kept for a minute, up to a limit, for all commands of a Fiji run.
"""

import threading

import deepd3_appose
from java.lang import System
from java.util import ArrayList
from java.util.AbstractMap import SimpleEntry
from java.util.concurrent import LinkedBlockingDeque

LIMIT_BYTES = 768 * 1024 * 1024
KEPT_SECONDS = 60

_NAME = "deepd3.memory"
_BLOCK = "org.apposed.appose.SharedMemory"


class Memory(object):
    """Blocks between two uses, with the time of the last one."""

    def __init__(self, objects):
        found = [known for known in objects.getObjects(LinkedBlockingDeque) if objects.getName(known) == _NAME]
        self._free = found[0] if found else LinkedBlockingDeque()
        if not found:
            objects.addObject(self._free, _NAME)

    def take(self, size):
        """A block of at least a size in bytes: the smallest that fits and is not much too large, else a new one."""
        blocks = self.take_all()
        fitting = sorted([block for block in blocks if size <= block.size() <= 2 * size], key=lambda each: each.size())
        for block in blocks:
            if not fitting or block is not fitting[0]:
                self.keep(block)
        return fitting[0] if fitting else deepd3_appose.load(_BLOCK).create(size)

    def take_all(self):
        """All blocks that are free."""
        entries = ArrayList()
        self._free.drainTo(entries)
        return [entry.getKey() for entry in entries]

    def keep(self, block):
        """Give a block back, to be used again or, in the end, to be freed."""
        block.unlinkOnClose(True)
        self._free.add(SimpleEntry(block, System.nanoTime()))

    def tidy(self):
        """Free what goes beyond the limit now, and what was not used again later."""
        while sum([entry.getKey().size() for entry in list(self._free)]) > LIMIT_BYTES:
            self._free_first()
        if not self._free.isEmpty():
            later = threading.Timer(KEPT_SECONDS + 1, self._free_old)
            later.setDaemon(True)
            later.start()

    def clear(self):
        """Free all that is not in use."""
        for block in self.take_all():
            block.close()

    def _free_old(self):
        while not self._free.isEmpty() and System.nanoTime() - self._free.peek().getValue() > KEPT_SECONDS * 10**9:
            self._free_first()

    def _free_first(self):
        entry = self._free.poll()
        if entry is not None:
            entry.getKey().close()
