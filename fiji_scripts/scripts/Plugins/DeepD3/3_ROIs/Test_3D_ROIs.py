#@ Context context
#@ ImagePlus (required=false, label="Prediction or stack") image
"""Try 3-D ROI parameters: click into the image, move the sliders, see the ROIs at once."""

import deepd3_fiji as deepd3


def test(fiji):
    if deepd3.headless():
        raise deepd3.DeepD3Error("Test 3D ROIs needs windows; without them, call Build 3D ROIs... with other values.")
    from deepd3_live import LiveTest  # its dialog's classes cannot be loaded without windows
    LiveTest(fiji, fiji.image(image)).start()


deepd3.run(context, "Test 3D ROIs", test)
