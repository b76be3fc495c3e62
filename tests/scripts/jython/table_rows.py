#@ String title
#@ String columns
#@output String answer
"""What the open table of a title tells: the rows of some columns (named with commas between), as texts; or null."""

import json

from ij.measure import ResultsTable

table = ResultsTable.getResultsTable(title)
answer = json.dumps(None if table is None else dict(
    (name, list(table.getColumnAsStrings(name) or ()) if table.columnExists(name) else None)
    for name in columns.split(",")))
