#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Write all files of an analysis: maps, ROIs, tables, overview, .prediction and .rois."""

from deepd3_command import IMAGE, run
from deepd3_results import MEASURED, export


def export_all(fiji):
    export(fiji, "everything", MEASURED)


run(globals(), "Export All DeepD3 Results...", export_all, IMAGE)
