"""Appose, which starts Python, in class loaders of its own.

Jython 2.7. A Fiji may have Appose, or a jar that it needs, in another version. A jar must not be on Fiji's class path
twice, so ours lie where Fiji loads nothing, and are loaded here, away from Fiji's.
"""

import os
from contextlib import contextmanager

from ij import IJ
from java.io import File
from java.lang import Class, ClassLoader, System, Thread
from java.net import URL, URLClassLoader

FOLDER = os.path.join("lib", "deepd3")
_LOADER = "deepd3.appose_loader"


def fiji_folder():
    """The folder of the Fiji that this module lies in; of the running one, if it lies in a jar of an update site."""
    own = os.path.abspath(__file__)
    if os.path.isdir(os.path.dirname(own)):
        return os.path.dirname(os.path.dirname(os.path.dirname(own)))
    return System.getProperty("imagej.dir") or System.getProperty("ij.dir") or IJ.getDirectory("imagej")


def own_folder():
    """Where Fiji loads nothing: our jars, and the package for DeepD3 Setup..."""
    return os.path.join(fiji_folder(), FOLDER)


def load(name):
    """A class of Appose; ImportError if there is none."""
    loader = _loader()
    if loader is None:
        raise ImportError(name)
    return Class.forName(name, True, loader)


@contextmanager
def classes():
    """Let Appose find its parts, also in the threads that it starts meanwhile."""
    thread = Thread.currentThread()
    before = thread.getContextClassLoader()
    thread.setContextClassLoader(_loader() or before)
    try:
        yield
    finally:
        thread.setContextClassLoader(before)


def _loader():
    """The same for all commands of a Fiji run; a class of another loader is another class."""
    known = System.getProperties().get(_LOADER)
    if known is not None:
        return known
    folder = own_folder()
    jars = sorted(name for name in os.listdir(folder) if name.endswith(".jar")) if os.path.isdir(folder) else []
    if not jars:
        return None
    urls = [File(os.path.join(folder, name)).toURI().toURL() for name in jars]
    loader = URLClassLoader(_urls(urls), ClassLoader.getSystemClassLoader().getParent())  # Java's own classes only
    System.getProperties().put(_LOADER, loader)
    return loader


def _urls(urls):
    import jarray
    return jarray.array(urls, URL)
