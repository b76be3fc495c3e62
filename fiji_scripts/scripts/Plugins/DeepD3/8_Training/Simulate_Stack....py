#@ Context context
#@ Integer (label="Seed", value=0, min=0, max=2147483647, persistKey="deepd3.simulate.seed", description="Seed of the first stack; each further one has the next seed.") seed
#@ Integer (label="Count (stacks)", value=1, min=1, max=100000, persistKey="deepd3.simulate.count", description="Number of stacks.") count
#@ String (label="Folder for stacks, masks and tables (empty: write none)", required=false, value="", persist=false) folder
#@ Boolean (label="Also show which voxels are spines", value=true, persistKey="deepd3.simulate.labels") labels
#@ Integer (label="Planes (planes)", value=11, min=1, max=2000, persistKey="deepd3.simulate.planes", description="Number of planes.") planes
#@ Integer (label="Height (px)", value=320, min=16, max=10000, persistKey="deepd3.simulate.height_px", description="Height of a plane.") height_px
#@ Integer (label="Width (px)", value=320, min=16, max=10000, persistKey="deepd3.simulate.width_px", description="Width of a plane.") width_px
#@ Double (label="Xy (micron)", value=0.12, min=0.02, max=1.0, stepSize=0.001, style="format:0.0000", persistKey="deepd3.simulate.xy_um", description="Size of a pixel.") xy_um
#@ Double (label="Z (micron)", value=1.0, min=0.05, max=5.0, stepSize=0.1, persistKey="deepd3.simulate.z_um", description="Distance between planes.") z_um
#@ Double (label="Psf xy (micron)", value=0.4, min=0.1, max=2.0, stepSize=0.1, persistKey="deepd3.simulate.psf_xy_um", description="Lateral width of the point-spread function (full width at half maximum).") psf_xy_um
#@ Double (label="Psf z (micron)", value=2.2, min=0.2, max=10.0, stepSize=0.1, persistKey="deepd3.simulate.psf_z_um", description="Axial width of the point-spread function (full width at half maximum).") psf_z_um
#@ Integer (label="Dendrites", value=2, min=0, max=50, persistKey="deepd3.simulate.dendrites", description="Number of dendrites that run through the volume.") dendrites
#@ Double (label="Dendrite radius (micron)", value=0.4, min=0.1, max=2.0, stepSize=0.1, persistKey="deepd3.simulate.dendrite_radius_um", description="Median radius of a dendrite.") dendrite_radius_um
#@ Double (label="Branching", value=0.3, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.simulate.branching", description="Probability that a dendrite branches.") branching
#@ Double (label="Spine density per (1/micron)", value=0.9, min=0.0, max=5.0, stepSize=0.1, persistKey="deepd3.simulate.spine_density_per_um", description="Mean number of spines per micron of dendrite.") spine_density_per_um
#@ Double (label="Head diameter (micron)", value=0.54, min=0.2, max=1.5, stepSize=0.1, persistKey="deepd3.simulate.head_diameter_um", description="Median diameter of a spine head.") head_diameter_um
#@ Double (label="Neck length (micron)", value=0.6, min=0.1, max=2.0, stepSize=0.1, persistKey="deepd3.simulate.neck_length_um", description="Median length of a spine neck.") neck_length_um
#@ Integer (label="Axons", value=2, min=0, max=100, persistKey="deepd3.simulate.axons", description="Number of thin neurites with boutons.") axons
#@ Integer (label="Blob clusters", value=6, min=0, max=1000, persistKey="deepd3.simulate.blob_clusters", description="Number of clusters of bright blobs that are no spines.") blob_clusters
#@ Integer (label="Clouds", value=4, min=0, max=1000, persistKey="deepd3.simulate.clouds", description="Number of diffuse patches.") clouds
#@ Double (label="Cloud peak (grey levels)", value=10.0, min=0.0, max=65535.0, stepSize=0.1, persistKey="deepd3.simulate.cloud_peak", description="Brightness of the diffuse patches.") cloud_peak
#@ Double (label="Halo", value=0.05, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.simulate.halo", description="Share of scattered light around bright structures.") halo
#@ Double (label="Head peak (grey levels)", value=110.0, min=1.0, max=65535.0, stepSize=0.1, persistKey="deepd3.simulate.head_peak", description="Brightness of a median spine head without noise.") head_peak
#@ Double (label="Background (grey levels)", value=5.0, min=0.0, max=65535.0, stepSize=0.1, persistKey="deepd3.simulate.background", description="Uniform background.") background
#@ Double (label="Gain (grey levels)", value=22.0, min=0.01, max=10000.0, stepSize=0.1, persistKey="deepd3.simulate.gain", description="Mean pulse of one photon.") gain
#@ Double (label="Pulse spread", value=0.7, min=0.01, max=4.0, stepSize=0.1, persistKey="deepd3.simulate.pulse_spread", description="Variance of a photon's pulse relative to its squared mean.") pulse_spread
#@ Double (label="Line smear", value=0.55, min=0.0, max=0.9, stepSize=0.1, persistKey="deepd3.simulate.line_smear", description="Part of a pulse that runs on into the next pixel of the line.") line_smear
#@ Double (label="Read noise (grey levels)", value=1.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.simulate.read_noise", description="Standard deviation of the read noise.") read_noise
#@ Double (label="Offset (grey levels)", value=-0.5, min=-1000.0, max=10000.0, stepSize=0.1, persistKey="deepd3.simulate.offset", description="Grey level of darkness; negative if the digitiser cuts it off.") offset
#@ Integer (label="Bits", value=8, min=8, max=16, persistKey="deepd3.simulate.bits", description="Bits of the digitiser: 8, 12 or 16.") bits
"""Make stacks as a microscope would show them, of which every dendrite and spine is known; shows the last one."""

import deepd3_fiji as deepd3


def simulate(fiji):
    reply, arrays = fiji.call("simulate", {
        "choice": fiji.choice("SimulationParameters", globals()), "series": fiji.choice("SeriesParameters", globals()),
        "folder": deepd3.path_of(folder)})
    stack = deepd3.new_stack(
        arrays["stack"], reply, reply["title"], deepd3.one_of(reply["files"], reply["title"]))
    fiji.display(stack)
    if labels:
        fiji.display(deepd3.new_labels(arrays["labels"], reply, stack))
        fiji.display(stack)
    fiji.say("%d spines, %d of them bright enough to be seen; %d files" % (
        reply["count"], reply["visible"], len(reply["files"])))


deepd3.run(context, "Simulate Stack", simulate)
