"""Every parameter of every operation: name, default, range, unit, help.

The Python API, the command line, the Fiji dialogs and the reference in the docs are all
made from these dataclasses. Values are checked when an instance is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters.fields import Parameters, parameter
from deepd3_ij.parameters.presets import BALANCED, ROI_PRESETS


@dataclass(frozen=True)
class VoxelSizeParameters(Parameters):
    """Voxel size of a stack whose file does not tell it."""

    xy_um: float = parameter(0.094, "Size of a pixel.", low=1e-4, high=1000, unit="um", label="Pixel size",
                             option="--xy")
    z_um: float = parameter(0.5, "Distance between planes.", low=1e-4, high=1000, unit="um",
                            label="Distance between planes", option="--z")


@dataclass(frozen=True)
class ChannelParameters(Parameters):
    """Which part of a file with several channels or time points a Fiji user means (counted from 1)."""

    channel: int = parameter(1, "Channel, counted from 1.", low=1, high=10_000)
    frame: int = parameter(1, "Time point, counted from 1.", low=1, high=1_000_000, label="Time point")


@dataclass(frozen=True)
class AnalysisParameters(Parameters):
    """Which steps an analysis takes."""

    cleaning: bool = parameter(True, "Clean the probability maps before ROIs are built.", option="--clean",
                               label="Clean predictions")
    roi_dimensions: str = parameter("3d", "ROIs through planes ('3d'), or plane by plane ('2d').", choices=("3d", "2d"),
                                    option="--rois", label="ROIs")


@dataclass(frozen=True)
class BatchParameters(Parameters):
    """Which stacks of a folder are analyzed, and how they are shared out."""

    pattern: str = parameter("**/*", "Which files, without regard to case, e.g. **/cell*.tif; ** stands for all "
                             "folders below. Of these, all that are stacks.", label="Files")
    again: bool = parameter(False, "Also redo stacks that are done with the same settings.",
                            label="Redo what is done")
    overwrite: bool = parameter(False, "Also redo stacks whose results were changed after DeepD3 wrote them, e.g. ROIs "
                                "corrected by hand, and replace other files of their names.", label="Overwrite")
    workers: int = parameter(1, "How many stacks are analyzed side by side, each by a process of its own; they share "
                             "the processors. 0: one after the other, in this process.", low=0, high=256,
                             label="Side by side")
    table: str | None = parameter(None, "Table (CSV) with settings of single stacks: a column file, with paths below "
                                  "the folder, and columns such as xy, z, channel or names of parameters.", path="file",
                                  label="Settings of single stacks")
    take_over: bool = parameter(False, "Begin although another run seems to work in the folder for results.",
                                label="Take over")


TILINGS = ("seamless", "plane", "inset", "fourfold")
_TILED = {"tiling": ("inset", "fourfold")}


@dataclass(frozen=True)
class PredictionParameters(Parameters):
    """How a stack is cut up for the network."""

    tiling: str = parameter(
        "seamless", "How planes are cut for the network: 'seamless' equals the whole plane at bounded memory; "
        "'plane' predicts whole planes; 'inset' and 'fourfold' are the original's tilings.", choices=TILINGS)
    tile_px: int = parameter(128, "Side of a tile ('inset' and 'fourfold'; a multiple of 16).",
                             low=16, high=4096, unit="px", option="--tile", needs=_TILED, label="Side of a tile")
    inset_px: int = parameter(96, "Side of the centre of a tile that is kept ('inset' and 'fourfold').",
                              low=2, high=4096, unit="px", option="--inset", needs=_TILED,
                              label="Kept centre of a tile")
    padding: str = parameter("mean", "Value around the stack ('inset' and 'fourfold'): its mean or its minimum.",
                             choices=("mean", "min"), needs=_TILED, label="Value around the stack")
    resample: bool = parameter(True, "Resample planes to the model's training resolution, if its card names one, "
                               "and the maps back.", label="Resample to the model's pixel size")
    z_sigma_um: float = parameter(0.0, "Standard deviation of a Gaussian average over neighbouring planes before "
                                  "prediction; against noise, for models that were trained with it.",
                                  low=0, high=10, unit="um", option="--z-sigma", label="Average along z")
    align_planes: bool = parameter(False, "Move neighbouring planes sideways to where they fit best before they are "
                                   "averaged, for tissue that moved while it was scanned; maps stay in the stack's "
                                   "coordinates.", label="Align planes for the average")
    skip_empty: bool = parameter(True, "Do not compute where a plane is darker than anything that the model finds "
                                 "('seamless' and 'plane', models whose card tells it); maps are 0 there.",
                                 label="Skip what is empty")

    def check(self) -> None:
        if self.tiling in ("inset", "fourfold"):
            if self.tile_px % 16:
                raise ParameterError(f"tile_px is {self.tile_px}; accepted: a multiple of 16.")
            if self.inset_px > self.tile_px or (self.tile_px - self.inset_px) % 2:
                raise ParameterError(f"inset_px is {self.inset_px}; accepted: at most tile_px ({self.tile_px}) and "
                                     "smaller by an even number.")


@dataclass(frozen=True)
class CleaningParameters(Parameters):
    """How probability maps are cleaned before ROIs are built."""

    closing: bool = parameter(True, "Connect nearby pieces of dendrite (grey closing).", label="Connect dendrite")
    closing_iterations: int = parameter(3, "Reach of the closing: dilations, then as many erosions.",
                                        low=1, high=100, unit="px", needs={"closing": True},
                                        label="Reach of connecting")
    clean_dendrite: bool = parameter(True, "Remove small dendrite pieces.", label="Remove small dendrite pieces")
    dendrite_dimensions: int = parameter(3, "Find dendrite pieces in 3-D, or plane by plane (2).", low=2, high=3,
                                         needs={"clean_dendrite": True}, label="Dimensions of a piece (2 or 3)")
    dendrite_threshold: float = parameter(0.7, "Dendrite probability above which a pixel is dendrite.",
                                          low=0, high=1)
    min_dendrite_voxels: int = parameter(100, "Smallest dendrite piece that is kept (plane by plane: "
                                     "pieces must be larger than this).", low=1, high=1_000_000_000, unit="voxels",
                                     needs={"clean_dendrite": True}, label="Smallest dendrite piece")
    clean_spines: bool = parameter(True, "Remove spine probability far from any dendrite.",
                                   label="Remove spines far from dendrite")
    spine_distance_um: float = parameter(2.0, "Largest distance of spine probability from the dendrite.",
                                         low=0, high=1000, unit="um", needs={"clean_spines": True},
                                         label="Largest distance to dendrite")
    spine_iterations: int | None = parameter(None, "Distance in voxels (dilations with the 6-neighbour cross, as in "
                                             "the original), used instead of the distance in µm if given.",
                                             low=0, high=1000, unit="px", needs={"clean_spines": True},
                                             label="Distance as dilations")


ROI_MODES = ("floodfill", "connected")


@dataclass(frozen=True)
class Roi3DParameters(Parameters):
    """How 3-D ROIs are built from the spine map."""

    preset: str = parameter(BALANCED, "'balanced' is what the model recommends; 'sensitive' finds more spines and more "
                            "that are none, for those who delete in a review rather than add: it splits ROIs at "
                            "prominent peaks and keeps smaller ones. Other values that are given count more.",
                            choices=tuple(ROI_PRESETS))
    mode: str = parameter("floodfill", "'floodfill' grows ROIs from probability peaks; 'connected' takes connected "
                          "components above the area threshold.", choices=ROI_MODES, label="Method")
    area_threshold: float = parameter(0.25, "Spine probability above which a voxel can belong to a ROI.", low=0, high=1)
    peak_threshold: float = parameter(0.8, "Spine probability from which a voxel can seed a ROI (floodfill).",
                                      low=0, high=1, needs={"mode": "floodfill"})
    seed_delta: float = parameter(0.2, "Allowed relative difference to the seed's probability (floodfill).",
                                  low=0, high=1, needs={"mode": "floodfill"}, label="Allowed difference to seed")
    distance_um: float = parameter(2.0, "A ROI stays nearer to its seed than this (floodfill).",
                                   low=0, high=1000, unit="um", needs={"mode": "floodfill"}, label="Distance to seed")
    min_voxels: int = parameter(20, "Smallest ROI that is kept.", low=1, high=1_000_000_000, unit="voxels",
                            label="Smallest ROI")
    max_voxels: int = parameter(1000, "Largest ROI that is kept.", low=1, high=1_000_000_000, unit="voxels",
                            label="Largest ROI")
    min_planes: int = parameter(1, "A kept ROI spans at least this many planes.", low=1, high=100_000, unit="planes",
                                label="Fewest planes")
    min_peak: float = parameter(0.0, "A kept ROI reaches at least this spine probability.", low=0, high=1,
                                label="Smallest peak")
    sigma_px: float = parameter(0.0, "Gaussian smoothing of the spine map in the plane before ROIs are built.",
                                low=0, high=10, unit="px", label="Smoothing")
    dilation: int = parameter(0, "Dilations before components are found (connected).", low=0, high=100, unit="px",
                              needs={"mode": "connected"})
    watershed: bool = parameter(False, "Split touching ROIs by shape.", label="Split touching ROIs")
    split_prominence: float = parameter(0.0, "Split ROIs between peaks that both exceed the saddle between them by so "
                                        "much, in log-odds of the spine probability; 0 splits none.", low=0, high=30,
                                        label="Split at peaks above")
    split_sigma_um: float = parameter(0.1, "Gaussian smoothing of the log-odds for this split.", low=0, high=10,
                                      unit="um", label="Smoothing for the split")

    def check(self) -> None:
        if self.min_voxels > self.max_voxels:
            raise ParameterError(f"min_voxels is {self.min_voxels}; accepted: at most max_voxels ({self.max_voxels}).")


@dataclass(frozen=True)
class Roi2DParameters(Parameters):
    """How 2-D ROIs are built plane by plane."""

    spine_threshold: float = parameter(0.25, "Spine probability above which a pixel belongs to a ROI.", low=0, high=1)
    watershed: bool = parameter(False, "Split touching ROIs by shape.", label="Split touching ROIs")
    mask_size_px: int = parameter(3, "Mask of the distance transform for the watershed: 3, 5, or 0 for exact.",
                               low=0, high=5, unit="px", needs={"watershed": True},
                               label="Mask for the split (0, 3 or 5)")
    min_distance_px: int = parameter(3, "Smallest distance between ROI centres for the watershed.",
                                     low=1, high=100, unit="px", needs={"watershed": True},
                                     label="Smallest distance of centres")
    clean_rois: bool = parameter(True, "Remove small ROIs and ROIs far from any dendrite.",
                            label="Remove small and far ROIs", option="--clean-rois")
    max_dendrite_distance_px: int = parameter(30, "A kept ROI has dendrite within this distance of its centre.",
                                              low=0, high=10_000, unit="px", needs={"clean_rois": True},
                                              label="Largest distance to dendrite")
    min_area_px: int = parameter(10, "Smallest ROI that is kept.", low=0, high=1_000_000_000, unit="px",
                            label="Smallest ROI", needs={"clean_rois": True})
    near_dendrite_threshold: float = parameter(0.7, "Dendrite probability above which a pixel near a ROI is "
                                               "dendrite.", low=0, high=1, needs={"clean_rois": True},
                                               label="Dendrite threshold")

    def check(self) -> None:
        if self.mask_size_px not in (0, 3, 5):
            raise ParameterError(f"mask_size_px is {self.mask_size_px}; accepted: 0, 3, 5.")


@dataclass(frozen=True)
class MeasureParameters(Parameters):
    """How spines and dendrites are measured."""

    measured_dendrite_threshold: float = parameter(0.5, "Dendrite probability above which a voxel is measured "
                                                   "as dendrite.", low=0, high=1, label="Dendrite threshold")
    min_dendrite_um: float = parameter(2.0, "Shortest dendrite that is listed, and shortest side branch that counts.",
                                       low=0, high=1000, unit="um", label="Shortest dendrite")
    background_um: float = parameter(1.0, "Width of the ring around a spine whose median is the background.",
                                     low=0, high=100, unit="um", label="Width of background ring")
    shapes: bool = parameter(True, "Also measure lengths, heads, necks and sizes from light.", label="Shapes of spines")
    psf_xy_um: float | None = parameter(None, "Lateral width of the point-spread function (full width at half maximum) "
                                        "of the image; without it, head widths stay as they appear.", low=0.05, high=5,
                                        unit="um", label="Blur in the plane", needs={"shapes": True})
    psf_z_um: float | None = parameter(None, "Axial width of the point-spread function (full width at half maximum) "
                                       "of the image.", low=0.1, high=20, unit="um", label="Blur along z",
                                       needs={"shapes": True})
    spine_classes: bool = parameter(False, "Also sort spines into mushroom, thin, stubby and filopodium; doubtful at "
                                    "the resolution of light.", label="Classes of spines", needs={"shapes": True})


@dataclass(frozen=True)
class EvaluationParameters(Parameters):
    """How detections are matched with annotated spines."""

    match_xy_um: float = parameter(1.2, "Largest distance in the plane of a match.", low=0, high=1000, unit="um",
                                   label="Largest distance in the plane")
    match_z_planes: float = parameter(2.0, "Largest distance in planes of a match.", low=0, high=1000, unit="planes",
                                      label="Largest distance along z")
    within_um: float = parameter(2.5, "With a traced dendrite: unmatched detections farther away do not count.",
                                 low=0, high=1000, unit="um", label="Distance to traced dendrite")
    trace_z_planes: float = parameter(3.0, "With a traced dendrite: the same along z.", low=0, high=1000, unit="planes",
                                      label="The same along z")


@dataclass(frozen=True)
class TimelapseParameters(Parameters):
    """How the same spines are found again at several time points."""

    registration: str = parameter("local", "How time points are laid on each other: shifted and turned ('rigid'), also "
                                  "warped ('local'), or as they are ('none').", choices=("local", "rigid", "none"))
    gate_um: float = parameter(2.5, "Largest distance in the plane between a spine and the same spine at another time "
                               "point, after registration.", low=0.1, high=20, unit="um", label="Largest distance")
    link_sigma_um: float = parameter(0.8, "Usual distance in the plane between them.", low=0.05, high=10, unit="um",
                                     label="Usual distance")
    gap: int = parameter(1, "A spine may be missing at so many time points in a row and still be the same.", low=0,
                         high=100, unit="time points", label="Longest gap")
    change_rate: float = parameter(0.15, "Expected share of spines that appear or disappear from one time point to the "
                                   "next; the larger, the fewer doubtful links.", low=0.001, high=0.9,
                                   label="Expected change")
    keep_threshold: float = parameter(0.4, "Spine probability at which a spine of another time point counts as still "
                                      "there, though it was not detected.", low=0, high=1, option="--keep",
                                      label="Keep threshold")
    absent_threshold: float = parameter(0.2, "Spine probability below which it counts as gone; in between, it is "
                                        "undecided.", low=0, high=1, option="--absent", label="Absent threshold")
    search_um: float = parameter(0.8, "How far in the plane from its expected place a spine is looked for.", low=0,
                                 high=10, unit="um", label="Search radius")
    border_um: float = parameter(1.5, "Spines nearer to the image's border are not judged.", low=0, high=20, unit="um",
                                 label="Border in the plane")
    border_z_um: float = parameter(2.0, "Spines nearer to the first or last plane are not judged.", low=0, high=20,
                                   unit="um", label="Border along z")
    transient_days: float = parameter(4.0, "A spine that lives shorter is transient.", low=0, high=10_000, unit="days",
                                      label="Transient below")
    recall: float | None = parameter(None, "Share of the spines that detection finds, if it is known; with the "
                                     "precision, it tells the turnover that errors of detection alone would show.",
                                     low=0, high=1)
    precision: float | None = parameter(None, "Share of the detections that are spines, if it is known.", low=0, high=1)

    def check(self) -> None:
        if self.absent_threshold > self.keep_threshold:
            raise ParameterError(f"absent_threshold is {self.absent_threshold:g} and keep_threshold "
                                 f"{self.keep_threshold:g}; accepted: an absent threshold that is not larger.")


@dataclass(frozen=True)
class SimulationParameters(Parameters):
    """What a simulated stack contains and how the microscope shows it."""

    planes: int = parameter(11, "Number of planes.", low=1, high=2000, unit="planes", label="Number of planes")
    height_px: int = parameter(320, "Height of a plane.", low=16, high=10_000, unit="px", option="--height")
    width_px: int = parameter(320, "Width of a plane.", low=16, high=10_000, unit="px", option="--width")
    xy_um: float = parameter(0.12, "Size of a pixel.", low=0.02, high=1, unit="um", option="--xy", label="Pixel size")
    z_um: float = parameter(1.0, "Distance between planes.", low=0.05, high=5, unit="um", option="--z",
                            label="Distance between planes")
    psf_xy_um: float = parameter(0.40, "Lateral width of the point-spread function (full width at half maximum).",
                                 low=0.1, high=2, unit="um", label="Blur in the plane")
    psf_z_um: float = parameter(2.2, "Axial width of the point-spread function (full width at half maximum).",
                                low=0.2, high=10, unit="um", label="Blur along z")
    dendrites: int = parameter(2, "Number of dendrites that run through the volume.", low=0, high=50,
                               label="Number of dendrites")
    dendrite_radius_um: float = parameter(0.40, "Median radius of a dendrite.", low=0.1, high=2, unit="um")
    branching: float = parameter(0.3, "Probability that a dendrite branches.", low=0, high=1)
    spine_density_per_um: float = parameter(0.9, "Mean number of spines per µm of dendrite.", low=0, high=5,
                                            unit="1/um")
    head_diameter_um: float = parameter(0.54, "Median diameter of a spine head.", low=0.2, high=1.5, unit="um")
    neck_length_um: float = parameter(0.6, "Median length of a spine neck.", low=0.1, high=2, unit="um")
    spine_dye_spread: float = parameter(0.55, "Spread of the concentration of dye from spine to spine (standard "
                                        "deviation of its logarithm).", low=0, high=2, label="Spread of dye in spines")
    axons: int = parameter(2, "Number of thin neurites with boutons.", low=0, high=100, label="Number of axons")
    blob_clusters: int = parameter(6, "Number of clusters of bright blobs that are no spines.", low=0, high=1000,
                                   label="Clusters of blobs")
    clouds: int = parameter(4, "Number of diffuse patches.", low=0, high=1000)
    cloud_peak: float = parameter(10.0, "Brightness of the diffuse patches.", low=0, high=65535, unit="grey levels",
                                  label="Brightness of clouds")
    halo: float = parameter(0.05, "Share of scattered light around bright structures.", low=0, high=1)
    head_peak: float = parameter(110.0, "Brightness of a median spine head without noise.", low=1, high=65535,
                                 unit="grey levels", label="Brightness of spine heads")
    background: float = parameter(5.0, "Uniform background.", low=0, high=65535, unit="grey levels")
    gain: float = parameter(22.0, "Mean pulse of one photon.", low=0.01, high=10_000, unit="grey levels",
                            label="Pulse of a photon")
    pulse_spread: float = parameter(0.7, "Variance of a photon's pulse relative to its squared mean.", low=0.01, high=4,
                                    label="Spread of pulses")
    line_smear: float = parameter(0.55, "Part of a pulse that runs on into the next pixel of the line.",
                                  low=0, high=0.9, label="Smear along lines")
    read_noise: float = parameter(1.0, "Standard deviation of the read noise.", low=0, high=1000, unit="grey levels")
    offset: float = parameter(-0.5, "Grey level of darkness; negative if the digitiser cuts it off.",
                              low=-1000, high=10_000, unit="grey levels", label="Level of darkness")
    bits: int = parameter(8, "Bits of the digitiser: 8, 12 or 16.", low=8, high=16, label="Bits (8, 12 or 16)")
    plane_shift_um: float = parameter(0.0, "How far the tissue jumps sideways from plane to plane (standard "
                                      "deviation).", low=0, high=5, unit="um", label="Jumps between planes")
    line_shift_um: float = parameter(0.0, "How far the tissue sways sideways while a plane is scanned, line by line "
                                     "(standard deviation).", low=0, high=5, unit="um", label="Sway within planes")

    def check(self) -> None:
        if self.bits not in (8, 12, 16):
            raise ParameterError(f"bits is {self.bits}; accepted: 8, 12, 16.")


@dataclass(frozen=True)
class SeriesParameters(Parameters):
    """Which stacks are simulated."""

    seed: int = parameter(0, "Seed of the first stack; each further one has the next seed.", low=0, high=2**31 - 1)
    count: int = parameter(1, "Number of stacks.", low=1, high=100_000, unit="stacks", label="Number of stacks")


@dataclass(frozen=True)
class TimeSeriesParameters(Parameters):
    """How one simulated field changes from time point to time point."""

    sessions: int = parameter(1, "Number of time points of one field; 1: no series.", low=1, high=1000,
                              unit="time points", option="--series", label="Time points")
    interval_days: float = parameter(4.0, "Days from one to the next.", low=0.001, high=10_000, unit="days")
    loss: float = parameter(0.1, "Probability that a spine is gone at the next time point.", low=0, high=1)
    birth: float = parameter(0.1, "New spines at the next time point, as a share of those that are there.", low=0,
                             high=1, label="New spines")
    growth: float = parameter(0.25, "Spread of the volume of a spine from time point to time point (standard deviation "
                              "of its logarithm).", low=0, high=2)
    drift_um: float = parameter(5.0, "Largest shift in the plane.", low=0, high=100, unit="um")
    drift_z_um: float = parameter(3.0, "Largest shift along z.", low=0, high=100, unit="um", label="Drift along z")
    turn_deg: float = parameter(5.0, "Largest turn about z.", low=0, high=15, unit="deg")
    warp_um: float = parameter(0.6, "Standard deviation of the smooth warp, over 15 µm.", low=0, high=5, unit="um")
    brightness_spread: float = parameter(0.3, "Largest change of the brightness, as a share.", low=0, high=0.9)
    cut_planes: int = parameter(5, "So many planes are missing on one side from the second time point on.", low=0,
                                high=1000, unit="planes", label="Missing planes")


@dataclass(frozen=True)
class TrainingDataParameters(Parameters):
    """Which part of an annotated stack becomes training data."""

    x_px: int = parameter(0, "First column of the box.", low=0, high=1_000_000, unit="px", option="--x",
                          label="First column")
    y_px: int = parameter(0, "First row of the box.", low=0, high=1_000_000, unit="px", option="--y", label="First row")
    width_px: int | None = parameter(None, "Width of the box; without it, to the right edge.", low=1, high=1_000_000,
                                     unit="px", option="--width")
    height_px: int | None = parameter(None, "Height of the box; without it, to the lower edge.", low=1, high=1_000_000,
                                      unit="px", option="--height")
    z_begin: int = parameter(0, "First plane (the first of the stack is 0).", low=0, high=1_000_000, unit="planes")
    z_end: int | None = parameter(None, "Last plane, included; without it, the last of the stack.",
                                  low=0, high=1_000_000, unit="planes")
    swc_units: str = parameter("auto", "Unit of positions in an SWC file: µm, pixels and planes, or whichever puts "
                               "more of it into the stack; its radii are in µm.", choices=("auto", "um", "px"),
                               label="Unit of the tracing")
    allow_empty: bool = parameter(False, "Accept a mask without foreground in the box (an example of what is none).",
                                  label="Accept empty masks")

    def check(self) -> None:
        if self.z_end is not None and self.z_end < self.z_begin:
            raise ParameterError(f"z_end is {self.z_end}; accepted: at least z_begin ({self.z_begin}); the last plane "
                                 "is included.")


@dataclass(frozen=True)
class CorrectedDataParameters(Parameters):
    """What of corrected ROIs becomes training data."""

    trust: str = parameter("touched", "'touched': spines that were drawn, changed, deleted or confirmed, and what lies "
                           "around them; the rest does not count. 'all': every ROI is right, and there are no others.",
                           choices=("touched", "all"), label="What is right")
    margin_um: float = parameter(1.5, "Up to this distance from what was corrected, everything outside of ROIs is no "
                                 "spine.", low=0, high=100, unit="um", label="Seen around a correction")
    background_below: float = parameter(0.02, "Farther away, voxels with a lower spine probability are no spine; the "
                                        "others do not count.", low=0, high=1, label="Certainly no spine below")
    dendrite_threshold: float = parameter(0.5, "Voxels with a higher dendrite probability are dendrite; those near "
                                          "this value do not count.", low=0, high=1, label="Dendrite threshold")


@dataclass(frozen=True)
class SamplerParameters(Parameters):
    """How training samples are cut from annotated stacks."""

    planes: int = parameter(1, "Planes of a sample.", low=1, high=1024, unit="planes")
    height_px: int = parameter(128, "Height of a sample.", low=1, high=8192, unit="px")
    width_px: int = parameter(128, "Width of a sample.", low=1, high=8192, unit="px")
    target_resolution_um: float | None = parameter(
        None, "Pixel size to which all stacks are resampled; without it, stacks keep theirs and must agree.",
        low=0.001, high=1000, unit="um", option="--target-resolution")
    target_z_um: float | None = parameter(
        None, "Distance of planes to which all stacks are resampled; only of use for samples of several planes.",
        low=0.001, high=1000, unit="um", option="--target-z")
    stack_choice: str = parameter("size", "Draw stacks by their number of windows ('size') or each equally often "
                                  "('uniform').", choices=("size", "uniform"))
    min_content_voxels: int = parameter(0, "A sample has more than this many foreground voxels of dendrite or of "
                                        "spine, before augmentation.", low=0, high=1_000_000_000, unit="voxels",
                                    option="--min-content")
    normalise: str = parameter("tile", "Scale by the minimum and maximum of the sample ('tile') or of its planes in "
                               "the stack ('plane', as prediction does).", choices=("tile", "plane"))
    low: float = parameter(-1.0, "Value of the minimum after scaling.", low=-1e6, high=1e6)
    high: float = parameter(1.0, "Value of the maximum after scaling.", low=-1e6, high=1e6)
    seed: int = parameter(42, "Seed: the same seed gives the same samples.", low=0, high=2**32 - 1)

    def check(self) -> None:
        if self.low >= self.high:
            raise ParameterError(f"low is {self.low:g}; accepted: less than high ({self.high:g}).")


@dataclass(frozen=True)
class AugmentationParameters(Parameters):
    """How training samples are varied; strengths are those of a sample whose grey levels span 0 to 1."""

    flip_probability: float = parameter(0.5, "Probability of a flip, for each axis of its own.", low=0, high=1)
    turn_probability: float = parameter(0.5, "Probability of a turn by 90, 180 or 270 degrees (180 if a sample is "
                                        "not square).", low=0, high=1)
    rotation_probability: float = parameter(0.5, "Probability of a rotation.", low=0, high=1)
    rotation_deg: float = parameter(10.0, "Largest rotation to either side.", low=0, high=180, unit="degrees")
    zoom_probability: float = parameter(0.25, "Probability of a zoom.", low=0, high=1)
    zoom: float = parameter(0.1, "Largest zoom: 0.1 is 1.1 times larger or smaller.", low=0, high=3)
    elastic_probability: float = parameter(0.2, "Probability of an elastic deformation.", low=0, high=1)
    elastic_px: float = parameter(1.5, "Root mean square of the elastic displacement along each axis.",
                                  low=0, high=50, unit="px")
    elastic_spacing_px: float = parameter(32.0, "Distance of the elastic deformation's control points.",
                                          low=4, high=4096, unit="px")
    drift_probability: float = parameter(0.25, "Samples of several planes: probability that planes are shifted against "
                                         "each other.", low=0, high=1)
    drift_px: float = parameter(0.7, "Root mean square of the shift from one plane to the next along each axis.",
                                low=0, high=50, unit="px")
    motion_probability: float = parameter(0.0, "Probability that the tissue moves sideways while the sample is "
                                          "scanned, line by line.", low=0, high=1)
    motion_px: float = parameter(1.2, "Largest standard deviation of the shift of lines along each axis.",
                                 low=0, high=50, unit="px")
    blur_probability: float = parameter(0.2, "Probability of a blur.", low=0, high=1)
    blur_px: float = parameter(1.2, "Largest standard deviation of the blur.", low=0, high=20, unit="px")
    gamma_probability: float = parameter(0.25, "Probability of a gamma change.", low=0, high=1)
    gamma: float = parameter(0.3, "Largest gamma change: 0.3 is an exponent between 1/1.3 and 1.3.", low=0, high=10)
    contrast_probability: float = parameter(0.25, "Probability of a change of brightness and contrast.", low=0, high=1)
    brightness: float = parameter(0.2, "Largest change of brightness.", low=0, high=1)
    contrast: float = parameter(0.2, "Largest relative change of contrast.", low=0, high=1)
    noise_probability: float = parameter(0.5, "Probability of noise.", low=0, high=1)
    read_noise: float = parameter(0.03, "Largest standard deviation of noise that is the same at every grey level.",
                                  low=0, high=1)
    shot_noise: float = parameter(0.06, "Largest standard deviation, at grey level 1, of noise whose variance grows "
                                  "with the grey level.", low=0, high=1)


TRAINING_LOSSES = ("dice", "mse", "bce", "dice+bce")
SCHEDULES = ("constant", "cosine", "exponential")


TRAINING_LENGTHS: dict[str, dict[str, int]] = {
    "quick": {}, "thorough": {"steps": 20_000, "validate_every": 500}, "own": {}}
"""What the choices of a training's length set, by names of TrainingParameters; the rest is as ever."""


