"""The file of a run, and settings of single stacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deepd3_ij.batch import BatchItem, BatchSettings, Shard
from deepd3_ij.batch.overrides import Layer, Overrides, read_override_table
from deepd3_ij.batch.run_file import RunFile, as_yaml, read_run_file, with_command_line
from deepd3_ij.errors import ParameterError
from deepd3_ij.model import load_model
from deepd3_ij.parameters import CleaningParameters, PredictionParameters, Roi3DParameters

NAMES = ("a.tif", "b_green.tif", "deep/c_green.tif", "deep/d[1].tif")
RUN = """
version: 1
input: stacks
output: results
voxel_size: {xy: 0.1}
channel: 1
z_range: [3, 20]
outputs: [tables, overview]
Roi3DParameters: {min_peak: 0.8}
overrides:
- {match: "**/*_green.tif", channel: 0, min_peak: 0.5}
- match: deep/*
  voxel_size: {z: 0.3}
  CleaningParameters: {closing: false}
table: table.csv
"""
TABLE = "file;xy;min_peak\ndeep/c_green.tif;0,25;\ndeep/d[1].tif;;0,6\n"


def items() -> list[BatchItem]:
    return [BatchItem(Path(name), Path("out"), Path(name).stem, name=name) for name in NAMES]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text(RUN)
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path / "run.yaml"


def test_what_is_nearer_to_a_stack_counts_more(file: Path) -> None:
    run = read_run_file(file)
    assert (run.source, run.target) == (file.parent / "stacks", file.parent / "results")
    run = with_command_line(run, Layer({}, {Roi3DParameters: {"area_threshold": 0.3}}), None)
    found = run.overrides.of_items(items(), run.settings)
    a, b, c, d = (found[name] for name in NAMES)
    assert (a.xy_um, a.z_um, a.channel, a.z_range, a.outputs) == (0.1, None, 1, (3, 20), ("tables", "overview"))
    assert a.typed[Roi3DParameters] == {"min_peak": 0.8, "area_threshold": 0.3}
    assert (b.channel, b.typed[Roi3DParameters]["min_peak"]) == (0, 0.5)
    assert (c.xy_um, c.z_um, c.channel) == (0.25, 0.3, 0)
    assert c.typed[CleaningParameters] == {"closing": False}
    assert (d.xy_um, d.channel, d.typed[Roi3DParameters]["min_peak"]) == (0.1, 1, 0.6)
    typed = with_command_line(read_run_file(file), Layer({"channel": 2}, {Roi3DParameters: {"min_peak": 0.9}}), None)
    for settings in typed.overrides.of_items(items(), typed.settings).values():
        assert (settings.channel, settings.typed[Roi3DParameters]["min_peak"]) == (2, 0.9)


def test_the_resolved_file_repeats_the_run(file: Path, tmp_path: Path) -> None:
    model = load_model(None)
    run = with_command_line(read_run_file(file), Layer({"channel": 2}, {PredictionParameters: {"resample": False}}),
                            None)
    (tmp_path / "again.yaml").write_text(as_yaml(run, model))
    text = (tmp_path / "again.yaml").read_text()
    assert "channel: 2  # command line" in text
    assert "xy: 0.1  # run.yaml" in text
    assert "  # area_threshold: 0.15  # recommended by the model" in text
    assert "  # dilation: 0  # default" in text
    assert f"SHA-256 {model.sha256}" in text
    again = read_run_file(tmp_path / "again.yaml")
    assert again.source is not None
    assert again.source.resolve() == (file.parent / "stacks").resolve()
    wanted = run.overrides.of_items(items(), run.settings)
    assert again.overrides.of_items(items(), again.settings) == wanted
    assert BatchSettings.from_dict(wanted["a.tif"].to_dict()) == wanted["a.tif"]


@pytest.mark.parametrize(("text", "message"), [
    ("version: 1\nmodle: x", "'modle' is not known; model is near"),
    ("version: 2", "version is 2; accepted: 1"),
    ("version: 1\nRoi3DParameters: {min_peek: 0.5}", "'min_peek' is not known; min_peak is near"),
    ("version: 1\nRoi3DParameters: {min_peak: 1e-3}", "min_peak is '1e-3'; accepted: a number from 0 to 1"),
    ("version: 1\nCleaningParameters: {closing: 'no'}", "closing is 'no'; accepted: true or false"),
    ("version: 1\nmodel: no", "model is False; accepted: a text"),
    ("version: 1\nchannel: -1", "channel is -1"),
    ("version: 1\nz_range: '20:3'", "z_range is '20:3'"),
    ("version: 1\noutputs: [mapps]", "no output 'mapps'"),
    ("version: 1\noverrides: [{channel: 1}]", "entry 1 has no match"),
    ("version: 1\noverrides: [{match: a, chanel: 1}]", "'chanel' is not known; channel is near"),
    ("version: 1\nvoxel_size: 0.1", r"voxel_size is 0\.1"),
    ("version: 1\noverrides: [{match: a, voxel_size: {channel: 1}}]", "voxel_size: 'channel' is not known"),
    ("!!python/object/apply:os.system [ls]", "is no YAML"),
    ("- 1", "no table of names"), ("a: [", "is no YAML"), ("\x00", "is no YAML")])
def test_a_mistake_is_told_with_what_is_near(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ParameterError, match=message):
        read_run_file(tmp_path / "run.yaml")


@pytest.mark.parametrize(("text", "message"), [
    ("file,chanel\na.tif,1\n", "'chanel' is not known; channel is near"), ("xy\n0.1\n", "no column 'file'"),
    ("file,min_peak\na.tif,x\n", "table.csv, line 2: min_peak is 'x'"), ("file,xy\na.tif,wide\n", "xy is 'wide'")])
def test_a_mistake_of_a_table_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ParameterError, match=message):
        read_override_table(tmp_path / "table.csv")


def test_settings_that_fit_no_stack_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("file,xy\nA.tif,0.1\n")
    overrides = Overrides(by_name=read_override_table(tmp_path / "table.csv"))
    with pytest.raises(ParameterError, match=r"A\.tif fits no stack; a\.tif is near"):
        overrides.of_items(items(), BatchSettings({}))


def test_every_stack_is_in_one_shard_and_always_in_the_same() -> None:
    names = [f"folder/stack_{number}.tif" for number in range(400)]
    shards = [[name for name in names if Shard(number, 7).has(name)] for number in range(1, 8)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    assert min(map(len, shards)) > 30
    assert Shard(1, 7).has("a.tif") is Shard(1, 7).has("a.tif")
    assert [name for name in ("a.tif", "b.tif", "é.tif") if Shard(2, 2).has(name)] == ["é.tif"]
    assert Shard(2, 2).has("e\u0301.tif") is Shard(2, 2).has("\u00e9.tif")
    with pytest.raises(ParameterError, match="accepted: K/N"):
        Shard(3, 2)


def test_a_model_file_is_found_from_the_folder_of_results_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(load_model(None).path, tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    run = RunFile(Path("in"), Path("out"), "**/*", "mine.keras", BatchSettings({}), Overrides())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.yaml").write_text(as_yaml(run, load_model("mine.keras")))
    monkeypatch.chdir(tmp_path / "out")
    assert load_model(read_run_file("run.yaml").model).path == (tmp_path / "mine.keras").resolve()


def test_a_preset_is_named_in_the_file_of_the_run_with_what_it_sets(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("version: 1\nRoi3DParameters: {preset: sensitive, min_peak: 0.8}\n")
    text = as_yaml(read_run_file(tmp_path / "run.yaml"), load_model())
    assert "\n  preset: sensitive  # given" in text
    assert "\n  # split_prominence: 4.0  # of the preset" in text
    assert "\n  # min_voxels: 0.576 µm³ in voxels of each stack  # of the preset" in text
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")
    assert read_run_file(tmp_path / "again.yaml").settings.typed == {
        Roi3DParameters: {"preset": "sensitive", "min_peak": 0.8}}


def test_a_run_without_a_file_has_no_settings_of_single_stacks() -> None:
    run = RunFile(Path("in"), Path("out"), "**/*", None, BatchSettings({}), Overrides())
    assert "overrides" not in as_yaml(run, load_model(None))
