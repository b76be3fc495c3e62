#@ Context context
"""Tell the steps in their order."""

from deepd3_command import run

HELP = (
    "1. Open a stack (File > Open... or DeepD3 1 Stack > Open DeepD3 Stack...); set its voxel size if it has none.",
    "2. Segment Dendrites and Spines... shows their probabilities; Clean DeepD3 Prediction... removes what is too "
    "small or too far from a dendrite.",
    "3. Build 3D ROIs... finds spines. Test 3D ROIs shows at once what its settings do. Correct the ROIs in the ROI "
    "Manager.",
    "4. Measure Dendrites and Spines... makes the tables.",
    "5. Show ... gives views, 6. Export ... writes files, 7. Save ... keeps everything beside the stack.",
    "8. Training makes a model of your own from annotated stacks.",
    "Analyze Dendrites and Spines... does all at once, DeepD3 Batch... for a folder. Esc stops. DeepD3 Settings... "
    "chooses the default model. DeepD3 Setup... makes the Python environment that does the work, once.",
)


def show_help(fiji):
    fiji.report("DeepD3, step by step", HELP)


run(globals(), "DeepD3 Help...", show_help)
