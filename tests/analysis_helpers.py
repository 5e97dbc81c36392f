"""Made stores for the tests of the analysis: studies whose runs have scores known in advance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.results.load import read
from ablation.results.tuning_choices import choices
from ablation.store.files import write_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import Arm, Plan
from ablation.study.tuning import reported_plan, tuning_plan

from .conftest import values

SEEDS = 6
STUDY: dict[str, Any] = {
    "name": "s",
    "question": "What matters?",
    "environments": ["CartPole-v1"],
    "baseline": {"replay.capacity": 64, "agent.batch_size": 8},
    "factors": {
        "capacity": {"key": "replay.capacity", "levels": [16, 64, 500, 1000]},
        "replay": {"levels": {"none": {"replay.kind": "none"}, "uniform": {}}},
    },
    "design": "one_factor_at_a_time",
    "seeds": SEEDS,
    "verdicts_from": 2,
    "primary_score": "final",
}
CROSSED: dict[str, Any] = STUDY | {
    "name": "crossed",
    "design": "factorial",
    "factors": {
        "capacity": {"key": "replay.capacity", "levels": [16, 64]},
        "batch": {"key": "agent.batch_size", "levels": [2, 8, 16]},
    },
}
COMPONENTS: dict[str, Any] = STUDY | {
    "name": "components",
    "baseline": {"agent.double_q": True, "replay.combined": True},
    "factors": {
        "double Q": {"levels": {"on": {}, "off": {"agent.double_q": False}}},
        "combined": {"levels": {"on": {}, "off": {"replay.combined": False}}},
    },
}
TUNED: dict[str, Any] = {
    "name": "t",
    "question": "Which capacity is best?",
    "environments": ["CartPole-v1", "Acrobot-v1"],
    "baseline": {"replay.capacity": 64, "agent.learning_rate": 0.01},
    "factors": {
        "capacity": {"key": "replay.capacity", "levels": [16, 64]},
        "rate": {"key": "agent.learning_rate", "levels": [0.001, 0.01, 0.1]},
    },
    "design": "one_factor_at_a_time",
    "seeds": 10,
    "primary_score": "final",
    "tune": {"factor": "rate", "seeds": [70, 71]},
}
RECORD = {
    "status": "complete",
    "device": "cpu",
    "git_commit": "c" * 40,
    "git_dirty": False,
    "versions": {"gymnasium": "1.4.0", "torch": "2.13.0"},
    "steps_per_second": 1000.0,
    "peak_rss_bytes": 400_000_000,
}

Outcome = Callable[[Arm, int], float | str]
"""(arm, seed) -> the level of the run's last evaluation, or the status of a run without data."""


def evaluation_rows(levels: Sequence[float], episodes: int = 2) -> list[dict[str, Any]]:
    """Return the rows of evaluations at steps 50, 100, ..., with equal episodes."""
    return [
        {
            "env_step": 50 * (at + 1),
            "gradient_step": 10 * (at + 1) ** 2,
            "episode": episode,
            "episode_return": level,
            "episode_length": 1,
        }
        for at, level in enumerate(levels)
        for episode in range(episodes)
    ]


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rows as columns."""
    names = ("env_step", "gradient_step", "episode_return")
    return {name: np.array([row[name] for row in rows]) for name in names}


def resolve(overrides: Mapping[str, Any]) -> CellConfig:
    """Return the small configuration of the tests with dotted keys and an environment's id."""
    changes = {key.replace(".", "__"): value for key, value in overrides.items() if key != "env"}
    return parse(values(env__id=overrides["env"], **changes))


def noise(name: str, seed: int) -> float:
    """Return what a run of an arm lies off its level by."""
    return math.sin(seed) + (math.cos(3 * seed + len(name)) if name != "baseline" else 0)


def outcome(arm: Arm, seed: int) -> float | str:
    """Return 100, for `capacity=16` 50; `capacity=500` is half there and `replay=none` lost."""
    if arm.name == "replay=none":
        return "failed" if seed == 0 else "missing"
    if arm.name == "capacity=500" and seed > 2:
        return "missing"
    return (50 if arm.name == "capacity=16" else 100) + noise(arm.name, seed)


def run_record(key: RunKey, values: Mapping[str, Any]) -> RunRecord:
    return RunRecord(**{**values, "cell": key.cell, "seed": key.seed})


def make_store(
    root: Path, study: Mapping[str, Any], outcome: Outcome, chosen: Outcome | None = None, **record: Any
) -> Plan:
    """Write a study's plan and runs whose returns rise to `outcome` in their last evaluation.

    Of a study that tunes these are both stages, and the plan is the reported one's, whose runs come to
    `chosen` if it is given.
    """
    plan, store = expand(parse_study(study), resolve), Store(root)
    if plan.study.tune is not None:
        tuning = tuning_plan(plan, resolve)
        write_plan(store, tuning, outcome, **record)
        plan = reported_plan(plan, list(choices(read(tuning, store), plan.study.tune.factor)), resolve)
    write_plan(store, plan, chosen or outcome, **record)
    return plan


def write_plan(store: Store, plan: Plan, outcome: Outcome, **record: Any) -> None:
    """Write a plan and its runs, as `make_store` does."""
    write_json(store.study_directory(plan.study.name) / "plan.json", plan.as_json("make sweep STUDY=s"))
    for arm in plan.arms:
        for seed in arm.seeds:
            found = outcome(arm, seed)
            key = RunKey(arm.cell, seed)
            shared = RECORD | {"config": plan.cells[arm.cell]} | record
            if isinstance(found, str):
                if found != "missing":
                    failed = shared | {"status": found, "error": "RuntimeError: no"}
                    store.write_run(run_record(key, failed), {})
                continue
            rows = evaluation_rows([found * at / 10 for at in range(1, 11)])
            episode = {"episode_length": 1, "terminated": True, "truncated": False}
            trained = [
                episode
                | {name: row[name] for name in ("env_step", "gradient_step", "episode_return")}
                | {"episode": at}
                for at, row in enumerate(rows)
            ]
            store.write_run(run_record(key, shared), {"evaluations": rows, "episodes": trained})
