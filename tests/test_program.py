"""Commands that messages name work in the shell that reads them."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ablation.cli.command_line import run
from ablation.config.program import command


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the program of an environment below the directory in which the shell stands."""
    path = tmp_path / ".venv" / "bin" / "replay-ablation"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return path


def test_a_program_that_the_shell_finds_goes_by_its_name(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert command("sweep", "only=it's a*") == "replay-ablation sweep 'only=it'\"'\"'s a*'"


def test_one_that_it_does_not_find_goes_by_its_path(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("sync") == ".venv/bin/replay-ablation sync"
    monkeypatch.setenv("PWD", str(tmp_path / "deeper"))
    assert command("sync") == f"{program} sync"


def test_another_environments_program_of_that_name_is_not_ours(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "replay-ablation"
    other.parent.mkdir()
    other.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert command("sync") == ".venv/bin/replay-ablation sync"


def test_the_version_is_the_installed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"replay-ablation {version('replay-ablation')}\n"
