"""The state of an environment that DeepD3 Setup... makes, in a file beside it: begun, or complete.

Jython 2.7. What is not complete is never used.
"""

import json
import os

from java.io import File, IOException
from java.lang import String
from java.nio.file import Files, Paths, StandardCopyOption

FILE = "deepd3_environment.json"
ENVIRONMENT = "env"
BEGUN, COMPLETE = "begun", "complete"
_LARGEST_BYTES = 100000


def read(folder):
    """What is known of the environment in a folder; an empty table if it is none of ours."""
    path = os.path.join(folder, FILE)
    if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST_BYTES:
        return {}
    with open(path) as stream:
        try:
            state = json.load(stream)
        except ValueError:
            return {"state": BEGUN}
    return state if isinstance(state, dict) else {"state": BEGUN}


def write(folder, **state):
    """Note the state."""
    write_whole(os.path.join(folder, FILE), json.dumps(state, indent=1, sort_keys=True) + "\n")


def is_unfinished(python):
    """True for a Python program in an environment that is not complete."""
    folder = File(python).getAbsoluteFile()
    for _ in range(3):  # bin, environment, the folder of both
        folder = folder.getParentFile()
        if folder is None:
            return False
    return read(folder.getPath()).get("state", COMPLETE) != COMPLETE


def write_whole(path, text):
    """Write a text under a temporary name and rename it; java.io.IOException if that cannot be done."""
    target, temporary = Paths.get(path), Paths.get(path + ".new")
    try:
        Files.write(temporary, String(text).getBytes("UTF-8"))
        Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING)
    finally:
        Files.deleteIfExists(temporary)


def remove(path):
    """Remove a file or a folder with all that is in it; links are removed, not followed."""
    path = Paths.get(path)
    if not Files.exists(path) and not Files.isSymbolicLink(path):
        return
    walk = Files.walk(path)
    try:
        found = list(walk.iterator())
    finally:
        walk.close()
    for each in reversed(found):  # what is in a folder comes after it
        try:
            Files.delete(each)
        except IOException:
            each.toFile().setWritable(True)  # Windows keeps what is read-only
            Files.delete(each)
