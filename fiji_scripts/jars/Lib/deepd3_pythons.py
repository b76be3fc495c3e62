"""The Pythons of this computer, each asked what it is.

Jython 2.7.
"""

import glob
import json
import os

from deepd3_places import QUESTION, VERSIONS, commands, misfit, system_of
from deepd3_processes import run
from java.io import IOException
from java.lang import System

_ASK_SECONDS = 20
_ISOLATED = {"PYTHONHOME": None, "PYTHONPATH": None}


class Variables(object):
    """The variables of this process; Windows names them without regard to case (PATH is Path there)."""

    def get(self, name):
        """The value of a variable, None if there is none."""
        return System.getenv(name)


def system():
    """The system that runs this Fiji."""
    return system_of(System.getProperty("os.name"))


def find(stopped):
    """(Pythons that will do, the best first; (path, why not) of the others)."""
    fitting, others, seen = [], [], set()
    for words in commands(system(), Variables(), System.getProperty("user.home"), _matching):
        answer = ask(words, stopped)
        if answer is None or answer["executable"] in seen:
            continue
        seen.add(answer["executable"])
        reason = misfit(answer, system())
        if reason is None:
            fitting.append(answer)
        else:
            others.append((answer["executable"], reason))
    return sorted(fitting, key=lambda each: VERSIONS.index(each["version"])), others


def ask(words, stopped):
    """What a Python is; None if it is none."""
    said = []
    try:
        run(list(words) + ["-I", "-c", QUESTION], said.append, stopped, _ISOLATED, _ASK_SECONDS)
    except IOException:
        return None
    for line in said:
        if line.startswith("DEEPD3 "):
            return json.loads(line[len("DEEPD3 "):])
    return None


def _matching(pattern):
    return sorted((path for path in glob.glob(pattern) if os.path.isfile(path) and os.access(path, os.X_OK)),
                  reverse=True)
