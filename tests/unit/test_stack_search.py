"""What a batch takes for a stack."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deepd3_ij.batch import find_stacks
from deepd3_ij.errors import StackError
from deepd3_ij.files.stack_search import search_stacks
from deepd3_ij.files.tiff import write_prediction_maps, write_stack
from deepd3_ij.outputs.scene_files import SCENE_ENDINGS, write_scene
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.simulation import simulate
from deepd3_ij.stack import label_prediction, label_stack

PIXELS = np.zeros((2, 8, 8), np.uint8)


def write_tiff(path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, PIXELS, photometric="minisblack", **options)
    return path


def found(top: Path, pattern: str = "**/*", leave_out: Path | None = None) -> list[str]:
    return [stack.source.relative_to(top).as_posix() for stack in search_stacks(top, pattern, leave_out)[0]]


def reasons(top: Path) -> dict[str, str]:
    return {item.path.relative_to(top).as_posix(): item.reason for item in search_stacks(top)[1]}


@pytest.mark.parametrize("name", ["a.tif", "a.TIF", "a.Tiff", "a.lsm", "a.btf", "a.tf8", "a.dat", "a"])
def test_a_tiff_file_is_a_stack_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    write_tiff(tmp_path / name)
    assert found(tmp_path) == [name]


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
def test_every_kind_of_tiff_is_a_stack(tmp_path: Path, options: dict[str, object]) -> None:
    write_tiff(tmp_path / "a.tif", **options)
    assert found(tmp_path) == ["a.tif"]


def test_what_is_no_tiff_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("hello")
    (tmp_path / "empty.tif").touch()
    (tmp_path / "notes.txt").write_text("hello")
    write_tiff(tmp_path / "._a.tif")
    write_tiff(tmp_path / ".hidden" / "a.tif")
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself.tif").symlink_to("itself.tif")
    assert found(tmp_path) == []
    told = reasons(tmp_path)
    assert told["text.tif"] == "no TIFF file"
    assert told["empty.tif"] == "empty"
    assert told["._a.tif"] == told[".hidden"] == "hidden"
    assert told["gone.tif"].startswith("a broken link to")
    assert told["itself.tif"].startswith("cannot be read")
    notable = {item.path.name for item in search_stacks(tmp_path)[1] if item.notable}
    assert notable == {"text.tif", "empty.tif", "gone.tif", "itself.tif"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    assert reasons(tmp_path) == {"a.tif": "no regular file"}


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiff(tmp_path / "a.tif")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert found(tmp_path) == ["a.tif"]
    assert reasons(tmp_path) == {"closed": "the folder cannot be read: Permission denied"}


def test_links_are_followed_once(tmp_path: Path) -> None:
    top = tmp_path / "in"
    write_tiff(top / "z" / "a.tif")
    write_tiff(tmp_path / "elsewhere" / "b.tif")
    (top / "again").symlink_to(top / "z")
    (top / "loop").symlink_to(top)
    (top / "other").symlink_to(tmp_path / "elsewhere")
    (top / "a2.tif").symlink_to(top / "z" / "a.tif")
    os.link(top / "z" / "a.tif", top / "z" / "c.tif")
    assert found(top) == ["other/b.tif", "z/a.tif"]
    assert reasons(top) == {
        "again": f"a link to {top / 'z'}, which is searched there", "loop": f"a link to {top}, which is searched there",
        "a2.tif": f"the same file as {top / 'z/a.tif'}", "z/c.tif": f"the same file as {top / 'z/a.tif'}"}


def write_set(folder: Path, names: list[str], listed: list[str] | None = None) -> None:
    listed = listed or names
    parts = "".join(f'<TiffData IFD="0" PlaneCount="1" FirstZ="{i}"><UUID FileName="{name}">urn:uuid:{i}</UUID>'
                    "</TiffData>" for i, name in enumerate(listed))
    for i, name in enumerate(names):
        xml = ('<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
               f'UUID="urn:uuid:{i}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
               f'SizeX="8" SizeY="8" SizeC="1" SizeZ="{len(listed)}" SizeT="1"><Channel ID="Channel:0:0"/>{parts}'
               "</Pixels></Image></OME>")
        tifffile.imwrite(folder / name, PIXELS[0], photometric="minisblack", description=xml.encode(), metadata=None)


def test_the_files_of_an_ome_set_are_one_stack(tmp_path: Path) -> None:
    names = [f"z_{number}.ome.tif" for number in range(3)]
    write_set(tmp_path, names)
    write_tiff(tmp_path / "single.tif")
    stacks, passed = search_stacks(tmp_path)
    assert [stack.source.name for stack in stacks] == ["single.tif", "z_0.ome.tif"]
    assert [path.name for path in stacks[1].files] == names
    assert {item.path.name: item.reason for item in passed} == dict.fromkeys(names[1:], "part of z_0.ome.tif")


def test_two_sets_in_a_folder_stay_two(tmp_path: Path) -> None:
    for letter in "ab":
        write_set(tmp_path, [f"{letter}{number}.ome.tif" for number in range(2)])
    assert found(tmp_path) == ["a0.ome.tif", "b0.ome.tif"]


def test_a_file_of_a_set_under_another_name_is_a_stack_of_its_own(tmp_path: Path) -> None:
    write_set(tmp_path, ["copy of a.ome.tif"], ["a.ome.tif"])
    assert found(tmp_path) == ["copy of a.ome.tif"]


def test_results_of_this_package_are_no_stacks_wherever_they_lie(tmp_path: Path) -> None:
    raw = label_stack(PIXELS, xy_um=0.1, z_um=0.5)
    write_stack(tmp_path / "raw.tif", raw)
    maps = label_prediction(PIXELS.astype(np.float32), PIXELS.astype(np.float32), raw, {})
    for eight_bit in (False, True):
        write_prediction_maps(tmp_path, f"raw{eight_bit}", maps, eight_bit=eight_bit)
    (tmp_path / "rawTrue_spines.tif").rename(tmp_path / "renamed.tif")
    assert found(tmp_path) == ["raw.tif"]


def test_a_simulated_stack_is_one_and_its_truth_is_none(tmp_path: Path) -> None:
    write_scene(simulate(SimulationParameters(planes=2, height_px=32, width_px=32)), tmp_path, "s")
    assert all((tmp_path / f"s{ending}").is_file() for ending in SCENE_ENDINGS)
    assert found(tmp_path) == ["s.tif"]


def test_what_a_record_lists_as_result_is_no_stack(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif")
    write_tiff(tmp_path / "a_roi_map.tif")  # saved by another program, which dropped the properties
    (tmp_path / "a_done.json").write_text(json.dumps({"files": {"a_roi_map.tif": {}}}))
    assert found(tmp_path) == ["a.tif"]


@pytest.mark.parametrize(("pattern", "names"), [
    ("**/*", ["a.tif", "b/a.TIF", "b/c/x.lsm"]), ("**/*.tif", ["a.tif", "b/a.TIF"]), ("*.TIF", ["a.tif"]),
    ("b/**/*", ["b/a.TIF", "b/c/x.lsm"]), ("**/[ax].*", ["a.tif", "b/a.TIF", "b/c/x.lsm"]), ("b/?.tif", ["b/a.TIF"]),
    ("**", ["a.tif", "b/a.TIF", "b/c/x.lsm"])])
def test_a_pattern_names_files_without_regard_to_case(tmp_path: Path, pattern: str, names: list[str]) -> None:
    for name in ("a.tif", "b/a.TIF", "b/c/x.lsm"):
        write_tiff(tmp_path / name)
    assert found(tmp_path, pattern) == names


@pytest.mark.parametrize("pattern", ["../*", "**/../../*", "/etc/*", "a/../../b", "", "b//a"])
def test_a_pattern_cannot_lead_out_of_the_folder(tmp_path: Path, pattern: str) -> None:
    top = tmp_path / "in"
    write_tiff(top / "a.tif")
    write_tiff(tmp_path / "secret.tif")
    with pytest.raises(StackError, match=r"accepted: names below the folder, without '\.\.'"):
        search_stacks(top, pattern)


@pytest.mark.parametrize("out", ["in", "in/results", "."])
def test_results_may_go_into_the_folder_with_the_stacks_or_around_it(tmp_path: Path, out: str) -> None:
    top = tmp_path / "in"
    write_tiff(top / "a.tif")
    target = tmp_path / out
    write_tiff(target / "earlier" / "b.tif")
    items, _ = find_stacks(top, target)
    inside = ["a", "b"] if out == "in" else ["a"]
    assert [item.stem for item in items] == inside
    assert items[0].folder == target.resolve()


def test_without_a_stack_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(StackError, match=r"is a stack .*1 other files were seen, the first: a\.tif \(no TIFF file\)"):
        find_stacks(tmp_path, tmp_path / "out")
