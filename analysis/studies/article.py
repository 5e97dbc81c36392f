"""The article's outputs, for its system as it was meant and as it was written: scores and losses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ablation.results.load import Run, StudyRuns
from ablation.store.runs import Store
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.study_results import Results
from analysis.statistics import Interval
from analysis.tables.table import Cell, Table, ends, footer, plain

STUDY = "article"
COMPARED = {"baseline": "as meant", "literal": "as written"}
PENALTY = -100.0
"""What its code sets the last reward of a fallen episode to, after the transition was stored."""
REPORTED = 469.1
SHARE = 0.1
"""Of a run's losses: the first and the last ones that the table shows."""

Floats = NDArray[np.float64]


def compared(results: Results) -> list[tuple[Arm, str]]:
    """Return the two systems and what they are called; nothing for other studies."""
    if results.runs.plan.study.name != STUDY:
        return []
    arms = {arm.name: arm for arm in results.runs.plan.arms}
    return [(arms[name], title) for name, title in COMPARED.items() if name in arms]


def episode_returns(run: Run) -> Floats:
    """Return the rewards that each training episode added up to."""
    return np.asarray(run.tables["episodes"]["episode_return"], float)


def penalised_returns(run: Run) -> Floats:
    """Return what the article's code reports: the last reward of an episode that fell is the penalty."""
    fell = np.asarray(run.tables["episodes"]["terminated"], bool)
    return episode_returns(run) + np.where(fell, PENALTY - 1, 0.0)


def losses(runs: StudyRuns, run: Run) -> tuple[Floats, Floats]:
    """Return a run's losses and the environment steps that they belong to."""
    table = Store(runs.root).read_table(run.key, "learner")
    return table["env_step"].to_numpy().astype(float), table["loss"].to_numpy()


def article_table(results: Results) -> Table | None:
    """Return the article's outputs of both systems, or None for other studies."""
    systems = compared(results)
    if not systems:
        return None
    runs, rows, values = results.runs, [], []
    columns: dict[str, Callable[[Run], float]] = {
        "average score": lambda run: float(episode_returns(run).mean()),
        "with its penalty": lambda run: float(penalised_returns(run).mean()),
        "best episode": lambda run: float(episode_returns(run).max()),
        "episodes": lambda run: float(len(episode_returns(run))),
        "first loss": lambda run: _mean_of_share(losses(runs, run)[1], first=True),
        "last loss": lambda run: _mean_of_share(losses(runs, run)[1], first=False),
    }
    for arm, title in systems:
        found = {name: _over_runs(runs, arm, measure) for name, measure in columns.items()}
        rows.append([Cell(f"{title} ({arm.name})"), *(plain(interval) for interval in found.values())])
        flat = {"system": title, "arm": arm.name, "n": found["average score"].n}
        values.append(flat | {k: v for name in found for k, v in ends(name, found[name]).items()})
    limit = runs.plan.cells[systems[0][0].cell]["env"].get("time_limit")
    return Table(
        "The article's outputs: means over the training episodes of a run, then over runs "
        "[95 % interval]",
        ["system", *columns],
        rows,
        notes=[*_notes(limit), footer(runs)],
        values=values,
        label="article",
    )


def _over_runs(runs: StudyRuns, arm: Arm, measure: Callable[[Run], float]) -> Interval:
    return statistics.mean(np.array([measure(run) for run in runs.of_arm(arm)]))


def _mean_of_share(values: Floats, first: bool) -> float:
    count = max(1, round(SHARE * len(values)))
    return float((values[:count] if first else values[-count:]).mean())


def _notes(limit: int | None) -> list[str]:
    share = f"{SHARE:.0%}".replace("%", " %")
    episodes = int(np.ceil(REPORTED / (limit or REPORTED)))
    return [
        f"Average score: rewards of a training episode, exploration included. With its penalty: as the "
        f"article's code counts them, {PENALTY:g} in place of the last reward of an episode that fell. "
        f"First and last loss: means over the first and last {share} of the logged ones.",
        f"The article reports an average score of {REPORTED}. With a reward of 1 a step and episodes of "
        f"at most {limit} steps no episode, so no average, exceeds {limit}, and its penalty only lowers "
        f"them: {REPORTED} is no average return of the loop that it shows. It can be the sum over "
        f"several episodes (at least {episodes}), or a return under a longer limit, such as "
        "CartPole-v1's own of 500; the article does not say which.",
    ]
