"""The one table of Fiji's dialogs: menu command → what its dialog shows.

The headers of the menu's scripts, the dialogs themselves and the fields that a macro can name are all made from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deepd3_ij.errors import FijiError
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.parameters import (
    AnalysisFolderParameters,
    AnalysisParameters,
    AnnotatedStackParameters,
    AnnotationFileParameters,
    BatchFolderParameters,
    BatchParameters,
    CleaningParameters,
    CorrectionParameters,
    DialogParameters,
    DoctorParameters,
    EvaluationFilesParameters,
    EvaluationParameters,
    FileChannelParameters,
    FileVoxelParameters,
    MapOverlayParameters,
    MeasureParameters,
    ModelDownloadParameters,
    ModelParameters,
    Needs,
    OpenStackParameters,
    OverwriteParameters,
    ParameterInfo,
    Parameters,
    PlaneParameters,
    PredictionParameters,
    ProjectionParameters,
    RegionParameters,
    ResultFolderParameters,
    Roi2DParameters,
    Roi3DParameters,
    SavedFileParameters,
    SeriesParameters,
    SettingsParameters,
    SetupParameters,
    SimulatedFilesParameters,
    SimulationParameters,
    TrainingDataFileParameters,
    TrainingDataParameters,
    TrainingFilesParameters,
    TrainingParameters,
    TrainingSetParameters,
    VoxelSizeParameters,
    describe,
    needs_of,
)


@dataclass(frozen=True)
class Section:
    """Part of a dialog.

    Attributes
    ----------
    cls
        Parameter class whose fields are shown.
    title
        Heading; empty for none.
    essential
        Names that are always in sight, None for all; the others are 'advanced'.
    without
        Names that are not shown.
    prefix
        Start of the fields' names, where two classes of a dialog share a name.
    needs
        Fields of the dialog, each with the values at which the section counts at all.
    """

    cls: type[Parameters]
    title: str = ""
    essential: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    prefix: str = ""
    needs: Needs = ()


@dataclass(frozen=True)
class Field:
    """A field of a dialog: its name in macros and scripts, and the parameter that it sets."""

    name: str
    section: Section
    info: ParameterInfo

    @property
    def advanced(self) -> bool:
        """Whether it is out of sight at first."""
        return self.section.essential is not None and self.info.name not in self.section.essential

    @property
    def needs(self) -> Needs:
        """Other fields of the dialog, each with the values at which this one counts."""
        return self.section.needs + tuple((self.section.prefix + name, values) for name, values in self.info.needs)

    @property
    def is_step(self) -> bool:
        """Whether it belongs to a step of the work, not to the dialog alone."""
        return not issubclass(self.section.cls, DialogParameters)


@dataclass(frozen=True)
class Dialog:
    """What the dialog of a menu command shows.

    Attributes
    ----------
    command
        The menu command.
    sections
        Its parts, in their order.
    preview
        The verb whose result on a part of the prediction can be seen while the dialog is open; empty for none.
    """

    command: str
    sections: tuple[Section, ...] = ()
    preview: str = ""

    def fields(self) -> Iterator[Field]:
        """All fields, in their order."""
        for section in self.sections:
            for info in describe(section.cls):
                if info.name not in section.without:
                    yield Field(section.prefix + info.name, section, info)

    @property
    def has_model(self) -> bool:
        """Whether a model is chosen in it."""
        return any(section.cls is ModelParameters for section in self.sections)

    @property
    def has_lengths(self) -> bool:
        """Whether the length of a training is chosen in it."""
        return any(section.cls is TrainingParameters for section in self.sections)

    @property
    def follows_model(self) -> bool:
        """Whether a model can recommend some of its values."""
        return any(section.cls in _RECOMMENDED for section in self.sections)


_RECOMMENDED = (AnalysisParameters, PredictionParameters, CleaningParameters, Roi3DParameters, Roi2DParameters,
                MeasureParameters)
_MODEL = Section(ModelParameters)
_REGION = Section(RegionParameters)
_FOLDER = Section(ResultFolderParameters)
_OVERWRITE = Section(OverwriteParameters)
_CORRECTIONS = Section(CorrectionParameters, "Corrections", ())
_PREDICTION = Section(PredictionParameters, "Segmentation", ())
_CLEANING = Section(CleaningParameters, "Cleaning", (), needs=needs_of({"cleaning": True}))
_ROIS_3D = Section(Roi3DParameters, "3D ROIs", ("preset", "mode", "area_threshold", "peak_threshold", "seed_delta",
                                                "distance_um", "min_peak", "min_voxels", "max_voxels"),
                   needs=needs_of({"roi_dimensions": "3d"}))
_ROIS_2D = Section(Roi2DParameters, "2D ROIs", (), prefix="roi2d_",
                   needs=needs_of({"roi_dimensions": "2d"}))
_MEASURE = Section(MeasureParameters, "Measurement", ())
_ANALYSIS = (Section(AnalysisParameters), _ROIS_3D, _CLEANING, _ROIS_2D, _PREDICTION, _MEASURE)
SETTINGS, SETUP = "DeepD3 Settings...", "DeepD3 Setup..."
"""The commands whose dialogs work where Python cannot be started."""

_DIALOGS = (
    Dialog("Open DeepD3 Stack...", (
        Section(OpenStackParameters), Section(FileVoxelParameters), Section(FileChannelParameters))),
    Dialog("Set DeepD3 Voxel Size...", (Section(VoxelSizeParameters),)),
    Dialog("Import Spine Annotations...", (Section(AnnotationFileParameters),)),
    Dialog("Segment Dendrites and Spines...", (
        _MODEL, Section(PlaneParameters), _REGION,
        Section(PredictionParameters, essential=("tiling", "resample", "z_sigma_um")))),
    Dialog("Clean DeepD3 Prediction...", (
        Section(CleaningParameters, essential=(
            "closing", "clean_dendrite", "dendrite_threshold", "min_dendrite_voxels", "clean_spines",
            "spine_distance_um")),), preview="clean"),
    Dialog("Build 2D ROIs...", (Section(Roi2DParameters), _CORRECTIONS), preview="build_rois_2d"),
    Dialog("Build 3D ROIs...", (Section(Roi3DParameters, essential=_ROIS_3D.essential), _CORRECTIONS),
           preview="build_rois_3d"),
    Dialog("Test 3D ROIs"),
    Dialog("Measure Dendrites and Spines...", (Section(MeasureParameters),)),
    Dialog("Show Spine Labels"),
    Dialog("Show DeepD3 Maximum Projection"),
    Dialog("Show or Hide Spine ROIs"),
    Dialog("Show or Hide DeepD3 Prediction"),
    Dialog("Show DeepD3 Maps over Stack...", (Section(MapOverlayParameters),)),
    Dialog("Show DeepD3 Z Projection...", (Section(ProjectionParameters),)),
    Dialog("Export All DeepD3 Results...", (_FOLDER, _OVERWRITE, _MEASURE)),
    *(Dialog(f"Export DeepD3 {output.title}...",
             (_FOLDER, _OVERWRITE, *((_MEASURE,) if "measurements" in output.needs else ())))
      for output in OUTPUTS.values()),
    Dialog("Load DeepD3 Results...", (Section(SavedFileParameters),)),
    Dialog("Save DeepD3 Results...", (_FOLDER, _OVERWRITE)),
    Dialog("Simulate DeepD3 Stack...", (
        Section(SimulationParameters, essential=("planes", "height_px", "width_px", "xy_um", "z_um", "dendrites",
                                                 "spine_density_per_um")),
        Section(SeriesParameters, essential=("count",)), Section(SimulatedFilesParameters))),
    Dialog("Create DeepD3 Training Data...", (
        Section(AnnotatedStackParameters), Section(PlaneParameters),
        Section(TrainingDataParameters, "Box", ("x_px", "y_px", "width_px", "height_px"), without=("z_begin", "z_end")),
        Section(FileVoxelParameters, "Reading the stack", ()), Section(FileChannelParameters, essential=()))),
    Dialog("Show DeepD3 Training Data...", (Section(TrainingDataFileParameters),)),
    Dialog("Arrange DeepD3 Training Set...", (Section(TrainingSetParameters),)),
    Dialog("Train DeepD3 Model...", (
        Section(TrainingFilesParameters, essential=("training", "length", "start")),
        Section(TrainingParameters, "Settings", (), needs=needs_of({"length": "own"})))),
    Dialog("Evaluate Spine Detection...", (
        Section(EvaluationFilesParameters), Section(EvaluationParameters, "Matching"),
        Section(FileVoxelParameters, "Reading the tables", ()))),
    Dialog("Analyze Dendrites and Spines...", (
        _MODEL, Section(AnalysisFolderParameters), _OVERWRITE, _REGION, *_ANALYSIS, _CORRECTIONS)),
    Dialog("DeepD3 Batch...", (
        Section(BatchFolderParameters), _MODEL, Section(BatchParameters), *_ANALYSIS,
        Section(FileVoxelParameters, "Reading the stacks", ()))),
    Dialog("DeepD3 Models...", (Section(ModelDownloadParameters),)),
    Dialog(SETTINGS, (Section(SettingsParameters),)),
    Dialog(SETUP, (Section(SetupParameters),)),
    Dialog("DeepD3 Doctor...", (Section(DoctorParameters),)),
    Dialog("DeepD3 Help..."),
    Dialog("DeepD3 Versions..."),
)

DIALOGS: dict[str, Dialog] = {dialog.command: dialog for dialog in _DIALOGS}
"""All dialogs by their menu command; a command without fields works at once."""


def add_dialog(command: str, *sections: Section) -> None:
    """Make the dialog of a command known that stands beside its verb, in a module whose name ends in ``_verbs``."""
    DIALOGS[command] = Dialog(command, sections)


def dialog_of(command: str) -> Dialog:
    """The dialog of a menu command.

    Raises
    ------
    FijiError
        There is no such command.
    """
    if command not in DIALOGS:
        raise FijiError(f"There is no command {command!r} in the menu; known: {', '.join(DIALOGS)}.")
    return DIALOGS[command]
