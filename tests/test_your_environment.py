"""The files and commands of docs/your-environment.md, written and run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from ablation.results.load import load

PAGE = (Path(__file__).parent.parent / "docs/your-environment.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_of_the_page_run_in_a_directory_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "conf/env").mkdir(parents=True)
    (tmp_path / "conf/env/corridor.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    for name, text in zip(("corridor.py", "corridor_rewards.py"), blocks("python"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    printed = {}
    variables = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "replay-ablation"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "ablation", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=variables,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        printed[command] = done.stderr
    assert len(commands) == 4
    (swept,) = [error for command, error in printed.items() if " sweep " in command]
    assert "3 to train" in swept
    runs = load("adhoc", tmp_path / "results")
    assert len(list((tmp_path / "results/environments").glob("*.json"))) == 3
    for run in runs.runs.values():
        assert run.record.setting("env", "kwargs") == {"length": 6}
        assert run.record.environment_fingerprint
        assert run.reference is not None
        assert run.reference.threshold == 1.2
