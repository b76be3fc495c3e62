"""From tracings to volumes."""

from __future__ import annotations

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.errors import AnnotationError, Cancelled, VoxelSizeError
from deepd3_ij.notes import collected_notes
from tests.notes import told


def path(*nodes: tuple[float, float, float, float]) -> Tracing:
    """Unbranched tracing of (x, y, z, radius)."""
    values = np.array(nodes, dtype=float)
    count = len(values)
    return Tracing(np.arange(1, count + 1), np.full(count, 3), values[:, :3], values[:, 3],
                   np.array([-1, *range(1, count)]))


TOLERANCE_UM = 0.01  # of the densely sampled balls


def sampled(tracing: Tracing, shape: tuple[int, int, int], voxel: tuple[float, float, float]
            ) -> tuple[np.ndarray, np.ndarray]:
    """What many balls along the tracing say of every voxel.

    Returns the signed distance of its centre to the nearest ball (negative inside), and whether a ball's centre lies
    in the voxel (which reaches half a voxel to each side of its centre).
    """
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, voxel, strict=True)), indexing="ij"), axis=-1)
    nearest, crossed = np.full(shape, np.inf), np.zeros(shape, bool)
    for begin, end in tracing.segments:
        length = np.linalg.norm(tracing.xyz[end] - tracing.xyz[begin])
        for t in np.linspace(0, 1, 2 + int(length / TOLERANCE_UM)):
            centre = (1 - t) * tracing.xyz[begin] + t * tracing.xyz[end]
            radius = (1 - t) * tracing.radius[begin] + t * tracing.radius[end]
            away = np.abs(grid - centre[::-1])
            nearest = np.minimum(nearest, np.linalg.norm(away, axis=-1) - radius)
            crossed |= (away <= np.array(voxel) / 2 + TOLERANCE_UM).all(axis=-1)
    return nearest, crossed


@st.composite
def tubes(draw: st.DrawFn, beyond_um: float) -> tuple[Tracing, tuple[int, int, int], tuple[float, float, float]]:
    """One segment with its volume; its ends lie in the volume or up to so many µm beside it."""
    shape, voxel = (6, 14, 18), draw(st.sampled_from([(0.5, 0.1, 0.1), (0.1, 0.1, 0.1), (0.2, 0.12, 0.12)]))
    ranges = [(-0.499 * size - beyond_um, (count - 0.501) * size + beyond_um)
              for count, size in zip(shape[::-1], voxel[::-1], strict=True)]
    ends = [(*(draw(st.floats(*reach)) for reach in ranges), draw(st.floats(0.15, 0.6))) for _ in range(2)]
    return path(*ends), shape, voxel


@settings(max_examples=25)
@given(tubes(beyond_um=0))
def test_a_voxel_is_set_where_its_centre_lies_in_the_tapered_tube_or_the_centre_line_passes(
    tube: tuple[Tracing, tuple[int, int, int], tuple[float, float, float]]
) -> None:
    tracing, shape, voxel = tube
    drawn = draw_tracing(tracing, shape, xy_um=voxel[1], z_um=voxel[0])
    distance, crossed = sampled(tracing, shape, voxel)
    assert drawn[distance < -TOLERANCE_UM].all()
    assert not drawn[(distance > TOLERANCE_UM) & ~crossed].any()


@settings(max_examples=25)
@given(tubes(beyond_um=1))
def test_a_tube_is_cut_off_at_the_border_and_one_that_lies_beside_the_volume_is_refused(
    tube: tuple[Tracing, tuple[int, int, int], tuple[float, float, float]]
) -> None:
    tracing, shape, voxel = tube
    distance, crossed = sampled(tracing, shape, voxel)
    try:
        drawn = draw_tracing(tracing, shape, xy_um=voxel[1], z_um=voxel[0])
    except AnnotationError:
        assert distance.min() > -TOLERANCE_UM
    else:
        assert drawn[distance < -TOLERANCE_UM].all()
        assert not drawn[(distance > TOLERANCE_UM) & ~crossed].any()


def test_the_radius_is_in_micrometres_in_every_direction() -> None:
    drawn = draw_tracing(path((2, 2, 5, 1), (2, 2, 5, 1)), (21, 41, 41), xy_um=0.1, z_um=0.5)
    assert drawn[10, 20].sum() == 21
    assert drawn[10, :, 20].sum() == 21
    assert drawn[:, 20, 20].sum() == 5


def test_fractional_radii_and_positions_are_not_rounded() -> None:
    volume = draw_tracing(path((3.3, 3.0, 3.0, 0.8), (6.3, 3.0, 3.0, 0.8)), (7, 7, 11), xy_um=1, z_um=1)
    assert np.flatnonzero(volume[3, 3]).tolist() == [3, 4, 5, 6, 7]


