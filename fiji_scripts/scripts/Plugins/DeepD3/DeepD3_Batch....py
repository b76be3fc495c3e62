#@ Context context
"""Analyze all stacks below a folder; the results keep the folder tree. A stack that fails does not stop the others."""

from deepd3_command import run


def batch(fiji):
    names = ("source", "target", "model", "xy_um", "z_um")
    reply, _ = fiji.call("batch", dict([(name, fiji.value(name)) for name in names], choices=fiji.choices()))
    fiji.report("%d stacks analyzed, %d were done before, %d failed" % (
        len(reply["done"]), len(reply["skipped"]), len(reply["failed"])),
        ["%s: %s" % (name, reason) for name, reason in reply["failed"]]
        + ["%s, kept: %s" % (name, reason) for name, reason in reply["kept"]]
        + ["%s, passed over: %s" % (name, reason) for name, reason in reply["passed_over"]])


run(globals(), "DeepD3 Batch...", batch)
