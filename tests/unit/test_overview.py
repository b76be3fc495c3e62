"""The overview picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import OutputError
from deepd3_ij.outputs import overview
from deepd3_ij.outputs.overview import draw_overview, nice_length_um
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_like, label_prediction, label_stack


def scene(shape=(3, 60, 60), *, rois: bool = True, dtype=np.uint8):
    image = np.full(shape, 10, dtype)
    image[:, ::7, ::5] = 60
    dendrite, spine = np.zeros((2, *shape), np.float32)
    labels = np.zeros(shape, np.int32)
    if rois:
        dendrite[:, :, 20:25] = 1
        spine[:, 30:40, 40:50] = 1
        labels[1, 30:40, 40:50] = 17
    stack = label_stack(image, xy_um=0.1, z_um=0.5, source="/home/someone/cell.tif")
    return stack, label_prediction(dendrite, spine, stack, {}), RoiSet(label_like(labels, stack))


def picture(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return imread(path)[..., :3]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64), (2, 300, 20), (2, 20, 300), (1, 2048, 2048), (2, 1, 1)])
def test_any_shape_gives_a_picture_of_sensible_size(tmp_path, shape):
    draw_overview(tmp_path / "a.png", *scene(shape, rois=False))
    height, width, _ = picture(tmp_path / "a.png").shape
    assert 500 <= width <= 3000
    assert height <= 2400


def test_dendrite_is_magenta_spine_green_and_roi_outlined_in_yellow(tmp_path):
    draw_overview(tmp_path / "a.png", *scene())
    red, green, blue = np.moveaxis(picture(tmp_path / "a.png"), 2, 0)
    right = np.s_[:, red.shape[1] // 2:]
    magenta = (red > green + 0.1) & (blue > green + 0.1)
    greenish = (green > red + 0.1) & (green > blue + 0.1)
    yellow = (red > 0.7) & (green > 0.7) & (blue < 0.5)
    assert magenta[right].sum() > 10_000
    assert greenish[right].sum() > 10_000
    assert yellow[right].sum() > 500
    left = np.s_[:, : red.shape[1] // 2]
    assert not magenta[left].any()
    assert not yellow[left].any()


def test_only_the_file_name_is_shown_not_its_folder(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    texts = []
    original = Figure.text
    monkeypatch.setattr(Figure, "text",
                        lambda self, x, y, s, **more: texts.append(s) or original(self, x, y, s, **more))
    measurements = SimpleNamespace(dendrites=pd.DataFrame({"length_um": [10.0, 4.6]}))
    draw_overview(tmp_path / "a.png", *scene(), measurements)
    assert texts[0] == "cell.tif"
    assert texts[1] == "1 spine · 2 dendrites · 15 µm · 60 × 60 px, 3 planes · 0.1 × 0.1 × 0.5 µm"


def test_ids_are_written_without_covering_each_other(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    stack, prediction, rois = scene((1, 100, 100), rois=False)
    for number in range(100):
        y, x = divmod(number, 10)
        rois.labels.values[0, y * 10 + 3:y * 10 + 6, x * 10 + 3:x * 10 + 6] = number + 1
    boxes = []
    original = Axes.annotate
    monkeypatch.setattr(Axes, "annotate", lambda self, text, xy, *a, **k: boxes.append((text, xy, k["fontsize"]))
                        or original(self, text, xy, *a, **k))
    draw_overview(tmp_path / "a.png", stack, prediction, RoiSet(rois.labels))
    names = [(xy, 0.6 * size * 100 / 72 * len(text), 0.9 * size * 100 / 72)
             for text, xy, size in boxes if text.isdecimal()]
    assert len(names) == 100
    for index, ((x, y), width, height) in enumerate(names):
        for (other_x, other_y), other_width, _ in names[index + 1:]:
            assert abs(x - other_x) >= (width + other_width) / 2 or abs(y - other_y) >= height


def test_constant_and_broken_pixels_are_drawn(tmp_path):
    stack, prediction, rois = scene((2, 30, 30), dtype=np.float32)
    stack.values[:] = 5
    stack.values[0, 3, 3], stack.values[1, 4, 4] = np.nan, np.inf
    draw_overview(tmp_path / "a.png", stack, prediction, rois)
    assert np.isfinite(picture(tmp_path / "a.png")).all()


def test_lazy_stacks_are_drawn(tmp_path):
    stack, prediction, rois = scene()
    draw_overview(tmp_path / "a.png", stack.chunk({"z": 1}), prediction, rois)
    draw_overview(tmp_path / "b.png", stack, prediction, rois)
    assert np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


def test_pyplot_is_not_loaded(tmp_path):
    code = ("import sys, numpy as np\n"
            "from tests.unit.test_overview import scene, draw_overview\n"
            f"draw_overview({str(tmp_path / 'a.png')!r}, *scene())\n"
            "assert 'matplotlib.pyplot' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])


def test_a_missing_folder_is_a_clear_error(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        draw_overview(tmp_path / "none" / "a.png", *scene())


@pytest.mark.parametrize(("longest", "expected"), [(12.3, 10), (10, 10), (9.99, 5), (4.9, 2), (0.3, 0.2), (0.1, 0.1)])
def test_scale_bar_has_a_round_length(longest, expected):
    assert nice_length_um(longest) == pytest.approx(expected)


def test_a_large_stack_is_drawn_from_fewer_pixels_at_the_same_places(tmp_path, monkeypatch):
    image = np.full((1, 7001, 3002), 10, np.uint8)
    image[0, 3000:4000, 1000:2000] = 90
    stack = label_stack(image, xy_um=0.1, z_um=0.5)
    nothing = np.zeros(image.shape, np.float32)
    rest = label_prediction(nothing, nothing, stack, {}), RoiSet(label_like(nothing.astype(np.int32), stack))
    draw_overview(tmp_path / "few.png", stack, *rest)
    monkeypatch.setattr(overview, "_pooled", lambda values, every: values)
    monkeypatch.setattr(overview, "_show", lambda axes, values, layout, every, shape, show=overview._show: show(
        axes, values, layout, 1, shape))
    draw_overview(tmp_path / "all.png", stack, *rest)
    few, every = picture(tmp_path / "few.png"), picture(tmp_path / "all.png")
    assert few.shape == every.shape
    assert np.abs(few - every).mean() < 0.004
