"""Asking the service to follow spines over time, with the fields of the dialog.

Jython 2.7.
"""

def followed(fiji):
    """Follow spines; (texts of the fields that were given, with which it can be repeated, the answer)."""
    folder = fiji.value("folder")
    files = [each.strip() for each in (fiji.value("files") or folder).split(u";") if each.strip()]
    values = dict((name, fiji.value(name)) for name in ("model", "overwrite", "xy_um", "z_um"))
    reply, _ = fiji.call("follow_spines", dict(values, files=files, times=fiji.value("times") or u"", folder=folder,
                                               choices=fiji.choices()))
    return fiji.typed_texts(), reply


def summary_of(reply):
    """What was found, in a sentence."""
    pairs = [u"%s to %s: %d gained, %d lost, %d stable, %d undecided" % tuple(row[name] for name in (
        "time_point", "next_time_point", "gained", "lost", "stable", "undecided")) for row in reply["summary"]]
    return u"%d spines followed; %s" % (len(reply["tracks"]), u"; ".join(pairs))
