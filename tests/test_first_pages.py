"""What a newcomer types: the blocks of README and of the tutorial, from an empty directory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .pages import blocks, commands, run_command, write_files
from .processes import BARE, python

SMALL = (
    "train.env_steps=1500",
    "train.evaluate_every=500",
    "replay.min_replay_size=100",
    "agent.hidden_sizes=[8]",
    "tracking=disabled",
)


def test_the_blocks_of_the_readme_work(tmp_path: Path) -> None:
    assert len(write_files("README.md", tmp_path)) == 3
    # A plan composes, checks and imports what a sweep would; the tutorial's sweeps are trained.
    shown = [" ".join(words).replace("sweep", "plan") for words in commands("README.md")]
    # tests/test_your_sampler_docs.py checks the sampler, without measuring its speed.
    elsewhere = ("table", "check my_samplers")
    given = [command.split() for command in dict.fromkeys(shown) if not command.startswith(elsewhere)]
    assert [words[0] for words in given] == ["plan", "check", "plan", "plan"]
    for words in given:
        printed = run_command(words, tmp_path)
        assert "fail" not in printed
        assert "arms x" in printed or "pass" in printed


def test_results_of_other_programs_are_read_as_the_readme_says(tmp_path: Path) -> None:
    rows = [
        {"algorithm": arm, "env_id": "CartPole-v1", "seed": seed, "step": step, "return": level + seed}
        for arm, level in (("dqn", 100.0), ("ppo", 120.0))
        for seed in range(10)
        for step in (10_000, 20_000)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    (code,) = [block for block in blocks("README.md", "python") if "from_frame" in block]
    assert "ppo" in python("-c", code, cwd=tmp_path, variables=BARE)


def test_the_tutorial_leads_from_an_empty_directory_to_a_table(tmp_path: Path) -> None:
    assert write_files("docs/tutorial.md", tmp_path) == ["conf/study/priorities.yaml"]
    printed = {}
    for words in commands("docs/tutorial.md"):
        small = [] if words[0] in ("table", "figure") else SMALL
        shown = " ".join(words)
        printed[shown] = run_command([*words, *small], tmp_path)
    assert "40 to train" in printed["sweep study=priorities"]
    assert "8 to train" in printed["sweep study=priorities study.seeds=12"]
    assert "interaction" in printed["table priorities --kind effects"]
    report = tmp_path / "results/studies/priorities/report"
    assert (report / "index.html").exists()
    assert "\\begin{tabular}" in printed["table priorities --format tex"]
    assert "\\newcommand" in printed["table priorities --format macros"]
    assert list(tmp_path.glob("*curves*.pdf"))
