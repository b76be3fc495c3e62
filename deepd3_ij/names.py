"""Names under which images, ROIs and the process say what they are and where they come from.

The properties stay with an image that ImageJ saves as TIFF and with a ROI in its file. The scripts in Fiji use the
same names.
"""

from __future__ import annotations

# What an image is: one of the roles below; a file of one map has the name of the map as its role.
ROLE = "deepd3.role"
STACK, PREDICTION, LABELS, MERGED, PROJECTION = "stack", "prediction", "labels", "merged", "projection"
PROFILE, REGISTERED = "profile", "registered"

# Which image it is, and of which other one it was made.
ID = "deepd3.id"
SOURCE_ID = "deepd3.source_id"

# Where its pixels come from, and how large they are exactly.
SOURCE = "deepd3.source"
PROVENANCE = "deepd3.provenance"
VOXEL_SIZE = "deepd3.voxel_size_um"

# What goes with it: where its ROIs come from, settings that a live test handed over.
ROIS_PROVENANCE = "deepd3.rois_provenance"
ROI_PARAMETERS = "deepd3.roi3d_parameters"

# While it is open: plane, row and column at which the next live test begins, whether one is open on it.
TEST_AT = "deepd3.test_at"
TESTING = "deepd3.testing"

# Of a ROI: the spine that it belongs to, whether it stands for itself in its plane (2), the table of an annotation,
# the image in whose pixels and planes it is; its SOURCE is that image's. What shows a spine's shape is no spine itself:
# which part of it (line, head, base), and for a line the places of its corners as they were drawn.
ROI_ID = "deepd3.id"
ROI_DIMENSIONS = "deepd3.dimensions"
ANNOTATION = "deepd3.annotation"
ROI_IMAGE = "deepd3.image"
ROI_SHAPE = "deepd3.shape"
ROI_DRAWN = "deepd3.drawn"

# Of a ROI in a series of time points: its track, and what happened to the spine.
ROI_TRACK = "deepd3.track"
ROI_CHANGE = "deepd3.change"

# Channel and time point (from 1) of the stack that a prediction was made of, where there are several.
CHANNEL, FRAME = "deepd3.channel", "deepd3.frame"

# What a person decided about a spine that is looked at again.
KEPT, REDRAWN = "kept", "redrawn"

# The service that Python offers to scripts, the version of the package, and how the last command ended.
SERVICE = "deepd3.service"
VERSION = "deepd3.version"
OUTCOME = "deepd3.outcome"
CALLED = "deepd3.called"  # the command that a program runs, which nobody is asked about
FIRST_VALUES = "deepd3.first_values"  # of the next dialog: its command, and the fields that it begins with
DONE, CANCELLED, FAILED = "done", "cancelled", "failed"  # "failed: " and why
