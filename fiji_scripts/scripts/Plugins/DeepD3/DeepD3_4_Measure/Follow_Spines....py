#@ Context context
"""Follow the same spines over several time points: which were gained, which lost; links can be corrected."""

from deepd3_command import headless, in_macro, run
from deepd3_followed import followed, summary_of


def follow(fiji):
    values, reply = followed(fiji)
    if reply["spines"] and not headless():
        if in_macro():
            from deepd3_follow_image import FollowedImage  # without windows, its classes cannot be loaded
            from deepd3_follow_series import Series
            FollowedImage(Series(reply)).show()
        else:
            from deepd3_follow import show_followed  # likewise
            show_followed(fiji.context, values, reply)
    fiji.say(summary_of(reply))


run(globals(), "Follow Spines...", follow)
