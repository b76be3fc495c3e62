"""The table in which a person decides about links between time points; see the page on following spines.

Jython 2.7, without windows. Rows that are there are kept as they are; a row is added, or the last one taken back.
"""

import codecs
import csv
import os

from deepd3_errors import DeepD3Error
from deepd3_texts import unicode_of
from java.io import File
from java.nio.file import Files, StandardCopyOption

COLUMNS = ("action", "time_point", "id", "other_time_point", "other_id")
LINK, CUT, PRESENT, ABSENT, BAD = "link", "cut", "present", "absent", "bad"


class Links(object):
    """The rows of the table; path: its file, which need not be there."""

    def __init__(self, path):
        self.path = path
        self.added = 0

    def add(self, action, time_point, number, other_time_point=u"", other_number=u""):
        """Add a row, and write the table."""
        header, rows = self._read()
        values = dict(zip(COLUMNS, (action, time_point, number, other_time_point, other_number)))
        rows.append([unicode_of(values.get(name, u"")) for name in header])
        self._write(header, rows)
        self.added += 1

    def take_back(self):
        """Take the last row back that was added here; tells which one, or None."""
        if not self.added:
            return None
        header, rows = self._read()
        if not rows:
            self.added = 0
            return None
        last = rows.pop()
        self._write(header, rows)
        self.added -= 1
        return dict(zip(header, last))

    def _read(self):
        if not os.path.isfile(self.path):
            return list(COLUMNS), []
        with codecs.open(self.path, encoding="utf-8-sig") as stream:
            lines = [line.encode("utf-8") for line in stream.read().splitlines() if line.strip()]
        if not lines:
            return list(COLUMNS), []
        mark = ";" if lines[0].count(";") > lines[0].count(",") else ","
        rows = [[cell.decode("utf-8").strip() for cell in row] for row in csv.reader(lines, delimiter=mark)]
        missing = [name for name in COLUMNS if name not in rows[0]]
        if missing:
            raise DeepD3Error(u"%s has no column %s; needed: %s. Mend it, or rename it to begin a new one."
                              % (os.path.basename(self.path), missing[0], u", ".join(COLUMNS)))
        return rows[0], rows[1:]

    def _write(self, header, rows):
        temporary = self.path + ".part"
        try:
            with open(temporary, "wb") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                for row in [header] + rows:
                    writer.writerow([cell.encode("utf-8") for cell in row])
            Files.move(File(temporary).toPath(), File(self.path).toPath(), [StandardCopyOption.REPLACE_EXISTING])
        except (IOError, OSError) as error:
            raise DeepD3Error(u"%s cannot be written (%s); give the folder of results another place."
                              % (self.path, unicode_of(error)))
