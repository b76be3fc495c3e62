#@ Context context
"""Follow the spines of several time points: links, states, tables, and a window on a registered hyperstack."""

from deepd3_command import headless, run


def follow(fiji):
    names = ("source", "times", "target", "model", "xy_um", "z_um", "overwrite")
    values = dict([(name, fiji.value(name)) for name in names], choices=fiji.choices())
    reply, _ = fiji.call("follow_spines", values)
    changes = ["%d gained, %d lost" % (pair["gained"], pair["lost"]) for pair in reply["summary"]]
    fiji.say("%d spines followed at %d time points (%s); files in %s" % (
        len(reply["tracks"]), len(reply["time_points"]), "; ".join(changes), fiji.value("target")))
    if not headless() and reply["hyperstack"]:
        from deepd3_events import on_event_thread  # without windows, its classes cannot be loaded
        from deepd3_follow import show_followed
        on_event_thread(lambda: show_followed(fiji.context, reply, values))


run(globals(), "Follow Spines...", follow)
