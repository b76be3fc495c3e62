#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""KIND_HELP"""

from deepd3_command import IMAGE, run
from deepd3_results import export


def export_kind(fiji):
    export(fiji, "KIND_NAME", ("KIND_NEEDS",))


run(globals(), "Export DeepD3 KIND_TITLE...", export_kind, IMAGE)
