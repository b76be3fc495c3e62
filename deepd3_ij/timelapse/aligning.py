"""Time points in one frame: registration to a reference, then links and local displacements in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.timelapse.field import LocalField
from deepd3_ij.timelapse.linking import Detections, Links, link, tracks_of
from deepd3_ij.timelapse.registration import Registrar, RegistrationQuality, RigidTransform
from deepd3_ij.timelapse.timepoint import TimePoint

GATES_UM = (2.5, 2.0, 1.5, 1.5)
"""Of the links that the local displacements are taken from, one round after the other."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a time point lies in the frame of the reference.

    Attributes
    ----------
    rigid, field
        Turn and shift, then the local displacement.
    quality
        How good the registration is; None for the reference itself and without registration.
    """

    rigid: RigidTransform
    field: LocalField
    quality: RegistrationQuality | None = None

    def __call__(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions of the time point into the frame of the reference."""
        moved = self.rigid(zyx_um)
        return moved + self.field(moved)

    def inverse(self, zyx_um: np.ndarray) -> np.ndarray:
        """Move positions of the reference into the time point."""
        return self.rigid.inverse(self.field.inverse(zyx_um))


def placed(points: Sequence[TimePoint], reference: int, parameters: TimelapseParameters) -> list[Placement]:
    """Turn and shift that lay each time point on the reference."""
    registrar = Registrar(points[reference], points) if parameters.registration != "none" else None
    found = []
    for number, point in enumerate(points):
        if number == reference or registrar is None:
            found.append(Placement(RigidTransform.identity(), LocalField.none()))
        else:
            rigid, quality = registrar(point)
            found.append(Placement(rigid, LocalField.none(), quality))
    return found


def with_fields(points: Sequence[TimePoint], placements: Sequence[Placement], reference: int,
                parameters: TimelapseParameters) -> list[Placement]:
    """Add the local displacements, from the links of several rounds."""
    current = list(placements)
    if parameters.registration != "local":
        return current
    for gate in GATES_UM:
        detections = detections_of(points, current)
        links = link(detections, parameters, gate_um=gate)
        current = [placement if number == reference else replace(
            placement, field=_field(points[number], placement, detections, links, number))
            for number, placement in enumerate(current)]
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


def _field(point: TimePoint, placement: Placement, detections: Detections, links: Links, number: int) -> LocalField:
    """Displacement from the spines of a time point to the mean of the same spines at the others."""
    track = tracks_of(links, len(detections))
    count = np.bincount(track)
    total = np.stack([np.bincount(track, column) for column in detections.zyx_um.T], axis=1)
    own = np.flatnonzero(detections.session == number)
    own = own[count[track[own]] > 1]
    others = (total[track[own]] - detections.zyx_um[own]) / (count[track[own]] - 1)[:, None]
    knots = placement.rigid(point.zyx_um[detections.row[own]])
    return LocalField(knots, others - knots)
