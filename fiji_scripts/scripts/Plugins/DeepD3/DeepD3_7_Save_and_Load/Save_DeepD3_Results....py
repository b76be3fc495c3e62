#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Save prediction and ROIs (.prediction, .rois), as a rule beside the stack, where Open DeepD3 Stack... finds them."""

from deepd3_command import IMAGE, run
from deepd3_results import save


def save_results(fiji):
    save(fiji)


run(globals(), "Save DeepD3 Results...", save_results, IMAGE)
