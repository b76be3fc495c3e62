"""The file of a followed series in which a person's decisions about links and states are kept.

Jython 2.7. It is a table (CSV) that may also be written by hand; what is added is its last row, and only that is ever
taken back.
"""

import csv

from deepd3_errors import DeepD3Error
from deepd3_state import write_whole
from deepd3_texts import name_of, text_of
from java.io import IOException
from java.nio.charset import StandardCharsets
from java.nio.file import Files, Paths

COLUMNS = ("action", "time_point", "id", "other_time_point", "other_id")


class LinksFile(object):
    """Rows of decisions in a file, which is complete at any time."""

    def __init__(self, path):
        self._path = path
        self._name = name_of(path)

    def rows(self):
        """All decisions, as texts in the order of COLUMNS."""
        lines = self._lines()
        if not lines:
            return []
        places = self._places(lines[0])
        return [[row[place] if place < len(row) else u"" for place in places]
                for row in map(_cells, lines[1:])]

    def add(self, action, time_point, spine, other_time_point=None, other_id=None):
        """Add a decision."""
        lines = self._lines() or [u",".join(COLUMNS)]
        places = self._places(lines[0])
        row = [u""] * len(_cells(lines[0]))
        for place, value in zip(places, (action, time_point, spine, other_time_point, other_id)):
            row[place] = text_of(value)
        self._write(lines + [u",".join(_quoted(cell) for cell in row)])

    def take_back(self):
        """Take the last decision back; gives its row, None if there is none."""
        rows = self.rows()
        if not rows:
            return None
        self._write(self._lines()[:-1])
        return rows[-1]

    def _lines(self):
        path = Paths.get(self._path)
        if not Files.exists(path):
            return []
        try:
            lines = [unicode(line) for line in Files.readAllLines(path, StandardCharsets.UTF_8)]
        except IOException:
            raise DeepD3Error(u"%s cannot be read; accepted: a table (CSV) in UTF-8. Move it away." % self._name)
        return [line for line in lines if line.strip()]

    def _places(self, heading):
        """Where the file has its columns."""
        names = [name.strip() for name in _cells(heading.lstrip(u"\ufeff"))]
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise DeepD3Error(u"%s has no column %s; accepted: %s, with commas between. Correct its first line, or "
                              u"move it away." % (self._name, missing[0], u", ".join(COLUMNS)))
        return [names.index(name) for name in COLUMNS]

    def _write(self, lines):
        try:
            write_whole(self._path, u"\n".join(lines) + u"\n")
        except IOException as error:
            raise DeepD3Error(u"%s cannot be written (%s); close it in other programs, and look whether the folder can "
                              u"be written." % (self._path, error.getMessage()))


def _cells(line):
    return [cell.decode("utf-8") for cell in next(csv.reader([line.encode("utf-8")]))]


def _quoted(cell):
    return u'"%s"' % cell.replace(u'"', u'""') if set(cell) & set(u',"') else cell
