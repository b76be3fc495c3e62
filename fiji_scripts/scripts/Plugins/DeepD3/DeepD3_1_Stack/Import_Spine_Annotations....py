#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show annotated spine positions as blue points, in their plane and the planes next to it."""

from deepd3_command import IMAGE, run
from deepd3_rois import show_annotations
from deepd3_texts import name_of


def import_annotations(fiji):
    _, arrays = fiji.call("import_annotations", {"path": fiji.value("path")})
    count = show_annotations(fiji.image, arrays["positions"], name_of(fiji.value("path")))
    fiji.say("%d annotated positions inside of the image" % count)


run(globals(), "Import Spine Annotations...", import_annotations, IMAGE)