@dataclass(frozen=True)
class TrainingParameters(Parameters):
    """How a network is trained."""

    filters: int = parameter(8, "Filters of the first block: 8, 16 or 32 are usual.", low=1, high=256)
    steps: int = parameter(3000, "Number of batches.", low=1, high=10_000_000, unit="batches",
                           label="Number of batches")
    batch_size: int = parameter(16, "Tiles in a batch.", low=1, high=4096, unit="tiles", label="Tiles in a batch")
    tile_px: int = parameter(128, "Side of a tile (a multiple of 16).", low=16, high=4096, unit="px", option="--tile",
                             label="Side of a tile")
    learning_rate: float = parameter(1.2e-3, "Learning rate of Adam at the start.", low=1e-8, high=1)
    schedule: str = parameter("cosine", "'cosine' falls to zero over the second half, 'exponential' by a tenth per "
                              "thirtieth of the training over the second half, 'constant' stays.", choices=SCHEDULES,
                              label="Course of the learning rate")
    dendrite_loss: str = parameter("dice", "Loss of the dendrite map.", choices=TRAINING_LOSSES)
    spine_loss: str = parameter("dice+bce", "Loss of the spine map.", choices=TRAINING_LOSSES)
    averaging: float = parameter(0.998, "Share of the earlier average in the running mean of the weights that is "
                                 "validated and saved; 0 saves the weights as they are.", low=0, high=0.99999,
                                 label="Averaging of weights")
    precision: str = parameter("float32", "Arithmetic of the layers; 'mixed_bfloat16' and 'mixed_float16' are faster "
                               "where the processor has them.", choices=("float32", "mixed_bfloat16", "mixed_float16"))
    validate_every: int = parameter(250, "Batches between two validations and checkpoints.", low=1, high=1_000_000,
                                    unit="batches", label="Validate after")
    patience: int = parameter(0, "Stop after this many validations without a better one; 0 never stops early.",
                              low=0, high=100_000)
    target_resolution_um: float | None = parameter(
        None, "Pixel size to which all stacks are brought; without it they keep theirs and must agree.",
        low=0.001, high=1000, unit="um", option="--target-resolution", label="Pixel size for training")
    min_content_voxels: int = parameter(50, "A sample has more foreground voxels of dendrite or of spine than this, if "
                                        "any place of the stacks offers that.", low=0, high=1_000_000_000,
                                        unit="voxels", option="--min-content", label="Least foreground of a tile")
    seed: int = parameter(1, "Seed of the weights and of the samples.", low=0, high=2**31 - 1)

    def check(self) -> None:
        if self.tile_px % 16:
            raise ParameterError(f"tile_px is {self.tile_px}; accepted: a multiple of 16.")


