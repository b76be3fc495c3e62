#@ Context context
"""Compare detected with annotated spines: recall, precision, F1."""

from deepd3_command import run


def evaluate(fiji):
    names = ("detected", "truth", "dendrites", "report", "xy_um", "z_um")
    reply, _ = fiji.call("evaluate", dict([(name, fiji.value(name)) for name in names], choices=fiji.choices()))
    scores = reply["scores"]
    fiji.report("Detected and annotated spines", [
        "recall %s, precision %s, F1 %s" % tuple(
            "-" if scores[name] is None else "%.3f" % scores[name] for name in ("recall", "precision", "f1")),
        "%d of %d annotated spines were found; %d detections are none of them" % (
            scores["matched"], scores["truth"], scores["false_positives"]),
        "%d detections far from every traced dendrite do not count" % scores["ignored"],
        "Written: " + reply["file"]])


run(globals(), "Evaluate Spine Detection...", evaluate)
