"""The files and commands of docs/your-environment.md, written and run as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

from ablation.results.load import load

from .pages import blocks, run_command

PAGE = "docs/your-environment.md"


def test_the_commands_of_the_page_run_in_a_directory_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "conf/env").mkdir(parents=True)
    (tmp_path / "conf/env/corridor.yaml").write_text(blocks(PAGE, "yaml")[0], encoding="utf-8")
    for name, text in zip(("corridor.py", "corridor_rewards.py"), blocks(PAGE, "python"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    commands = [line for block in blocks(PAGE, "bash") for line in block.splitlines()]
    printed = {command: run_command(shlex.split(command)[1:], tmp_path) for command in commands}
    assert len(commands) == 4
    (swept,) = [text for command, text in printed.items() if " sweep " in command]
    assert "3 to train" in swept
    runs = load("adhoc", tmp_path / "results")
    assert len(list((tmp_path / "results/environments").glob("*.json"))) == 3
    for run in runs.runs.values():
        assert run.record.setting("env", "kwargs") == {"length": 6}
        assert run.record.environment_fingerprint
        assert run.reference is not None
        assert run.reference.threshold == 1.2
