"""Tracings in SNT's own format."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij import label_stack
from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.annotation.units import guess_units
from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.snt_traces import read_traces
from deepd3_ij.training.dataset import read_dendrites

DOCTYPE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tracings [
  <!ELEMENT tracings (samplespacing,imagesize,path*,fill*)>
  <!ELEMENT point EMPTY>
  <!ATTLIST point x CDATA #REQUIRED>
]>
"""
BODY = """<tracings>
  <samplespacing x="0.1" y="0.1" z="0.5" units="{units}"/>
  <imagesize width="40" height="30" depth="6"/>
  <path id="0" swctype="3" usefitted="true" fitted="2">
    <point x="5" y="10" z="2" xd="0.5" yd="1.0" zd="1.0"/>
    <point x="25" y="10" z="2" xd="2.5" yd="1.0" zd="1.0"/>
  </path>
  <path id="1" swctype="3" startson="0" startsx="1.5" startsy="1.0" startsz="1.0" usefitted="false">
    <point x="15" y="20" z="3" xd="1.5" yd="2.0" zd="1.5"/>
  </path>
  <path id="2" fittedversionof="0" usefitted="false">
    <point x="5" y="10" z="2" xd="0.5" yd="1.0" zd="1.0" r="0.2"/>
    <point x="15" y="10" z="2" xd="1.5" yd="1.0" zd="1.0" r="0.2"/>
    <point x="25" y="10" z="2" xd="2.5" yd="1.0" zd="1.0" r="0.2"/>
  </path>
</tracings>
"""


def written(path: Path, text: str, packed: bool = True) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_fitted_paths_count_and_branches_begin_where_they_start(tmp_path: Path, packed: bool) -> None:
    tracing, units = read_traces(written(tmp_path / "cell.traces", DOCTYPE + BODY.format(units="µm"), packed))
    assert units == "um"
    np.testing.assert_allclose(tracing.xyz, [[0.5, 1, 1], [1.5, 1, 1], [2.5, 1, 1], [1.5, 2, 1.5]])
    assert tracing.radius.tolist() == [0.2, 0.2, 0.2, 0]
    assert tracing.parents.tolist() == [-1, 1, 2, 2]


def test_a_tracing_of_an_image_without_voxel_size_is_in_pixels(tmp_path: Path) -> None:
    tracing, units = read_traces(written(tmp_path / "cell.traces", BODY.format(units="pixels")))
    assert units == "px"
    assert tracing.xyz[0].tolist() == [5, 10, 2]
    assert tracing.parents.tolist() == [-1, 1, 2, 2]


def test_it_is_drawn_at_its_place(tmp_path: Path) -> None:
    stack = label_stack(np.zeros((6, 30, 40), np.uint8), xy_um=0.1, z_um=0.5)
    mask, told = read_dendrites(written(tmp_path / "cell.traces", DOCTYPE + BODY.format(units="micron")), stack)
    assert [bool(mask[place]) for place in ((2, 10, 5), (2, 10, 25), (3, 20, 15), (2, 20, 35))] == [1, 1, 1, 0]
    assert told == "positions in µm (as the file tells)"


BOMB = '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><tracings><path id="&b;"/></tracings>'


@pytest.mark.parametrize(("content", "problem"), [
    (gzip.compress(BODY.encode())[:100], "cannot be read"),
    (b"<tracings><path", "damaged"),
    (b"<svg/>", "another kind"),
    (b"<tracings/>", "no traced points"),
    (BODY.format(units="um").replace('xd="2.5"', 'xd="nan"').encode(), "xd of a point"),
    (BOMB.encode(), "entity"),
])
def test_what_is_no_tracing_is_refused_in_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "cell.traces").write_bytes(content)
    with pytest.raises(AnnotationError, match=problem) as error:
        read_traces(tmp_path / "cell.traces")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("positions", "units"), [
    ([(1.2, 3.4, 2.0), (19.5, 8.0, 20.0)], "um"), ([(12, 34, 4), (195, 80, 40)], "px"),
    ([(1, 1, 1), (5, 5, 3)], "px"), ([(1.5, 1, 1), (5, 5, 3)], "um")])
def test_the_unit_is_guessed_from_the_extent(positions: list[tuple[float, float, float]], units: str) -> None:
    count = len(positions)
    tracing = Tracing(np.arange(count) + 1, np.full(count, 3), np.array(positions, float), np.zeros(count),
                      np.arange(count) - (np.arange(count) == 0))
    found, reason = guess_units(tracing, (50, 200, 200), xy_um=0.1, z_um=0.5)
    assert found == units
    assert "nodes lie in the stack" in reason
