"""Options of Java's memory."""

from pathlib import Path

import pytest

from deepd3_ij.fiji import java


@pytest.mark.parametrize(("setting", "used"), [("always [madvise] never", True), ("[always] madvise never", True),
                                               ("always madvise [never]", False), (None, False)])
def test_large_pages_are_asked_for_only_where_the_system_has_them(
    setting: str | None, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is not None:
        (tmp_path / "enabled").write_text(setting + "\n")
    monkeypatch.setattr(java, "_HUGE_PAGES", tmp_path / "enabled")
    assert ("-XX:+UseTransparentHugePages" in java.memory_options(60)) == used


@pytest.mark.parametrize("percent", [3, 60])
def test_java_does_not_begin_with_more_memory_than_it_may_use(percent: int) -> None:
    shares = dict(option.split("=") for option in java.memory_options(percent) if "RAMPercentage" in option)
    assert float(shares["-XX:MaxRAMPercentage"]) == percent
    assert float(shares["-XX:InitialRAMPercentage"]) <= percent
