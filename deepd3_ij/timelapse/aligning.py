"""Time points in one frame: registration to a reference, then links and local displacements in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.timelapse.field import LocalField
from deepd3_ij.timelapse.linking import Detections, Links, Spread, link, tracks_of
from deepd3_ij.timelapse.registration import PARALLEL, Z_WEIGHT, Registrar, RegistrationQuality, RigidTransform
from deepd3_ij.timelapse.timepoint import TimePoint

ROUNDS_UM = ((2.5, 12.0), (2.0, 10.0), (1.5, 8.0), (1.5, 6.0), (1.5, 6.0))
"""Gate of the links that the local displacements are taken from, and width of their mean, one round after the other."""


LINE_KNOTS_UM, LINE_GATE_UM, LINE_SIGMA_UM = 1.0, 2.5, 5.0


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a time point lies in the frame of the reference.

    Attributes
    ----------
    rigid, fields
        Turn and shift, then local displacements, one after the other.
    quality
        How good the registration is; None for the reference itself and without registration.
    """

    rigid: RigidTransform
    fields: tuple[LocalField, ...] = ()
    quality: RegistrationQuality | None = None

    def __call__(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions of the time point into the frame of the reference."""
        moved = self.rigid(zyx_um)
        for field in self.fields:
            moved = moved + field(moved)
        return moved

    def inverse(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions of the reference into the time point."""
        places = zyx_um
        for field in reversed(self.fields):
            places = field.inverse(places)
        return self.rigid.inverse(places)


def placed(points: Sequence[TimePoint], reference: int, parameters: TimelapseParameters) -> list[Placement]:
    """Turn and shift that lay each time point on the reference."""
    registrar = Registrar(points[reference], points) if parameters.registration != "none" else None
    found = []
    for number, point in enumerate(points):
        if number == reference or registrar is None:
            found.append(Placement(RigidTransform.identity()))
        else:
            rigid, quality = registrar(point)
            found.append(Placement(rigid, quality=quality))
    return found


def with_fields(points: Sequence[TimePoint], placements: Sequence[Placement], reference: int,
                parameters: TimelapseParameters) -> list[Placement]:
    """Add the local displacements: of the centre lines, then of linked spines in several rounds."""
    if parameters.registration != "local":
        return list(placements)
    base = [placement if number == reference else replace(
        placement, fields=(_line_field(point, placement, points[reference]),))
        for number, (point, placement) in enumerate(zip(points, placements, strict=True))]
    current = base
    spread = Spread.usual(parameters)
    for gate, sigma in ROUNDS_UM:
        detections = detections_of(points, current)
        links = link(detections, parameters, gate_um=gate, spread=spread)
        spread = Spread.of(detections, links, parameters)
        current = [placement if number == reference else replace(
            placement, fields=(*placement.fields, _field(points[number], placement, detections, links, number, sigma)))
            for number, placement in enumerate(base)]
    return current


def detections_of(points: Sequence[TimePoint], placements: Sequence[Placement]) -> Detections:
    """All spines in the frame of the reference."""
    session = np.concatenate([np.full(len(point.spines), number) for number, point in enumerate(points)])
    row = np.concatenate([np.arange(len(point.spines)) for point in points])
    zyx = np.concatenate([place(point.zyx_um) for point, place in zip(points, placements, strict=True)])
    direction = np.concatenate([_directions(point, place) for point, place in zip(points, placements, strict=True)])
    size = np.concatenate([point.size for point in points])
    return Detections(session.astype(np.int64), row.astype(np.int64), zyx, direction, size)


def _directions(point: TimePoint, placement: Placement) -> np.ndarray:
    """From the nearest centre line to each spine, in the plane and the frame of the reference, in µm."""
    spines = point.zyx_um
    if not len(point.lines) or not len(spines):
        return np.zeros((len(spines), 2))
    _, row = point.lines.nearest(spines, 1 / 3)
    return placement.rigid.turned(spines - point.lines.zyx_um[row])[:, 1:]


def _line_field(point: TimePoint, placement: Placement, reference: TimePoint) -> LocalField:
    """Displacement across the centre lines, from places along them to the nearest ones of the reference."""
    lines = point.lines
    chosen = np.unique(np.floor(np.cumsum(lines.length_um) / LINE_KNOTS_UM), return_index=True)[1]
    knots = placement(lines.zyx_um[chosen])
    distance, row = reference.lines.nearest(knots, Z_WEIGHT)
    tangent = reference.lines.tangent[row]
    own = placement.rigid.turned(lines.tangent[chosen])
    kept = (distance <= LINE_GATE_UM) & (np.abs((tangent * own).sum(axis=1)) >= PARALLEL)
    step, tangent = (reference.lines.zyx_um[row] - knots)[kept], tangent[kept]
    across = step - (step * tangent).sum(axis=1, keepdims=True) * tangent
    return LocalField(knots[kept], across, LINE_SIGMA_UM)


def _field(point: TimePoint, placement: Placement, detections: Detections, links: Links, number: int,
           sigma_um: float) -> LocalField:
    """Displacement from the spines of a time point to the mean of the same spines at the others."""
    track = tracks_of(links, len(detections))
    count = np.bincount(track)
    total = np.stack([np.bincount(track, column) for column in detections.zyx_um.T], axis=1)
    own = np.flatnonzero(detections.session == number)
    own = own[count[track[own]] > 1]
    others = (total[track[own]] - detections.zyx_um[own]) / (count[track[own]] - 1)[:, None]
    knots = placement(point.zyx_um[detections.row[own]])
    return LocalField(knots, others - knots, sigma_um)
