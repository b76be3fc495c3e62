"""Calibrate the confidence of ROIs on annotated stacks, and tell how well that holds on others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.optimize import minimize

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.cleaning import clean
from deepd3_ij.errors import AnnotationError
from deepd3_ij.measurement import measure
from deepd3_ij.measurement.confidence import FEATURES, ConfidenceModel, Term
from deepd3_ij.measurement.evaluation import evaluate
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.parameters import EvaluationParameters, MeasureParameters, Roi3DParameters, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois import RoiSet, build_rois_3d
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.segmentation import predict
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.stack import voxel_size_um
from deepd3_ij.training.simulated_samples import HELD_OUT_SEED, varied_parameters

LOOSER_PEAK, LOOSER_VOLUME = 0.5, 0.25
"""Candidates are ROIs of half the recommended peak and a quarter of the recommended volume, so that what is told about
doubtful ROIs does not rest on those few that the recommended limits let pass."""
BINS = 10
LEAST_OF_A_KIND = 10
"""So many ROIs that are spines, and so many that are not, are needed at least."""
RIDGE = 10.0
"""Penalty of the squared weights of standardised features, which had the best likelihood on held-out stacks."""
_DRAWS = 2000
_MATCH_UM = 2.0
"""Along z, positions of a simulated spine and of its ROI may be this far apart."""


@dataclass(frozen=True, eq=False)
class JudgedRois:
    """ROIs of a stack of which it is known whether they are spines.

    Attributes
    ----------
    name
        Of the stack.
    spines
        Their rows of the table of spines.
    is_spine
        bool, shape ``(n,)``.
    recommended
        bool, shape ``(n,)``: the ROI is within the limits that the network's card recommends.
    """

    name: str
    spines: pd.DataFrame
    is_spine: npt.NDArray[np.bool_]
    recommended: npt.NDArray[np.bool_]


def judge_by_markers(
    name: str, stack: xr.DataArray, model: DeepD3Model, markers: SpinePoints, dendrites: Tracing | None = None, *,
    progress: Progress = no_progress,
) -> JudgedRois:
    """Find ROIs in a stack and judge them by annotated positions of spines.

    Parameters
    ----------
    name
        Of the stack.
    stack
        Image ``(z, y, x)``.
    model
        Network, with its card.
    markers
        Annotated spines.
    dendrites
        Traced dendrites in µm: without them the whole stack counts as annotated, with them only what is near them
        (``within_um``, ``trace_z_planes`` of :class:`EvaluationParameters`).
    progress
        Receives progress.

    Returns
    -------
    JudgedRois
        ROIs with a marker, and those without one where spines were annotated.
    """
    _, spines = _candidates(stack, model, progress)
    result = evaluate(_points(spines, stack), markers, dendrites)
    return _judged(name, spines, model, stack, [match.detected_id for match in result.matches],
                   result.false_positive_ids)


def judge_by_truth(
    name: str, scene: SimulatedScene, model: DeepD3Model, *, progress: Progress = no_progress
) -> JudgedRois:
    """The same with a simulated stack; ROIs on structures that are too dim to be called present or absent are left out.
    """
    rois, spines = _candidates(scene.stack, model, progress)
    truth = label_statistics(scene.spine.values)
    z_um, xy_um, _ = voxel_size_um(scene.stack)
    result = evaluate(_points(spines, scene.stack), SpinePoints(truth.ids, truth.centroids_zyx, z_um=z_um, xy_um=xy_um),
                      parameters=EvaluationParameters(match_z_planes=_MATCH_UM / z_um))
    unsure = np.unique(rois.labels.values[scene.doubtful_spine.values])
    return _judged(name, spines, model, scene.stack, [match.detected_id for match in result.matches],
                   np.setdiff1d(result.false_positive_ids, unsure))


def judge_simulated(model: DeepD3Model, count: int, *, progress: Progress = no_progress) -> list[JudgedRois]:
    """Judge ROIs of simulated stacks with varied microscopes and tissue, on which no network is trained."""
    judged = []
    for number in range(count):
        seed = HELD_OUT_SEED + 7000 + number
        scene = simulate(varied_parameters(np.random.default_rng([seed, 1])), seed)
        judged.append(judge_by_truth(f"simulated {number + 1}", scene, model, progress=progress))
    return judged


def fit_confidence(judged: Sequence[JudgedRois]) -> ConfidenceModel:
    """Fit a model to judged ROIs: logistic regression with a ridge.

    Raises
    ------
    AnnotationError
        There are too few ROIs that are spines or that are none.
    """
    table, is_spine = pd.concat([each.spines for each in judged]), np.concatenate([each.is_spine for each in judged])
    for kind, count in (("spines", int(is_spine.sum())), ("no spines", int((~is_spine).sum()))):
        if count < LEAST_OF_A_KIND:
            raise AnnotationError(f"{count} of {len(is_spine)} judged ROIs are {kind}; accepted: at least "
                                  f"{LEAST_OF_A_KIND}. Annotate more stacks.")
    values = np.stack([feature(table) for feature in FEATURES.values()], axis=1)
    low, high = np.quantile(values, (0.01, 0.99), axis=0)
    values = np.clip(values, low, high)
    middle, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    standard = np.column_stack([np.ones(len(values)), (values - middle) / scale])
    sign = np.where(is_spine, 1.0, -1.0)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = sign * (standard @ weights)
        slope = -standard.T @ (sign / (1 + np.exp(margin)))
        penalty = RIDGE * np.append(0.0, weights[1:])
        return float(np.logaddexp(0, -margin).sum() + (penalty * weights).sum() / 2), slope + penalty

    fitted = minimize(loss, np.zeros(standard.shape[1]), jac=True, method="L-BFGS-B", options={"gtol": 1e-8}).x
    weights = fitted[1:] / scale
    terms = {name: Term(*map(float, numbers)) for name, *numbers in zip(FEATURES, weights, low, high, strict=True)}
    return ConfidenceModel(terms, float(fitted[0] - (weights * middle).sum()))


def held_out_confidences(judged: Sequence[JudgedRois]) -> list[npt.NDArray[np.float64]]:
    """Confidence of the ROIs of each stack by a model that was fitted to all the other stacks."""
    return [fit_confidence([other for other in judged if other is not each])(each.spines) for each in judged]


@dataclass(frozen=True)
class Reliability:
    """How well confidences agree with what is the case.

    Attributes
    ----------
    rows
        One for each tenth of the confidence that occurs: ``low``, ``high``, ``count``, ``confidence`` (mean) and
        ``spines`` (share of the ROIs that are spines).
    count
        Number of ROIs.
    error
        Expected calibration error: the mean of the differences between confidence and share, weighted by the count.
    chance
        What the error would be on the average if the confidences were exactly right: it is not 0, since there are few
        ROIs.
    worse
        How often it would then be larger than `error`.
    brier, area
        Brier score, and area under the receiver operating characteristic (NaN without both kinds).
    """

    rows: tuple[Mapping[str, float], ...]
    count: int
    error: float
    chance: float
    worse: float
    brier: float
    area: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card, rounded; what is not defined is None."""
        return {name: _rounded(value) for name, value in dataclasses.asdict(self).items()}


