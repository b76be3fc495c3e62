#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Measure the ROIs as they are now and the dendrites; shows two tables."""

from deepd3_command import IMAGE, run
from deepd3_results import MEASURED, gathered
from deepd3_tables import show_tables


def measure(fiji):
    values, arrays = gathered(fiji, fiji.image, MEASURED)
    values.pop("shape")
    reply, tables = fiji.call("measure", dict(values, choices=fiji.choices()), arrays)
    show_tables(reply, tables, fiji.image)


run(globals(), "Measure Dendrites and Spines...", measure, IMAGE)
