#@ Context context
#@ File (label="Training set (.d3set)", style="file", persistKey="deepd3.train.set") training
#@ String (label="Set of other stacks, for validation (.d3set)", required=false, value="", persist=false, description="Chooses the best weights and calibrates the thresholds; without it, the training stacks do the latter.") validation
#@ String (label="Model to write (.keras; empty: into the folder of models)", required=false, value="", persist=false) out
#@ Boolean (label="Use it for 'default' from now on", value=false, persist=false, description="DeepD3 Settings... changes it back.") use
#@ Double (label="Target resolution (micron, 0: as the stacks are)", value=0.0, min=0.0, max=1000.0, stepSize=0.001, style="format:0.0000", persistKey="deepd3.train.target_resolution_um", description="Pixel size to which all stacks are resampled; without it, stacks keep theirs and must agree.") target_resolution_um
#@ Boolean (label="Go on where a training was stopped", value=false, persist=false, description="Of the same model file and settings; the number of batches may differ.") resume
#@ Integer (label="Filters", value=8, min=1, max=256, persistKey="deepd3.train.filters", description="Filters of the first block: 8, 16 or 32 are usual.") filters
#@ Integer (label="Steps (batches)", value=3000, min=1, max=10000000, persistKey="deepd3.train.steps", description="Number of batches.") steps
#@ Integer (label="Batch (tiles)", value=16, min=1, max=4096, persistKey="deepd3.train.batch", description="Tiles in a batch.") batch_size
#@ Integer (label="Tile (px)", value=128, min=16, max=4096, persistKey="deepd3.train.tile_px", description="Side of a tile (a multiple of 16).") tile_px
#@ Double (label="Learning rate", value=0.0012, min=1e-08, max=1.0, stepSize=0.0001, style="format:0.0000000", persistKey="deepd3.train.learning_rate", description="Learning rate of Adam at the start.") learning_rate
#@ String (label="Schedule", choices={"constant", "cosine", "exponential"}, value="cosine", persistKey="deepd3.train.schedule", description="'cosine' falls to zero over the second half, 'exponential' by a tenth per thirtieth of the training over the second half, 'constant' stays.") schedule
#@ String (label="Dendrite loss", choices={"dice", "mse", "bce", "dice+bce"}, value="dice", persistKey="deepd3.train.dendrite_loss", description="Loss of the dendrite map.") dendrite_loss
#@ String (label="Spine loss", choices={"dice", "mse", "bce", "dice+bce"}, value="dice+bce", persistKey="deepd3.train.spine_loss", description="Loss of the spine map.") spine_loss
#@ Double (label="Averaging", value=0.998, min=0.0, max=0.99999, stepSize=0.001, style="format:0.00000", persistKey="deepd3.train.averaging", description="Share of the earlier average in the running mean of the weights that is validated and saved; 0 saves the weights as they are.") averaging
#@ String (label="Precision", choices={"float32", "mixed_bfloat16", "mixed_float16"}, value="float32", persistKey="deepd3.train.precision", description="Arithmetic of the layers; 'mixed_bfloat16' and 'mixed_float16' are faster where the processor has them.") precision
#@ Integer (label="Validate every (batches)", value=250, min=1, max=1000000, persistKey="deepd3.train.validate_every", description="Batches between two validations and checkpoints.") validate_every
#@ Integer (label="Patience", value=0, min=0, max=100000, persistKey="deepd3.train.patience", description="Stop after this many validations without a better one; 0 never stops early.") patience
#@ Integer (label="Seed", value=1, min=0, max=2147483647, persistKey="deepd3.train.seed", description="Seed of the weights and of the samples.") seed
"""Train a model on a set. Takes minutes to hours; Esc stops it, and it can be resumed from its last validation."""

import deepd3_fiji as deepd3


def train(fiji):
    reply, _ = fiji.call("train", {
        "training": training.getAbsolutePath(), "validation": deepd3.path_of(validation), "out": deepd3.path_of(out),
        "target_resolution_um": target_resolution_um or None, "resume": resume,
        "choice": fiji.choice("TrainingParameters", globals())})
    if use:
        fiji.settings.write("model", reply["model"])
    fiji.display(deepd3.opened(reply["curve"]))
    fiji.report("The model is trained", ["Written: " + reply["model"]] + [
        "%s: %s" % item for item in sorted(reply["scores"].items())] + [
        "Segment Dendrites and Spines... uses it as " + ("'default'." if use else "'Model file instead'.")])


deepd3.run(context, "Train Model", train)
