"""How results came about, for machines: an RO-Crate of the profile Process Run Crate."""

from __future__ import annotations

import datetime
import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deepd3_ij.batch.collecting import StackResult
from deepd3_ij.batch.run_file import NAME as RUN_FILE
from deepd3_ij.batch.tables import ALL_DENDRITES_CSV, ALL_SPINES_CSV, STACKS_CSV
from deepd3_ij.printing import printable
from deepd3_ij.version import __version__

CRATE = "ro-crate-metadata.json"
MOST_ACTIONS = 2000
"""With more stacks than this, the table of stacks tells of each, and the crate of the run as a whole."""

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_COMPLETED, _FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
_SOFTWARE, _MODEL = "#deepd3-ij", "#model"


def write_crate(path: Path, results: Sequence[StackResult], folder: Path) -> None:
    """Write the crate of a folder of results."""
    path.write_text(json.dumps(crate(results, folder), indent=1), encoding="utf-8")


def crate(results: Sequence[StackResult], folder: Path) -> dict[str, Any]:
    """The crate as plain values.

    Parameters
    ----------
    results
        The stacks.
    folder
        The folder of the results; all names are relative to it.
    """
    actions, files = [], dict[str, dict[str, Any]]()
    if len(results) <= MOST_ACTIONS:
        for number, result in enumerate(results, 1):
            actions.append(_action(number, result, folder, files))
    else:
        actions.append(_whole(results))
    tables = [name for name in (RUN_FILE, STACKS_CSV, ALL_SPINES_CSV, ALL_DENDRITES_CSV)
              if name != RUN_FILE or (folder / RUN_FILE).is_file()]
    for name in tables:
        files[name] = {"@id": name, "@type": "File", "name": name, "encodingFormat": _format(name)}
    settings = [result.record.get("settings", {}) for result in results]
    versions = {str(each.get("version", __version__)) for each in settings}
    hashes = {str(found) for each in settings if (found := each.get("model_sha256"))}
    return {"@context": f"{_SPECIFICATION}/context", "@graph": [
        {"@id": CRATE, "@type": "CreativeWork", "conformsTo": {"@id": _SPECIFICATION}, "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "name": "Dendrites and dendritic spines of a folder of stacks",
         "description": "Results of deepd3-ij batch: maps, regions of interest and tables of each stack.",
         "datePublished": _last_end(results), "license": "To be stated by who publishes these data",
         "conformsTo": {"@id": _PROFILE}, "hasPart": [{"@id": name} for name in files if not name.startswith("#")],
         "mentions": [{"@id": action["@id"]} for action in actions]},
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {"@id": _SOFTWARE, "@type": "SoftwareApplication", "name": "deepd3-ij",
         "softwareVersion": ", ".join(sorted(versions)) or __version__},
        {"@id": _MODEL, "@type": "CreativeWork", "name": "Network that made the probability maps",
         "sha256": ", ".join(sorted(hashes))},
        *files.values(), *actions]}


def _action(number: int, result: StackResult, folder: Path, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    source = f"#input-{number}"
    states = [state for state in result.record.get("inputs", ()) if isinstance(state, list) and len(state) == 4]
    files[source] = {"@id": source, "@type": "File", "name": printable(result.name)}
    if states:
        files[source] |= {"contentSize": str(sum(state[1] for state in states)),
                          "description": "SHA-256 of its first and last MiB: " + ", ".join(
                              str(state[3]) for state in states)}
    made = []
    for name, entry in sorted(result.record.get("files", {}).items()):
        identity = quote((result.folder.relative_to(folder) / name).as_posix(), errors="surrogateescape")
        is_file = isinstance(entry, dict) and "bytes" in entry
        made.append({"@id": identity if is_file else f"{identity}/"})
        files[made[-1]["@id"]] = {"@id": made[-1]["@id"], "@type": "File" if is_file else "Dataset",
                                  "name": printable(name)} | ({
            "contentSize": str(entry["bytes"]), "encodingFormat": _format(name), "sha256": entry.get("sha256", "")}
            if is_file else {})
    used = [source, _MODEL, *([RUN_FILE] if (folder / RUN_FILE).is_file() else [])]
    action = {"@id": f"#stack-{number}", "@type": "CreateAction", "name": f"Analysis of {printable(result.name)}",
              "instrument": {"@id": _SOFTWARE}, "object": [{"@id": name} for name in used],
              "result": made, "actionStatus": {"@id": _FAILED if result.failure else _COMPLETED}}
    if result.failure:
        return {**action, "error": printable(result.failure["reason"])}
    times = {"startTime": result.facts.get("began"), "endTime": result.facts.get("ended")}
    return {**action, **{name: time for name, time in times.items() if time}}


def _whole(results: Sequence[StackResult]) -> dict[str, Any]:
    failed = sum(1 for result in results if result.failure)
    return {"@id": "#run", "@type": "CreateAction", "name": f"Analysis of {len(results)} stacks, {failed} failed",
            "instrument": {"@id": _SOFTWARE}, "object": [{"@id": _MODEL}],
            "result": [{"@id": STACKS_CSV}, {"@id": ALL_SPINES_CSV}, {"@id": ALL_DENDRITES_CSV}],
            "endTime": _last_end(results), "actionStatus": {"@id": _COMPLETED}}


def _last_end(results: Sequence[StackResult]) -> str:
    ends = [str(end) for result in results if (end := result.facts.get("ended"))]
    return max(ends) if ends else datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _format(name: str) -> str:
    own = {".prediction": "application/x-hdf5", ".rois": "application/x-hdf5", ".swc": "text/plain",
           ".yaml": "application/yaml"}
    return own.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
