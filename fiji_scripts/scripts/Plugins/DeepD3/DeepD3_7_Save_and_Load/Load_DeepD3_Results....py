#@ Context context
#@ ImagePlus (required=false, persist=false, label="Stack") image
"""Load a saved prediction or saved ROIs onto the active image."""

from deepd3_command import run
from deepd3_results import load


def load_results(fiji):
    load(fiji, fiji.image, fiji.value("path"))


run(globals(), "Load DeepD3 Results...", load_results)
