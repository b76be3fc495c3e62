// Finds the spines of the active image, waits while you correct the ROIs in the ROI Manager, then measures and saves.
//
// Plugins > Macros > Run...; the results go beside the image's file.
// Correct: delete, redraw or add ROIs (press t), then click OK in the waiting window.

// A field that is not named has the value that the model recommends, else its default. To change one, name it, for
// example step("Build 3D ROIs...", "area_threshold=0.3 min_voxels=10"); the macro recorder writes such lines.

if (nImages == 0) exit("Open a stack first.");
step("Segment Dendrites and Spines...", "");
step("Clean DeepD3 Prediction...", "");
step("Build 3D ROIs...", "");
waitForUser("DeepD3 Review", "Correct the ROIs in the ROI Manager, then click OK.");
step("Measure Dendrites and Spines...", "");
step("Save DeepD3 Results...", "");
step("Export DeepD3 Tables...", "");

function step(command, parameters) {
	run(command, parameters);
	outcome = call("java.lang.System.getProperty", "deepd3.outcome", "failed: " + command + " did not run");
	if (outcome != "done") exit(command + " " + outcome);
}
