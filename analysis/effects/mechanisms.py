"""Mechanisms: one number per run and diagnostic, beside its scores; docs/diagnostics.md defines them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.load import Run, StudyRuns
from ablation.results.scores import curve
from ablation.store.runs import Store
from ablation.study.plan import Arm
from analysis.statistics import Sample

Columns = Mapping[str, NDArray[Any]]
CLOCKS = ("env_step", "gradient_step")
LAYER = r"gradient_norm_layer_\d+"


@dataclass(frozen=True)
class Mechanism:
    """What a mechanism's column is called and says."""

    heading: str
    meaning: str


SHOWN = {
    "age_env_steps_mean": Mechanism("age", "environment steps since the sampled items were stored"),
    "replays_mean": Mechanism("replays", "times that a stored item was drawn so far"),
    "batch_autocorrelation": Mechanism(
        "autocorrelation", "lag-1 autocorrelation of a batch's observations in order of time"
    ),
    "batch_run_distance": Mechanism(
        "distance", "of a batch's observations from those of the run so far, in standard deviations"
    ),
    "sampling_effective_share": Mechanism("effective share", "effective size of draws over the pool's"),
    "gradient_first_to_last": Mechanism(
        "first / last", "norm of the first layer's gradient over the last layer's"
    ),
    "policy_churn": Mechanism("churn", "share of states whose greedy action one gradient step changes"),
    "dormant_share": Mechanism("dormant", "share of hidden units that hardly ever fire"),
    "value_bias": Mechanism("value bias", "value of a first state less the discounted return"),
    "evaluation_variation": Mechanism(
        "variation", "standard deviation of a run's evaluations in its second half"
    ),
}
"""The mechanisms of the why table; its CSV has all of them."""


def mechanisms(runs: StudyRuns, arm: Arm) -> dict[str, Sample]:
    """Return every mechanism of an arm by name, one value per seed of the plan, NaN where missing."""
    store = Store(runs.root)
    found = [_of_run(store, run) for run in runs.of_cell(arm)]
    names = dict.fromkeys(name for values in found for name in values)
    return {name: np.array([values.get(name, math.nan) for values in found]) for name in names}


def of_tables(learner: Columns, evaluations: Columns) -> dict[str, float]:
    """Return every mechanism of one run: means over the rows that have it, and what follows."""
    found = {name: _mean(values) for name, values in learner.items() if name not in CLOCKS}
    layers = sorted((name for name in found if re.fullmatch(LAYER, name)), key=_layer)
    if layers:
        found["gradient_first_to_last"] = _mean(_ratio(learner[layers[0]], learner[layers[-1]]))
    if "start_value" in evaluations:
        found["value_bias"] = _mean(evaluations["start_value"] - evaluations["discounted_return"])
    returns = curve(evaluations)[1]
    late = returns[len(returns) // 2 :]
    found["evaluation_variation"] = _spread(late)
    return found


def _of_run(store: Store, run: Run) -> dict[str, float]:
    if run.rows is None:
        return {}
    try:
        table = store.read_table(run.key, "learner")
    except (OSError, ValueError):
        return {}
    learner = {name: table[name].to_numpy() for name in table.column_names}
    return of_tables(learner, run.tables["evaluations"])


def _mean(values: NDArray[Any]) -> float:
    there = np.asarray(values, float)
    there = there[np.isfinite(there)]
    return float(there.mean()) if len(there) else math.nan


def _spread(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of at least two values, NaN where it is not finite."""
    if len(values) < 2:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.std(values, ddof=1))
    return spread if math.isfinite(spread) else math.nan


def _ratio(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(len(one), np.nan)
    np.divide(one, other, out=ratio, where=np.asarray(other) > 0)
    return ratio


def _layer(name: str) -> int:
    return int(name.rpartition("_")[2])
