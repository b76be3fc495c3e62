#@ Context context
#@ File (label="Training data (.d3data or .d3set)", style="file", persistKey="deepd3.data.shown") path
"""Tell what training data hold, and show a picture of the first stack: left as it is, right with its masks."""

import deepd3_fiji as deepd3


def show(fiji):
    reply, arrays = fiji.call("describe_training_data", {"path": path.getAbsolutePath()})
    fiji.display(deepd3.new_picture(arrays["picture"], path.getName()))
    fiji.report("%d stacks in %s" % (len(reply["stacks"]), path.getName()), [
        ", ".join("%s %s" % item for item in sorted(stack.items())) for stack in reply["stacks"]])


deepd3.run(context, "Show Training Data", show)
