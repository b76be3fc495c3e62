// Analyzes all images of a folder and of the folders in it, one after the other, with DeepD3's commands.
//
// With windows:     Plugins > Macros > Run..., then choose the folders.
// Without windows:  ImageJ --headless --console -macro DeepD3_Folder.ijm "input=[/stacks] output=[/results]"
//
// Options: input=[folder] output=[folder] suffix=.tif keep_tree=true skip_done=true
// An image that fails does not stop the others; the failures are listed at the end.

// A field that is not named has the value that the model recommends, else its default. To change one, name it, for
// example step("Build 3D ROIs...", "area_threshold=0.3 min_voxels=10"); the macro recorder writes such lines.

var options = getArgument();
var input = option("input", "");
var output = option("output", "");
var suffix = option("suffix", ".tif");
var keepTree = option("keep_tree", "true");
keepTree = (keepTree == "true");
var skipDone = option("skip_done", "true");
skipDone = (skipDone == "true");
if (input == "" || output == "") {
	Dialog.create("DeepD3 Folder");
	Dialog.addDirectory("Folder with images", input);
	Dialog.addDirectory("Folder for results", output);
	Dialog.addString("Images end with", suffix);
	Dialog.addCheckbox("Keep the folder tree", keepTree);
	Dialog.addCheckbox("Skip what is done", skipDone);
	Dialog.show();
	input = Dialog.getString();
	output = Dialog.getString();
	suffix = Dialog.getString();
	keepTree = Dialog.getCheckbox();
	skipDone = Dialog.getCheckbox();
}
input = withoutEnd(input);
output = withoutEnd(output);
if (!File.isDirectory(input)) exit("The folder with images, " + input + ", does not exist.");
makeFolder(output);

var done = 0;
var skipped = 0;
var failures = newArray(0);
setBatchMode(true);
processFolder("");
print("DeepD3 Folder: " + done + " done, " + skipped + " skipped, " + failures.length + " failed");
for (i = 0; i < failures.length; i++) print("  " + failures[i]);

function processFolder(below) {
	names = getFileList(input + "/" + below);
	for (i = 0; i < names.length; i++) {
		name = replace(names[i], "\\\\", "/");
		if (endsWith(name, "/")) processFolder(below + name);
		else if (endsWith(toLowerCase(name), toLowerCase(suffix))) processImage(below, name);
	}
}

function processImage(below, name) {
	target = output;
	if (keepTree && below != "") target = withoutEnd(output + "/" + below);
	stem = substring(name, 0, lengthOf(name) - lengthOf(suffix));
	if (skipDone && File.exists(target + "/" + stem + "_spines.csv")) {
		skipped = skipped + 1;
		return;
	}
	makeFolder(target);
	problem = step("Open DeepD3 Stack...", "path=[" + input + "/" + below + name + "] saved=false");
	if (problem == "") problem = step("Segment Dendrites and Spines...", "");
	if (problem == "") problem = step("Clean DeepD3 Prediction...", "");
	if (problem == "") problem = step("Build 3D ROIs...", "");
	if (problem == "") problem = step("Export All DeepD3 Results...", "folder=[" + target + "]");
	if (problem == "") done = done + 1;
	else failures = Array.concat(failures, below + name + ": " + problem);
	closeAll();
}

// Runs a command; "" if it did its work, else what went wrong.
function step(command, parameters) {
	run(command, parameters);
	outcome = call("java.lang.System.getProperty", "deepd3.outcome", "failed: " + command + " did not run");
	if (outcome == "done") return "";
	if (outcome == "cancelled") exit("Stopped by the user.");
	return replace(outcome, "failed: ", "");
}

function closeAll() {
	while (nImages > 0) {
		selectImage(nImages);
		close();
	}
}

function makeFolder(path) {
	if (File.isDirectory(path)) return;
	parent = File.getParent(path);
	if (parent != path && !File.isDirectory(parent)) makeFolder(parent);
	File.makeDirectory(path);
}

function withoutEnd(path) {
	path = replace(path, "\\\\", "/");
	while (lengthOf(path) > 1 && endsWith(path, "/")) path = substring(path, 0, lengthOf(path) - 1);
	return path;
}

// Value of name=value or name=[value] in the options.
function option(name, otherwise) {
	start = indexOf(" " + options, " " + name + "=");
	if (start < 0) return otherwise;
	rest = substring(options, start + lengthOf(name) + 1);
	if (startsWith(rest, "[")) return substring(rest, 1, indexOf(rest, "]"));
	end = indexOf(rest, " ");
	if (end < 0) return rest;
	return substring(rest, 0, end);
}
