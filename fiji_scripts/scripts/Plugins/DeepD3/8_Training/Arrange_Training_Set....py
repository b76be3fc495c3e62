#@ Context context
#@ File (label="Folder with .d3data files", style="directory", persistKey="deepd3.arrange.source") source
#@ String (label="Files", value="**/*.d3data", persistKey="deepd3.arrange.pattern", description="** stands for all folders below") pattern
#@ File (label="Set to write (.d3set)", style="save", persistKey="deepd3.arrange.out") out
"""Arrange the training data below a folder, in the order of their names, to one set."""

import deepd3_fiji as deepd3


def arrange(fiji):
    reply, _ = fiji.call("arrange_training_data", {
        "source": source.getAbsolutePath(), "pattern": pattern, "out": out.getAbsolutePath()})
    fiji.say("wrote %s with %d stacks" % (reply["file"], len(reply["files"])))


deepd3.run(context, "Arrange Training Set", arrange)