@dataclass(frozen=True)
class DialogParameters(Parameters):
    """Base of what only Fiji's dialogs and macros ask: files, planes, what to show."""


def check_plane_order(first: int, last: int | None) -> None:
    """Check that planes, as a user counts them, are not given in the wrong order."""
    if last is not None and last < first:
        raise ParameterError(f"The range of planes is inverted: the first plane is {first} and the last one {last}; "
                             "accepted: a first plane that is not after the last one.")


@dataclass(frozen=True)
class ModelParameters(DialogParameters):
    """Which model a dialog's step uses."""

    model: str | None = parameter(None, "Name of a model on this computer, or a model file (.keras, .h5); without it, "
                                  "the default model of DeepD3 Settings….")


@dataclass(frozen=True)
class PlaneParameters(DialogParameters):
    """Which planes of a stack are used."""

    first_plane: int = parameter(1, "Planes before it are left out; the first one is 1.", low=1, high=1_000_000)
    last_plane: int | None = parameter(None, "Planes after it are left out; empty: up to the last one.",
                                       low=1, high=1_000_000)

    def check(self) -> None:
        check_plane_order(self.first_plane, self.last_plane)


@dataclass(frozen=True)
class RegionParameters(DialogParameters):
    """Which part of the planes is used."""

    region: str | None = parameter(None, "Only the box around the selection on the image: x,y,width,height in pixels. "
                                   "The maps keep the size of the stack and are 0 outside of it. Empty: all.",
                                   label="Only the selection")

    def check(self) -> None:
        self.box()

    def box(self) -> tuple[int, int, int, int] | None:
        """First column and row, width and height of the box, None for all."""
        if self.region is None:
            return None
        parts = self.region.replace(" ", "").split(",")
        if len(parts) != 4 or not all(part.isdecimal() and part.isascii() for part in parts):
            raise ParameterError(f"The region is {self.region!r}; accepted: x,y,width,height in whole pixels, for "
                                 "example 100,80,256,256.")
        x, y, width, height = map(int, parts)
        return x, y, width, height


