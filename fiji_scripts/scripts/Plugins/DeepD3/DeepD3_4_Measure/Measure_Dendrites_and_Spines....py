#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Measure the ROIs as they are now and the dendrites; shows two tables, and shapes over the images."""

from deepd3_command import IMAGE, run
from deepd3_results import measured
from deepd3_tables import measured_summary


def measure(fiji):
    fiji.say(measured_summary(*measured(fiji, fiji.image)))


run(globals(), "Measure Dendrites and Spines...", measure, IMAGE)
