// Finds the spines of the active image, waits while you correct the ROIs in the ROI Manager, then measures and saves.
//
// Plugins > Macros > Run...; the results go beside the image's file.
// Correct: delete, redraw or add ROIs (press t), then click OK in the waiting window.

if (nImages == 0) exit("Open a stack first.");
step("Segment Dendrites and Spines...", "model=default");
step("Clean Predictions...", "recommended=true preview=false");
step("Build 3D ROIs...", "recommended=true");
waitForUser("DeepD3 Review", "Correct the ROIs in the ROI Manager, then click OK.");
step("Measure Spines...", "recommended=true");
step("Save DeepD3 Results...", "");
step("Export Tables...", "recommended=true");

function step(command, parameters) {
	run(command, parameters);
	outcome = call("java.lang.System.getProperty", "deepd3.outcome", "failed: " + command + " did not run");
	if (outcome != "done") exit(command + " " + outcome);
}
