#@ Context context
#@ ImagePlus (required=false, label="Stack") image
#@ String (label="Model", choices={"default", "deepd3_ij_8F", "DeepD3_8F", "DeepD3_16F", "DeepD3_32F", "DeepD3_8F_94nm", "DeepD3_16F_94nm", "DeepD3_32F_94nm"}, value="default", persistKey="deepd3.model", description="The default model of DeepD3 Settings... (if none is set, the one that comes with DeepD3), or one of the Model Zoo after it was got with DeepD3 Models...") model
#@ String (label="Model file instead (.keras, .h5)", required=false, value="", persist=false, description="A model of your own; leave it empty to use the model above.") model_file
#@ String (label="Tiling", choices={"seamless", "plane", "inset", "fourfold"}, value="seamless", persistKey="deepd3.segment.tiling", description="How planes are cut for the network: 'seamless' equals the whole plane at bounded memory; 'plane' predicts whole planes; 'inset' and 'fourfold' are the original's tilings.") tiling
#@ Integer (label="Tile (px)", value=128, min=16, max=4096, persistKey="deepd3.segment.tile_px", description="Side of a tile ('inset' and 'fourfold'; a multiple of 16).") tile_px
#@ Integer (label="Inset (px)", value=96, min=2, max=4096, persistKey="deepd3.segment.inset_px", description="Side of the centre of a tile that is kept ('inset' and 'fourfold').") inset_px
#@ String (label="Padding", choices={"mean", "min"}, value="mean", persistKey="deepd3.segment.padding", description="Value around the stack ('inset' and 'fourfold'): its mean or its minimum.") padding
#@ Boolean (label="Resample", value=true, persistKey="deepd3.segment.resample", description="Resample planes to the model's training resolution, if its card names one, and the maps back.") resample
#@ Double (label="Z sigma (micron)", value=0.0, min=0.0, max=10.0, stepSize=0.1, persistKey="deepd3.segment.z_sigma_um", description="Standard deviation of a Gaussian average over neighbouring planes before prediction; against noise, for models that were trained with it.") z_sigma_um
#@ Integer (label="First plane", value=1, min=1, persist=false, description="Planes before it are not segmented.") first_plane
#@ Integer (label="Last plane (0: the last one)", value=0, min=0, persist=false, description="Planes after it are not segmented.") last_plane
"""Find dendrites and spines in the active stack; shows their probabilities as an image of its own."""

import deepd3_fiji as deepd3


def segment(fiji):
    stack = fiji.stack(image)
    reply, arrays = fiji.call("segment", {
        "image": deepd3.describe(stack), "model": fiji.model(model, model_file),
        "choice": fiji.choice("PredictionParameters", globals(), {}),
        "first_plane": first_plane, "last_plane": last_plane or None}, {"stack": deepd3.pixels(stack)})
    fiji.display(deepd3.new_prediction(arrays, reply, stack))


deepd3.run(context, "Segment Dendrites and Spines", segment)