@dataclass(frozen=True)
class FileVoxelParameters(DialogParameters):
    """Voxel size of data in files."""

    xy_um: float | None = parameter(None, "Size of a pixel; empty: as the file says.", low=1e-4, high=1000, unit="um",
                                    label="Pixel size")
    z_um: float | None = parameter(None, "Distance between planes; empty: as the file says.", low=1e-4, high=1000,
                                   unit="um", label="Distance between planes")


@dataclass(frozen=True)
class FileChannelParameters(DialogParameters):
    """Which part of a file with several channels or time points is read."""

    channel: int | None = parameter(None, "Channel, counted from 1; empty: the only one.", low=1, high=10_000)
    frame: int | None = parameter(None, "Time point, counted from 1; empty: the only one.", low=1, high=1_000_000,
                                  label="Time point")


@dataclass(frozen=True)
class OpenStackParameters(DialogParameters):
    """What Open DeepD3 Stack… opens."""

    path: str = parameter("", "Stack (TIFF, OME-TIFF, OME-Zarr folder, CZI, LIF, ND2).", path="any", label="Image file")
    saved: bool = parameter(True, "Also load the results that were saved beside it.", label="Load saved results")
    level: int | None = parameter(None, "Resolution level of OME-Zarr, counted from 1; empty: the finest.", low=1,
                                  high=100, label="Resolution level")


