"""The commands of docs/outside-runs.md, run as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .analysis_helpers import CROSSED, STUDY, make_store
from .conftest import Command
from .pages import blocks
from .processes import BARE, python

PAGE = "docs/outside-runs.md"


def files(directory: Path) -> None:
    """Write the files that the page's commands name."""
    rows = [
        {"algorithm": arm, "env_id": "CartPole-v1", "seed": seed, "step": step, "return": level + seed}
        for arm, level in (("dqn", 100.0), ("ppo", 120.0))
        for seed in range(4)
        for step in (10_000, 20_000)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv(directory / "runs.csv", index=False)
    other = frame.rename(columns={"algorithm": "variant", "step": "interactions"}).drop(columns="env_id")
    other.assign(variant=other["variant"].map({"dqn": "a", "ppo": "b"})).to_csv(
        directory / "other.csv", index=False
    )
    frame[frame["step"] == 20_000].drop(columns="step").to_csv(directory / "scores.csv", index=False)
    for arm in ("dqn", "ppo"):
        for seed in (1, 2, 3):
            run = directory / "logs" / arm / f"CartPole-v1_{seed}"
            run.mkdir(parents=True)
            results = np.full((5, 3), 100.0 + seed)
            steps = np.arange(1, 6) * 10_000
            np.savez(run / "evaluations.npz", timesteps=steps, results=results, ep_lengths=results)
            lines = ['#{"t_start": 1.0, "env_id": "CartPole-v1"}', "r,l,t"]
            lines += [f"{at + seed},{10},{at}" for at in range(30)]
            (run / "monitor.csv").write_text("\n".join(lines) + "\n")
    make_store(directory / "results", STUDY | {"name": "replay"}, lambda arm, seed: 100.0 + seed)
    make_store(directory / "elsewhere" / "results", CROSSED, lambda arm, seed: 100.0 + seed)


def test_the_commands_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks(PAGE, "bash") for line in block.splitlines() if line]
    assert len(commands) > 10
    printed = ""
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "replay-ablation"
        printed += command(*arguments)
    assert "24 runs copied, 12 are stored already" in printed
    assert (tmp_path / "results/studies/both/report/index.html").exists()


def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    files(tmp_path)
    code = "\n".join(blocks(PAGE, "python"))
    assert "ppo" in python("-c", code, cwd=tmp_path, variables=BARE)
