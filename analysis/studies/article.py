"""Scores and losses of the introductory article's system, as it was meant and as it was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.load import StudyRuns
from ablation.results.run import Run
from ablation.store.runs import Store
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.study_results import StudyResults
from analysis.statistics import Estimate
from analysis.tables.columns import interval_cell, interval_columns, provenance_line
from analysis.tables.table import Cell, Table

STUDY = "article"
SYSTEMS = {"baseline": "as meant", "literal": "as written"}
PENALTY = -100.0
"""The article's code sets the last reward of a fallen episode to this, after storing the transition."""
REPORTED = 469.1
"""The average score that the article reports."""
LOSS_FRACTION = 0.1
"""Fraction of a run's logged losses that first and last loss are means over."""

Floats = NDArray[np.float64]


def article_systems(results: StudyResults) -> list[tuple[Arm, str]]:
    """Return the arms of the two systems with their titles; nothing for other studies."""
    if results.runs.plan.study.name != STUDY:
        return []
    arms = {arm.name: arm for arm in results.runs.plan.arms}
    return [(arms[name], title) for name, title in SYSTEMS.items() if name in arms]


def episode_returns(run: Run) -> Floats:
    """Return the return of each training episode `[episodes]`."""
    return np.asarray(run.tables["episodes"]["episode_return"], float)


def penalized_returns(run: Run) -> Floats:
    """Return the returns `[episodes]` by the article's code: a fall's last reward is the penalty."""
    fell = np.asarray(run.tables["episodes"]["terminated"], bool)
    return episode_returns(run) + np.where(fell, PENALTY - 1, 0.0)


def losses(runs: StudyRuns, run: Run) -> tuple[Floats, Floats]:
    """Return the environment steps of a run's logged losses and the losses, both `[rows]`."""
    table = Store(runs.root).read_table(run.key, "learner")
    return table["env_step"].to_numpy().astype(float), table["loss"].to_numpy()


def article_table(results: StudyResults) -> Table | None:
    """Return the table of the article's outputs for both systems, or None for other studies."""
    systems = article_systems(results)
    if not systems:
        return None
    runs, rows, values = results.runs, [], []
    columns: dict[str, Callable[[Run], float]] = {
        "average score": lambda run: float(episode_returns(run).mean()),
        "with its penalty": lambda run: float(penalized_returns(run).mean()),
        "best episode": lambda run: float(episode_returns(run).max()),
        "episodes": lambda run: float(len(episode_returns(run))),
        "first loss": lambda run: _mean_of_end(losses(runs, run)[1], first=True),
        "last loss": lambda run: _mean_of_end(losses(runs, run)[1], first=False),
    }
    for arm, title in systems:
        means = {name: _mean_over_runs(runs, arm, measure) for name, measure in columns.items()}
        rows.append(
            [Cell(f"{title} ({arm.name})"), *(interval_cell(interval) for interval in means.values())]
        )
        row: dict[str, Any] = {"system": title, "arm": arm.name, "n": means["average score"].n}
        for name, interval in means.items():
            row |= interval_columns(name, interval)
        values.append(row)
    limit = runs.plan.cells[systems[0][0].cell]["env"].get("time_limit")
    return Table(
        "The article's outputs: means over the training episodes of a run, then over runs "
        "[95 % interval]",
        ["system", *columns],
        rows,
        notes=[*_notes(limit), provenance_line(runs)],
        values=values,
        label="article",
    )


def _mean_over_runs(runs: StudyRuns, arm: Arm, measure: Callable[[Run], float]) -> Estimate:
    return statistics.mean(np.array([measure(run) for run in runs.of_arm(arm)]))


def _mean_of_end(values: Floats, first: bool) -> float:
    count = max(1, round(LOSS_FRACTION * len(values)))
    return float((values[:count] if first else values[-count:]).mean())


def _notes(limit: int | None) -> list[str]:
    fraction = f"{LOSS_FRACTION:.0%}".replace("%", " %")
    episodes = int(np.ceil(REPORTED / (limit or REPORTED)))
    return [
        f"Average score: rewards of a training episode, exploration included. With its penalty: as the "
        f"article's code counts them, {PENALTY:g} in place of the last reward of an episode that fell. "
        f"First and last loss: means over the first and last {fraction} of the logged ones.",
        f"The article reports an average score of {REPORTED}. With a reward of 1 a step and episodes of "
        f"at most {limit} steps no episode, so no average, exceeds {limit}, and its penalty only lowers "
        f"them: {REPORTED} is no average return of the loop that it shows. It can be the sum over "
        f"several episodes (at least {episodes}), or a return under a longer limit, such as "
        "CartPole-v1's own of 500; the article does not say which.",
    ]