@dataclass(frozen=True)
class AnnotationFileParameters(DialogParameters):
    """What Import Spine Annotations… reads."""

    path: str = parameter("", "Table (CSV) with X, Y and Z or Pos in pixels and planes from 0.", path="file",
                          label="Table")


@dataclass(frozen=True)
class MapOverlayParameters(DialogParameters):
    """How Show DeepD3 Maps over Stack… shows them."""

    opacity: float = parameter(0.5, "From 0 (not at all) to 1.", low=0.0, high=1.0)


@dataclass(frozen=True)
class ProjectionParameters(DialogParameters):
    """What Show DeepD3 Z Projection… shows."""

    method: str = parameter("both", "Maximum or sum along z, or both.", choices=("max", "sum", "both"),
                            label="Projection")


@dataclass(frozen=True)
class ResultFolderParameters(DialogParameters):
    """Where results are written."""

    folder: str | None = parameter(None, "Folder for the files; empty: the folder of the stack.", path="folder")


@dataclass(frozen=True)
class AnalysisFolderParameters(DialogParameters):
    """Where an analysis is written."""

    folder: str | None = parameter(None, "Folder for all files; empty: write none.", path="folder")


@dataclass(frozen=True)
class OverwriteParameters(DialogParameters):
    """What becomes of files that are there."""

    overwrite: bool = parameter(False, "Replace files of these names; else DeepD3 asks, and a macro stops.",
                                label="Replace files")


