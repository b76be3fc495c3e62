"""Small things about texts and paths.

Jython 2.7.
"""

from java.io import File


def unicode_of(value):
    """Any value as text."""
    if isinstance(value, unicode):
        return value
    if isinstance(value, str):
        return value.decode("utf-8", "replace")
    return unicode(value)


def wrapped(text, width=80):
    """A text in lines of at most a width, as far as its words allow."""
    lines, line = [], u""
    for word in text.split(" "):
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = u""
        line = (line + " " + word) if line else word
    return u"\n".join(lines + [line])


def quoted(image):
    """Title of an image in quotes."""
    return u"'%s'" % image.getTitle()


def without_ending(title):
    """A title or path without .tif and the like."""
    for ending in (".tif", ".tiff", ".zarr", ".ome"):
        if title.lower().endswith(ending):
            title = title[:-len(ending)]
    return title


def name_of(path):
    """Name of a file."""
    return File(path).getName()


def text_of(value):
    """A value as a macro writes it; an empty text is none."""
    if value is None:
        return u""
    if isinstance(value, bool):
        return u"true" if value else u"false"
    return unicode_of(value)
