#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the spines of the active image in a table beside it, to check and correct them."""

from deepd3_command import IMAGE, headless, run
from deepd3_errors import DeepD3Error


def show(fiji):
    if headless():
        raise DeepD3Error("The spine panel needs windows; without them, use Delete Spines..., Merge Spines..., "
                          "Split Spine... and Add Spine...")
    from deepd3_panel import show_panel  # without windows, its classes cannot be loaded
    show_panel(fiji.context, fiji.image)


run(globals(), "Spine Panel", show, IMAGE)