@dataclass(frozen=True)
class CorrectionParameters(DialogParameters):
    """What becomes of ROIs that were corrected by hand when new ones are built."""

    corrections: str = parameter("ask", "If ROIs were corrected by hand: 'merge' keeps them and adds what is found "
                                 "beside them, 'replace' drops them, 'ask' asks; a macro that says 'ask' merges.",
                                 choices=("ask", "merge", "replace"), label="Corrected ROIs")


@dataclass(frozen=True)
class SavedFileParameters(DialogParameters):
    """What Load DeepD3 Results… reads."""

    path: str = parameter("", "Saved prediction or ROIs (.prediction, .rois).", path="file", label="File")


@dataclass(frozen=True)
class BatchFolderParameters(DialogParameters):
    """Folders of a batch."""

    source: str = parameter("", "Folder with stacks, and with folders of stacks.", path="folder",
                            label="Folder with stacks")
    target: str = parameter("", "Folder for results; they keep the folder tree.", path="folder",
                            label="Folder for results")


@dataclass(frozen=True)
class SeriesFilesParameters(DialogParameters):
    """Time points whose spines are followed."""

    source: str = parameter("", "Folder of the stacks, one for each time point, taken in the order of their names; or "
                            "the folder of a series that was followed before; or a table (CSV) with the columns file "
                            "and time; or files, separated by semicolons.", path="folder", label="Time points")
    times: str | None = parameter(None, "Days on which they were imaged, for example 0,4,9; empty: 0, 1, 2 and so on.",
                                  label="Days")
    target: str = parameter("", "Folder for results.", path="folder", label="Folder for results")


