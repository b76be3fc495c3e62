#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ File (label="Table (CSV) with X, Y and Z or Pos in pixels and planes from 0", style="file", persistKey="deepd3.annotations.path") path
"""Show annotated spine positions as blue points, in their plane and the planes next to it."""

import deepd3_fiji as deepd3


def import_annotations(fiji):
    shown = fiji.image(image)
    _, arrays = fiji.call("import_annotations", {"path": path.getAbsolutePath()})
    count = deepd3.show_annotations(shown, arrays["positions"], path.getName())
    fiji.say("%d annotated positions inside of the image" % count)


deepd3.run(context, "Import Annotations", import_annotations)
