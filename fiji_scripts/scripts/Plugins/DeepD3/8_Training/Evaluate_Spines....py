#@ Context context
#@ File (label="Detected spines (table of Export Tables..., CSV)", style="file", persistKey="deepd3.evaluate.detected") detected
#@ File (label="Annotated spines (CSV)", style="file", persistKey="deepd3.evaluate.truth") truth
#@ String (label="Traced dendrites (SWC)", required=false, value="", persist=false, description="Unmatched detections far from them do not count.") dendrites
#@ String (label="File for the scores (.json; empty: beside the first table)", required=false, value="", persist=false) report
#@ Double (label="Pixel size (micron, 0: from the tables)", value=0.0, min=0.0, max=1000.0, stepSize=0.001, style="format:0.0000", persist=false) pixel_um
#@ Double (label="Distance of planes (micron, 0: from the tables)", value=0.0, min=0.0, max=1000.0, stepSize=0.01, style="format:0.0000", persist=false) plane_um
#@ Double (label="Xy (micron)", value=1.2, min=0.0, max=1000.0, stepSize=0.001, style="format:0.0000", persistKey="deepd3.evaluate.xy_um", description="Largest distance in the plane of a match.") xy_um
#@ Double (label="Z planes", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.evaluate.z_planes", description="Largest distance in planes of a match.") z_planes
#@ Double (label="Within (micron)", value=2.5, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.evaluate.within_um", description="With a traced dendrite: unmatched detections farther away do not count.") within_um
#@ Double (label="Trace z planes", value=3.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.evaluate.trace_z_planes", description="With a traced dendrite: the same along z.") trace_z_planes
"""Compare detected with annotated spines: recall, precision, F1."""

import deepd3_fiji as deepd3


def evaluate(fiji):
    reply, _ = fiji.call("evaluate", {
        "detected": detected.getAbsolutePath(), "truth": truth.getAbsolutePath(),
        "dendrites": deepd3.path_of(dendrites), "report": deepd3.path_of(report),
        "xy_um": pixel_um or None, "z_um": plane_um or None,
        "choice": fiji.choice("EvaluationParameters", globals())})
    scores = reply["scores"]
    fiji.report("Detected and annotated spines", [
        "recall %s, precision %s, F1 %s" % tuple(
            "-" if scores[name] is None else "%.3f" % scores[name] for name in ("recall", "precision", "f1")),
        "%d of %d annotated spines were found; %d detections are none of them" % (
            scores["matched"], scores["truth"], scores["false_positives"]),
        "%d detections far from every traced dendrite do not count" % scores["ignored"],
        "Written: " + reply["file"]])


deepd3.run(context, "Evaluate Spines", evaluate)
