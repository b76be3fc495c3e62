"""Files are replaced only when the new one is complete."""

from __future__ import annotations

import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from deepd3_ij.atomic import check_output_folder, replacing
from deepd3_ij.errors import Cancelled, OutputError


def write_to(path: Path, then: BaseException | None = None) -> None:
    """Write a file; with `then`, break off before it is complete."""
    with replacing(path) as temporary:
        temporary.write_text("new")
        if then is not None:
            raise then


def test_the_target_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "result.tif"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent.parent == tmp_path
        assert temporary.parent.name.startswith(".")
        assert temporary.name == target.name
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, Cancelled])
def test_the_old_file_stays_when_writing_is_broken_off(tmp_path: Path, exception: type[BaseException]) -> None:
    target = tmp_path / "result.csv"
    target.write_text("old")
    with pytest.raises(exception):
        write_to(target, then=exception("stop"))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_new_file_keeps_the_permissions_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "result.csv"
    target.write_text("old")
    target.chmod(0o640)
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_first_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    with replacing(tmp_path / "result.csv") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "result.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "result.csv"
    link.symlink_to(tmp_path / "elsewhere" / "real.csv")
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "real.csv").read_text() == "new"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist"):
        write_to(tmp_path / "nowhere" / "result.csv")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        write_to(tmp_path / "file" / "result.csv")


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; give the name of a file"):
        write_to(tmp_path)


def test_a_folder_without_permission_is_named(locked_folder: Path) -> None:
    with pytest.raises(OutputError, match="no permission"):
        write_to(locked_folder / "result.csv")
    with pytest.raises(OutputError, match="no permission"):
        check_output_folder(locked_folder / "sub")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_folder_of_the_system_that_takes_no_files_is_not_called_missing() -> None:
    for write in (write_to, check_output_folder):
        with pytest.raises(OutputError, match=r"^/proc/x cannot be written: /proc takes no new files or folders"):
            write(Path("/proc/x"))
    with pytest.raises(OutputError, match=r"^/proc/x/y cannot be written: /proc takes no new"):
        check_output_folder("/proc/x/y")


def test_an_empty_name_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"is empty; give a file or folder, or \. for this folder"):
        check_output_folder("")
    with pytest.raises(OutputError, match="is empty"), replacing(""):
        pass
    assert check_output_folder(".") == Path()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    target.write_text("old")
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_to(target, then=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "\n" not in str(caught.value)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_the_system_refuses_is_an_output_error(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"), replacing(tmp_path / "big.bin") as temporary:
            temporary.write_bytes(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_trouble_with_another_file_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "result.csv"):
        (tmp_path / "input.csv").read_text()


def test_an_output_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    folder = check_output_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert not list(folder.iterdir())
    assert check_output_folder(folder) == folder


def test_a_file_cannot_be_an_output_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file has this name"):
        check_output_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="is not a folder"):
        check_output_folder(tmp_path / "file" / "sub")
