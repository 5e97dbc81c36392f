"""`make bench-published`: our scores with rl-zoo's and CleanRL's published settings, beside theirs.

Trains into the ordinary store, so that it goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.results.scores import RunRows, score_run
from ablation.store.runs import RunKey, Store
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig
from analysis.statistics import mean
from benchmarks.setting import default_values

PUBLISHED = Path(__file__).parent.parent / "analysis/published"
OUTPUT = Path("results/benchmarks/published.json")


@dataclass(frozen=True)
class Case:
    """One published result: its settings in our keys, and the score that it is stated in."""

    source: str
    env_id: str
    score: str
    seeds: int
    agent: dict[str, Any]
    replay: dict[str, Any]
    env_steps: int

    def config(self) -> CellConfig:
        """Return the cell that has these settings."""
        values = default_values()
        every = max(1, self.env_steps // 20)
        values["env"]["id"] = self.env_id
        values["agent"] |= self.agent
        values["replay"] |= self.replay
        values["train"] |= {
            "env_steps": self.env_steps,
            "evaluate_every": every,
            "evaluation_episodes": 10,
            "log_every": every,
        }
        return parse(values)


def _cleanrl(env_id: str, seeds: int) -> Case:
    """CleanRL's `dqn.py` defaults; its score counts the last 100 training episodes."""
    agent = {
        "hidden_sizes": [120, 84],
        "batch_size": 128,
        "learning_rate": 2.5e-4,
        "loss": "squared",
        "double_q": False,
        "max_gradient_norm": None,
        "target_update_period": 500,
        "learn_period": 10,
        "exploration_epsilon": {"start": 1.0, "end": 0.05, "steps": 250_000},
    }
    replay = {"capacity": 10_000, "min_replay_size": 10_000}
    return Case("CleanRL", env_id, "last_training_episodes", seeds, agent, replay, 500_000)


def _rlzoo(env_id: str, seeds: int, env_steps: int, **settings: Any) -> Case:
    """rl-zoo's tuned settings on SB3's DQN: Huber loss, gradients clipped at 10, single Q."""
    explored = settings.pop("explored")
    last_epsilon = settings.pop("last_epsilon")
    replay = {"capacity": settings.pop("capacity"), "min_replay_size": settings.pop("first")}
    agent = settings | {
        "hidden_sizes": [256, 256],
        "loss": "huber",
        "double_q": False,
        "max_gradient_norm": 10.0,
        "exploration_epsilon": {"start": 1.0, "end": last_epsilon, "steps": explored},
    }
    return Case("rl-zoo", env_id, "final", seeds, agent, replay, env_steps)


CASES = [
    _cleanrl("CartPole-v1", 10),
    _cleanrl("Acrobot-v1", 5),
    _cleanrl("MountainCar-v0", 5),
    _rlzoo(
        "CartPole-v1",
        10,
        50_000,
        learning_rate=2.3e-3,
        batch_size=64,
        capacity=100_000,
        first=1000,
        target_update_period=10,
        learn_period=256,
        replay_ratio=0.5,
        explored=8000,
        last_epsilon=0.04,
    ),
    _rlzoo(
        "Acrobot-v1",
        5,
        100_000,
        learning_rate=6.3e-4,
        batch_size=128,
        capacity=50_000,
        first=128,
        target_update_period=250,
        learn_period=4,
        replay_ratio=1.0,
        explored=12_000,
        last_epsilon=0.1,
    ),
    _rlzoo(
        "MountainCar-v0",
        5,
        120_000,
        learning_rate=4e-3,
        batch_size=128,
        capacity=10_000,
        first=1000,
        discount=0.98,
        target_update_period=600,
        learn_period=16,
        replay_ratio=0.5,
        explored=24_000,
        last_epsilon=0.07,
    ),
]


def published_score(case: Case) -> str:
    """Return a case's published score, as it is stated."""
    if case.source == "CleanRL":
        with (PUBLISHED / "cleanrl_results_classic.csv").open() as file:
            return next(row["DQN"] for row in csv.DictReader(file) if row["env"] == case.env_id)
    with (PUBLISHED / "rlzoo_dqn_results.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["env"] == case.env_id)
    return f"{float(row['mean']):.1f} ± {float(row['std_over_episodes']):.1f} (1 run)"


def our_scores(case: Case, store: Store) -> list[float]:
    """Return our runs' scores in the case's own measure, training what is missing."""
    config = case.config()
    cell = cell_name(config)
    seeds = list(range(case.seeds))
    name = f"published-{case.source}-{case.env_id}"
    job = JobSpec(name, cell, seeds, name, {}, "published", "?", "cpu", 60.0)
    run_job(config, job, TrackingConfig("disabled", "bench", None), store)
    found = []
    for seed in seeds:
        tables = [store.read_table(RunKey(cell, seed), table) for table in ("episodes", "evaluations")]
        columns = [{name: table[name].to_numpy() for name in table.column_names} for table in tables]
        rows = RunRows(columns[0], columns[1], case.env_id, case.env_steps)
        found.append(score_run(case.score, rows))
    return found


def main() -> None:
    """Train what is missing, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("--only", help="source or environment id to restrict to")
    arguments = parser.parse_args()
    store = Store("results")
    table = Table(box=None, title="Published settings: our score [95 % interval] beside theirs")
    for heading in ("settings", "environment", "score", "ours", "n", "published"):
        table.add_column(heading)
    report = []
    for case in CASES:
        if arguments.only and arguments.only not in (case.source, case.env_id):
            continue
        scores = our_scores(case, store)
        ours = mean(np.array(scores))
        text = f"{ours.value:.1f} [{ours.low:.1f}, {ours.high:.1f}]"
        theirs = published_score(case)
        table.add_row(case.source, case.env_id, case.score, text, str(ours.n), theirs)
        report.append({"case": vars(case), "scores": scores, "published": theirs})
        Console(stderr=True).print(f"{case.source} {case.env_id}: {text}, published {theirs}")
    Console(width=140).print(table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


if __name__ == "__main__":
    main()
