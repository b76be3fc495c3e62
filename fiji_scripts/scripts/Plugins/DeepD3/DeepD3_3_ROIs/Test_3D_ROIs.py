#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction or stack") image
"""Try 3-D ROI parameters: click into the image, move the sliders, see the ROIs at once."""

from deepd3_command import IMAGE, headless, run
from deepd3_errors import DeepD3Error


def test(fiji):
    if headless():
        raise DeepD3Error("Test 3D ROIs needs windows; without them, call Build 3D ROIs... with other values.")
    from deepd3_live import LiveTest  # its dialog's classes cannot be loaded without windows
    LiveTest(fiji, fiji.image).start()


run(globals(), "Test 3D ROIs", test, IMAGE)
