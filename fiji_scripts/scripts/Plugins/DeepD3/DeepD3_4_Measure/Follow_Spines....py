#@ Context context
"""Follow the spines of several time points: links, states, tables, and a window on a registered hyperstack."""

from deepd3_command import headless, in_macro, run


def follow(fiji):
    names = ("source", "times", "target", "model", "xy_um", "z_um", "overwrite")
    reply, _ = fiji.call("follow_spines", dict([(name, fiji.value(name)) for name in names], choices=fiji.choices()))
    changes = ["%d gained, %d lost" % (pair["gained"], pair["lost"]) for pair in reply["summary"]]
    fiji.say("%d spines followed at %d time points (%s); files in %s" % (
        len(reply["tracks"]), len(reply["time_points"]), "; ".join(changes), fiji.value("target")))
    if headless() or not reply["hyperstack"]:
        return
    if in_macro():
        from deepd3_follow_image import FollowedImage  # without windows, its classes cannot be loaded
        from deepd3_follow_series import Series
        FollowedImage(Series(reply)).show()
    else:
        from deepd3_follow import show_followed  # likewise
        show_followed(fiji.context, fiji.typed_texts(), reply)


run(globals(), "Follow Spines...", follow)