def test_the_last_node_is_drawn() -> None:
    drawn = draw_tracing(path((5, 10, 3, 1), (20, 10, 3, 4)), (7, 21, 30), xy_um=1, z_um=1)
    assert drawn[3, 10, 24]


def test_a_single_node_is_a_ball() -> None:
    drawn = draw_tracing(path((5, 5, 5, 2)), (11, 11, 11), xy_um=1, z_um=1)
    zyx = np.indices((11, 11, 11)) - 5
    np.testing.assert_array_equal(drawn, (zyx ** 2).sum(axis=0) <= 4)


@pytest.mark.parametrize("radius", [0.0, 0.02])
def test_a_tube_thinner_than_a_voxel_stays_a_connected_line(radius: float) -> None:
    drawn = draw_tracing(path((0.2, 0.3, 0.1, radius), (2.5, 1.6, 4.2, radius)), (12, 20, 30), xy_um=0.1, z_um=0.5)
    assert drawn.sum() >= 23
    assert cc3d.connected_components(drawn, connectivity=26).max() == 1


def test_what_lies_outside_is_cut_off_and_nothing_wraps_round() -> None:
    tracing = path((-3, 5, 5, 2), (4, 5, 5, 2))
    small = draw_tracing(tracing, (11, 11, 30), xy_um=1, z_um=1)
    moved = Tracing(tracing.ids, tracing.types, tracing.xyz + np.array([10, 0, 0]), tracing.radius, tracing.parents)
    large = draw_tracing(moved, (11, 11, 40), xy_um=1, z_um=1)
    np.testing.assert_array_equal(small, large[:, :, 10:])
    assert not small[:, :, 7:].any()


def test_pixels_and_micrometres_give_the_same_volume() -> None:
    um = path((1, 2, 2, 0.5), (3, 2, 4, 0.3))
    px = Tracing(um.ids, um.types, um.xyz / [0.1, 0.1, 0.5], um.radius, um.parents)
    np.testing.assert_array_equal(draw_tracing(um, (12, 40, 40), xy_um=0.1, z_um=0.5),
                                  draw_tracing(px, (12, 40, 40), xy_um=0.1, z_um=0.5, units="px"))


def test_roots_are_not_joined() -> None:
    tracing = Tracing(np.arange(4), np.full(4, 3), np.array([[2, 2, 1], [2, 8, 1], [12, 2, 1], [12, 8, 1]], float),
                      np.ones(4), np.array([-1, 0, -1, 2]))
    drawn = draw_tracing(tracing, (3, 11, 15), xy_um=1, z_um=1)
    assert cc3d.connected_components(drawn, connectivity=26).max() == 2


def test_a_tracing_in_the_wrong_unit_is_noticed() -> None:
    with pytest.raises(AnnotationError, match="outside of the volume") as caught:
        draw_tracing(path((500, 400, 30, 1), (520, 400, 30, 1)), (20, 64, 64), xy_um=0.1, z_um=0.5)
    assert "the volume from (-0.05, -0.05, -0.25) to (6.35, 6.35, 9.75) µm" in str(caught.value)


def test_a_node_at_the_far_face_of_the_last_voxel_lies_in_the_volume_and_one_beyond_it_does_not() -> None:
    assert draw_tracing(path((6.34, 3, 2, 0)), (20, 64, 64), xy_um=0.1, z_um=0.5)[4, 30, 63]
    with pytest.raises(AnnotationError, match="outside of the volume"):
        draw_tracing(path((6.36, 3, 2, 0)), (20, 64, 64), xy_um=0.1, z_um=0.5)


def test_wrong_options_are_named() -> None:
    with pytest.raises(AnnotationError, match="units is 'nm'"):
        draw_tracing(path((1, 1, 1, 1)), (3, 3, 3), xy_um=1, z_um=1, units="nm")
    with pytest.raises(VoxelSizeError, match="z_um is 0"):
        draw_tracing(path((1, 1, 1, 1)), (3, 3, 3), xy_um=1, z_um=0)


def test_drawing_can_be_cancelled() -> None:
    def stop(done: int, total: int, message: str, /) -> None:
        raise Cancelled(message)

    with pytest.raises(Cancelled):
        draw_tracing(path((1, 1, 1, 1)), (3, 3, 3), xy_um=1, z_um=1, progress=stop)


def test_nodes_outside_of_the_volume_are_not_cut_off_without_a_word() -> None:
    with told("1 of the tracing's 2 nodes lie outside .* As pixels and planes all would lie inside"):
        draw_tracing(path((1, 1, 1, 0.1), (30, 1, 1, 0.1)), (9, 20, 40), xy_um=0.1, z_um=0.5)


def test_a_tracing_inside_of_the_volume_is_no_matter_for_a_note() -> None:
    with collected_notes() as notes:
        draw_tracing(path((0, 0, 0, 0.1), (3.9, 1.9, 4, 0.1)), (9, 20, 40), xy_um=0.1, z_um=0.5)
    assert notes == []
