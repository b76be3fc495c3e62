#@ Context context
#@ ImagePlus (required=false, persist=false, label="Stack") image
"""Make training data of a stack and its annotation, or of a box in it.

A user gets a window beside the stack; macros, and a user without a stack, the form, which shows what was cut out.
"""

from deepd3_command import run
from deepd3_images import file_of, new_picture, no_image
from deepd3_texts import without_ending


def create(fiji):
    path = fiji.value("stack") or _file_of_stack(fiji)
    last_plane = fiji.value("last_plane")
    choices = fiji.choices()
    choices["typed"].setdefault("TrainingDataParameters", {}).update(
        z_begin=fiji.value("first_plane") - 1, z_end=None if last_plane is None else last_plane - 1)
    reply, arrays = fiji.call("create_training_data", dict(
        fiji.file_part(), stack=path, dendrites=fiji.value("dendrites"), spines=fiji.value("spines"), choices=choices,
        out=fiji.value("out") or without_ending(path) + ".d3data"))
    fiji.images.display(new_picture(arrays["picture"], reply["file"]))
    fiji.say("wrote %s: %d planes of %d x %d pixels" % tuple([reply["file"]] + reply["shape"]))


def _file_of_stack(fiji):
    if fiji.image is None:
        raise no_image()
    return file_of(fiji.images.stack(fiji.image))


def annotate(fiji):
    from deepd3_annotator import annotate  # without windows, its classes cannot be loaded
    annotate(fiji.context, fiji.images.stack(fiji.image))


run(globals(), "Create DeepD3 Training Data...", create, window=annotate)