@dataclass(frozen=True)
class SimulatedFilesParameters(DialogParameters):
    """What Simulate DeepD3 Stack… writes and shows."""

    folder: str | None = parameter(None, "Folder for stacks, masks and tables; empty: write none.", path="folder")
    labels: bool = parameter(True, "Also show which voxels are spines.", label="Show labels")


@dataclass(frozen=True)
class AnnotatedStackParameters(DialogParameters):
    """A stack and its annotation."""

    stack: str | None = parameter(None, "Stack (TIFF); empty: the file of the active image.", path="file")
    dendrites: str = parameter("", "Dendrites: SWC tracing or TIFF mask.", path="file")
    spines: str = parameter("", "Spines: TIFF mask or labels, ROI zip, .mask.", path="file")
    out: str | None = parameter(None, "File to write (.d3data); empty: beside the stack.", path="save",
                                label="Training data")


@dataclass(frozen=True)
class CorrectedFileParameters(DialogParameters):
    """Where Use as DeepD3 Training Data… writes."""

    out: str | None = parameter(None, "File to write (.d3data); empty: beside the stack.", path="save",
                                label="Training data")


@dataclass(frozen=True)
class TrainingDataFileParameters(DialogParameters):
    """What Show DeepD3 Training Data… shows."""

    path: str = parameter("", "Training data (.d3data or .d3set).", path="file", label="File")