def reliability(confidence: npt.NDArray[np.float64], is_spine: npt.NDArray[np.bool_]) -> Reliability:
    """Compare confidences, shape ``(n,)``, with what is the case, in ten bins of equal width.

    The expected calibration error is that of Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    used = np.flatnonzero(count)

    def error(outcome: npt.NDArray[Any]) -> float:
        return float(np.abs(np.bincount(bins, weights=outcome - confidence, minlength=BINS)).sum() / len(bins))

    draws = np.random.default_rng(0).random((_DRAWS, len(bins))) < confidence
    by_chance = np.array([error(draw.astype(float)) for draw in draws])
    actual = error(is_spine.astype(float))
    mean, share = (np.bincount(bins, weights=values, minlength=BINS)[used] / count[used]
                   for values in (confidence, is_spine))
    rows = tuple({"low": place / BINS, "high": (place + 1) / BINS, "count": int(count[place]),
                  "confidence": float(expected), "spines": float(found)}
                 for place, expected, found in zip(used, mean, share, strict=True))
    return Reliability(rows, len(bins), actual, float(by_chance.mean()), float((by_chance >= actual).mean()),
                       float(((confidence - is_spine) ** 2).mean()), _area(confidence, is_spine))


@dataclass(frozen=True)
class ConfidenceCalibration:
    """A fitted model and how well such models hold on stacks that they were not fitted to.

    Attributes
    ----------
    model
        Fitted to all stacks.
    held_out, recommended
        Of all ROIs, each judged by a model without its stack; and of those within the recommended limits.
    stacks
        The same of each stack, by name.
    """

    model: ConfidenceModel
    held_out: Reliability
    recommended: Reliability | None
    stacks: Mapping[str, Reliability]

    def scores(self) -> dict[str, Any]:
        """What a card tells about it."""
        return {"held_out": self.held_out.to_dict(),
                "recommended": None if self.recommended is None else self.recommended.to_dict(),
                "stacks": {name: {key: value for key, value in each.to_dict().items() if key != "rows"}
                           for name, each in self.stacks.items()}}


def calibrate_confidence(judged: Sequence[JudgedRois]) -> ConfidenceCalibration:
    """Fit a confidence to judged ROIs of at least two stacks, and try it with one stack left out at a time.

    Raises
    ------
    AnnotationError
        There are fewer than two stacks, or too few ROIs that are spines or that are none.
    """
    judged = [each for each in judged if len(each.is_spine)]
    if len(judged) < 2:
        raise AnnotationError(f"{len(judged)} stack{'' if len(judged) == 1 else 's'} with judged ROIs cannot calibrate "
                              "a confidence; accepted: at least 2, so that each can be tried on a stack that it was "
                              "not fitted to. Annotate another stack.")
    model = fit_confidence(judged)
    confidence = held_out_confidences(judged)
    joined = np.concatenate(confidence)
    is_spine, within = (np.concatenate([getattr(each, name) for each in judged]) for name in ("is_spine",
                                                                                                "recommended"))
    return ConfidenceCalibration(
        model, reliability(joined, is_spine),
        reliability(joined[within], is_spine[within]) if within.any() else None,
        {each.name: reliability(values, each.is_spine) for each, values in zip(judged, confidence, strict=True)})


def _area(confidence: npt.NDArray[np.float64], is_spine: npt.NDArray[np.bool_]) -> float:
    yes, no = confidence[is_spine], confidence[~is_spine]
    if not len(yes) or not len(no):
        return math.nan
    return float(((yes[:, None] > no).mean() + (yes[:, None] >= no).mean()) / 2)


def _candidates(stack: xr.DataArray, model: DeepD3Model, progress: Progress) -> tuple[RoiSet, pd.DataFrame]:
    """ROIs of wider limits than the recommended ones, as an analysis makes them, and their table."""
    prediction = clean(predict(stack, model, progress=progress), progress=progress)
    limits = resolve(Roi3DParameters, recommended=model.card.recommended, voxel_size_um=voxel_size_um(stack))
    wider = dataclasses.replace(limits.parameters, min_peak=limits.parameters.min_peak * LOOSER_PEAK,
                                min_voxels=max(1, round(limits.parameters.min_voxels * LOOSER_VOLUME)))
    rois = build_rois_3d(prediction, wider, progress)
    return rois, measure(rois, prediction, None, MeasureParameters(shapes=False), progress).spines


def _points(spines: pd.DataFrame, stack: xr.DataArray) -> SpinePoints:
    z_um, xy_um, _ = voxel_size_um(stack)
    return SpinePoints(spines["id"].to_numpy(), spines[["z_px", "y_px", "x_px"]].to_numpy(), z_um=z_um, xy_um=xy_um)


def _judged(name: str, spines: pd.DataFrame, model: DeepD3Model, stack: xr.DataArray, real: Sequence[int],
            false: npt.ArrayLike) -> JudgedRois:
    limits = resolve(Roi3DParameters, recommended=model.card.recommended,
                     voxel_size_um=voxel_size_um(stack)).parameters
    known = spines["id"].isin([*real, *np.asarray(false).tolist()])
    kept = spines[known & (spines["dendrite_id"] > 0)].reset_index(drop=True)
    recommended = (kept["max_probability"] >= limits.min_peak) & (kept["voxels"] >= limits.min_voxels)
    return JudgedRois(name, kept, kept["id"].isin(real).to_numpy(), recommended.to_numpy())


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [{name: _rounded(number) for name, number in row.items()} for row in value]
    return (None if math.isnan(value) else round(value, 4)) if isinstance(value, float) else value
