"""Runs of the default study that come with the project are trained again to the last bit."""

from __future__ import annotations

from pathlib import Path

from ablation.store.runs import Store

from .sweeps import run

RUNS = Path(__file__).parent.parent / "examples" / "default_study"


def test_two_runs_of_the_default_study_are_equal_in_every_bit_when_trained_again() -> None:
    assert len(list(Store(RUNS).run_keys())) == 13
    done = run("verify", "study=replay", f"results_dir={RUNS}", "runs=2")
    assert done.returncode == 0, done.stderr
    assert "2 runs equal in every bit, 0 different." in done.stdout