@dataclass(frozen=True)
class TrainingSetParameters(DialogParameters):
    """What Arrange DeepD3 Training Set… puts together."""

    source: str = parameter("", "Folder with .d3data files.", path="folder", label="Folder with training data")
    pattern: str = parameter("**/*.d3data", "Which files; ** stands for all folders below.", label="Files")
    out: str = parameter("", "Set to write (.d3set).", path="save", label="Training set")


@dataclass(frozen=True)
class TrainingFilesParameters(DialogParameters):
    """Files of a training, and what becomes of its model."""

    training: str = parameter("", "Training set (.d3set), or training data (.d3data).", path="file",
                              label="Training set")
    length: str = parameter("quick", "'quick' trains 3,000 batches, about 20 minutes on a notebook; 'thorough' trains "
                            "20,000, some hours; with 'own', the settings under Advanced count. In a macro, settings "
                            "that are given count with all of them.", choices=tuple(TRAINING_LENGTHS),
                            label="Training")
    start: str | None = parameter(None, "Model whose weights the training begins with, by its name or file; empty: "
                                  "anew.", path="file", label="Begin with")
    validation: str | None = parameter(None, "Set of other stacks (.d3set): chooses the best weights and calibrates "
                                       "the thresholds; without it, the training stacks do the latter.", path="file",
                                       label="Validation set")
    out: str | None = parameter(None, "Model to write (.keras); empty: into the folder of models.", path="save",
                                label="Model")
    use: bool = parameter(False, "Let 'default' stand for it from now on; DeepD3 Settings… changes it back.",
                          label="Make it the default")
    resume: bool = parameter(False, "Go on where a training of the same model file and settings was stopped; the "
                             "number of batches may differ.", label="Go on")
    finish: bool = parameter(False, "Train no further: make the model of the best weights that a training of the same "
                             "model file and settings found before it was stopped.", label="Keep the best so far")


@dataclass(frozen=True)
class EvaluationFilesParameters(DialogParameters):
    """Tables that are compared."""

    detected: str = parameter("", "Detected spines: table of Export DeepD3 Tables… (CSV).", path="file")
    truth: str = parameter("", "Annotated spines (CSV).", path="file", label="Annotated")
    dendrites: str | None = parameter(None, "Traced dendrites (SWC): unmatched detections far from them do not count.",
                                      path="file", label="Traced dendrites")
    report: str | None = parameter(None, "File for the scores (.json); empty: beside the first table.", path="save",
                                   label="Scores")


@dataclass(frozen=True)
class DoctorParameters(DialogParameters):
    """What DeepD3 Doctor… does."""

    restart: bool = parameter(False, "End the Python worker; the check starts a new one.", label="Start Python anew")


@dataclass(frozen=True)
class ModelDownloadParameters(DialogParameters):
    """Which model of the Model Zoo is downloaded."""

    name: str | None = parameter(None, "Model of the Model Zoo; it is downloaded once. Empty: only list the models.",
                                 label="Get a model")


@dataclass(frozen=True)
class SettingsParameters(DialogParameters):
    """How Fiji runs Python."""

    python: str | None = parameter(None, "Python program of an environment with deepd3_ij of the same version; empty: "
                                   "the one of DeepD3 Setup… or install-fiji.", path="file", label="Python program")
    threads: int = parameter(0, "How many processors Python may use; 0: all.", low=0, high=1024,
                             label="Processors (0: all)")
    model: str | None = parameter(None, "Name or file of the model that the other dialogs begin with; empty: the one "
                                  "that comes with DeepD3.", label="Default model")
    double_click: bool = parameter(True, "A double click on a stack or a prediction opens Test 3D ROIs there.",
                                   label="Double click tests ROIs")


@dataclass(frozen=True)
class SetupParameters(DialogParameters):
    """How the Python environment is made that does the work."""

    action: str = parameter("create or update", "create or update: make the environment, or bring it to the version of "
                            "the menu. repair: make it anew. use existing: take a Python program that has deepd3_ij.",
                            choices=("create or update", "repair", "use existing"), label="What to do")
    python: str | None = parameter(None, "Python 3.11, 3.12 or 3.13 to make the environment with, or 'uv' to download "
                                   "one. Empty: the best that is found, else uv. For 'use existing': the program of "
                                   "the environment.", path="file", label="Python program")
    folder: str | None = parameter(None, "Where the environment goes; it takes up to 4 GB. Empty: the folder that the "
                                   "system has for data of programs.", path="folder", label="Folder",
                                   needs={"action": ("create or update", "repair")})
