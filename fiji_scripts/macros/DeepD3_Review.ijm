// Finds the spines of the active image, waits while you correct the ROIs in the ROI Manager, then measures and saves.
//
// Plugins > Macros > Run...; the results go beside the image's file.
// Correct: delete, redraw or add ROIs (press t), then click OK in the waiting window.

// What the commands do; every field is named, so that no dialog asks. With recommended=true, a value that is the
// dialog's default gives way to what the model recommends.
var segment = "model=default model_file=[] tiling=seamless tile_px=128 inset_px=96 padding=mean resample=true " +
	"z_sigma_um=0.0 first_plane=1 last_plane=0";
var clean = "closing=true closing_iterations=3 clean_dendrite=true dendrite_dimensions=3 dendrite_threshold=0.7 " +
	"min_dendrite_voxels=100 clean_spines=true spine_distance_um=2.0 recommended=true preview=false";
var build = "mode=floodfill area_threshold=0.25 peak_threshold=0.8 seed_delta=0.2 distance_um=2.0 min_voxels=20 " +
	"max_voxels=1000 min_planes=1 min_peak=0.0 sigma_px=0.0 dilation=0 watershed=false recommended=true";
var measure = "dendrite_threshold=0.5 min_dendrite_um=2.0 background_um=1.0 recommended=true";

if (nImages == 0) exit("Open a stack first.");
step("Segment Dendrites and Spines...", segment);
step("Clean Predictions...", clean);
step("Build 3D ROIs...", build);
waitForUser("DeepD3 Review", "Correct the ROIs in the ROI Manager, then click OK.");
step("Measure Spines...", measure);
step("Save DeepD3 Results...", "folder=[]");
step("Export Tables...", "folder=[] " + measure);

function step(command, parameters) {
	run(command, parameters);
	outcome = call("java.lang.System.getProperty", "deepd3.outcome", "failed: " + command + " did not run");
	if (outcome != "done") exit(command + " " + outcome);
}
