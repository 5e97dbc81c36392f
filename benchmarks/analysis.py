"""`make bench-analysis`: time and memory of a large study's report; time of the bootstrap."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ablation.config.identity import canonical, cell_name
from ablation.store.files import write_json
from ablation.store.provenance import git_state, versions
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import Study
from ablation.study.designs import Factor
from ablation.study.plan import Arm, Plan
from analysis.statistics import AGGREGATES, bootstrap
from benchmarks.measure import of_command

CELLS, SEEDS, EVALUATIONS, EPISODES = 20, 50, 500, 5
REPETITIONS, ARMS = 50_000, 3
OUTPUT = Path("results/benchmarks/analysis.json")


def make_study(root: Path) -> None:
    """Write a study of 20 cells x 50 seeds whose runs have 500 evaluations of 5 episodes."""
    from ablation.config.parse import parse
    from benchmarks.setting import default_values

    store, arms, cells, seeds = Store(root), [], {}, list(range(SEEDS))
    sizes = [2**at for at in range(4, 4 + CELLS)]
    for at, size in enumerate(sizes):
        values = default_values()
        values["agent"]["hidden_sizes"] = [at + 2]
        config = parse(values)
        name, levels = (f"width={size}", {"width": str(size)}) if at else ("baseline", {})
        cell = cell_name(config)
        arms.append(
            Arm(name, "arm" if at else "baseline", "cartpole", "CartPole-v1", levels, {}, cell, seeds)
        )
        cells[cell] = canonical(config)
    factors = {"width": Factor(levels=list(sizes), key="agent.hidden_sizes")}
    study = Study("large", "?", ["cartpole"], {}, factors, "one_factor_at_a_time", seeds, "final")
    plan = Plan(study, arms, [], cells)
    write_json(store.study_directory("large") / "plan.json", plan.as_json())
    for at, key in enumerate(plan.runs()):
        _write_run(store, key, cells[key.cell], at)


def _write_run(store: Store, key: RunKey, config: dict[str, Any], at: int) -> None:
    random = np.random.default_rng(at)
    returns = 500 * (1 - np.exp(-np.arange(1, EVALUATIONS + 1) / 100)) * random.beta(5, 1)
    evaluations = [
        {
            "env_step": 100 * (step + 1),
            "gradient_step": 50 * (step + 1),
            "episode": episode,
            "episode_return": float(value + random.normal()),
            "episode_length": 100,
        }
        for step, value in enumerate(returns)
        for episode in range(EPISODES)
    ]
    ends = {"terminated": True, "truncated": False}
    episodes = [row | ends | {"episode": i} for i, row in enumerate(evaluations[:1000])]
    record = RunRecord(
        cell=key.cell,
        seed=key.seed,
        status="complete",
        config=config,
        device="cpu",
        versions=versions(),
        **git_state(),
    )
    store.write_run(record, {"evaluations": evaluations, "episodes": episodes})


def bootstrap_seconds(runs: int, tasks: int) -> float:
    """Return the processor seconds of 50,000 repetitions of IQM for three arms, `runs` in each task."""
    random = np.random.default_rng(0)
    arms = [list(random.normal(size=(tasks, runs))) for _ in range(ARMS)]
    started = time.process_time()
    for arm in arms:
        bootstrap(arm, AGGREGATES["iqm"].statistic, REPETITIONS)
    return time.process_time() - started


def main() -> None:
    """Measure, print and write the JSON file."""
    found: dict[str, float] = {}
    for runs, tasks in ((10, 1), (30, 1), (10, 5), (30, 5)):
        name = f"{REPETITIONS} repetitions of IQM, {ARMS} arms, {runs} runs x {tasks} tasks"
        seconds = min(bootstrap_seconds(runs, tasks) for _ in range(3))
        found[f"{name}, processor seconds"] = round(seconds, 3)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_study(root)
        seconds, processor, peak = of_command("report", "large", "--results", str(root))
    size = f"{CELLS} cells x {SEEDS} seeds x {EVALUATIONS} evaluations of {EPISODES} episodes"
    found |= {
        f"report of {size}, seconds": round(seconds, 1),
        "its processor seconds": round(processor, 1),
        "its peak memory, MB": round(peak / 1e6),
    }
    for name, value in found.items():
        print(f"{name}: {value}")
    write_json(OUTPUT, found)
    print(f"Written: {OUTPUT}")


if __name__ == "__main__":
    main()
