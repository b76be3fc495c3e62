#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Make two spines of one: along a line that is drawn on the image, else at its waist."""

from deepd3_command import IMAGE, run
from deepd3_editing import corners_of, drawn_line, split
from deepd3_errors import DeepD3Error
from deepd3_spines import Spines


def split_spine(fiji):
    spines = Spines(fiji.images, fiji.image)
    ids = fiji.chosen_spines(spines)
    if len(ids) != 1:
        raise DeepD3Error(u"%d spines are chosen; choose one to split." % len(ids))
    text = fiji.value("line")
    line = [number for corner in corners_of(text) for number in corner] if text else drawn_line(fiji.image)
    fiji.say(split(spines, fiji.call, ids[0], line))


run(globals(), "Split Spine...", split_spine, IMAGE)
