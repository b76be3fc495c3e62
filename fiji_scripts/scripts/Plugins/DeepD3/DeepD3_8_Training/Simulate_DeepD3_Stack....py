#@ Context context
"""Make stacks as a microscope would show them, of which every dendrite and spine is known; shows the last one."""

from deepd3_command import run
from deepd3_images import new_labels, new_stack
from deepd3_texts import name_of


def simulate(fiji):
    reply, arrays = fiji.call("simulate", {"choices": fiji.choices(), "folder": fiji.value("folder")})
    files = [path for path in reply["files"] if name_of(path) == reply["title"]]
    stack = new_stack(arrays["stack"], reply, reply["title"], files[-1] if files else None)
    fiji.images.display(stack)
    if fiji.value("labels"):
        fiji.images.display(new_labels(arrays["labels"], reply, stack))
        fiji.images.display(stack)
    fiji.say("%d spines, %d of them bright enough to be seen; %d files" % (
        reply["count"], reply["visible"], len(reply["files"])))


run(globals(), "Simulate DeepD3 Stack...", simulate)
