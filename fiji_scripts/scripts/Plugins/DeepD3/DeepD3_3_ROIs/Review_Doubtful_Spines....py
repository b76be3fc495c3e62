#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Go through the spines from the most doubtful on: keep, delete, redraw or leave each, with a key."""

from deepd3_command import IMAGE, headless, run
from deepd3_errors import DeepD3Error
from deepd3_results import doubtful


def review(fiji):
    if headless():
        raise DeepD3Error("Reviewing needs windows; without them, use Keep Spines... and Delete Spines...")
    ids = doubtful(fiji, fiji.image, fiji.value("again"))[:fiji.value("most")]
    from deepd3_panel import show_review  # without windows, its classes cannot be loaded
    show_review(fiji.context, fiji.image, ids)


run(globals(), "Review Doubtful Spines...", review, IMAGE)
