"""Diagnostics beside scores: one number per run and diagnostic; docs/diagnostics.md defines them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.load import StudyRuns
from ablation.results.run import Run
from ablation.results.scores import curve
from ablation.store.runs import Store
from ablation.study.plan import Arm
from analysis.statistics import Sample

Columns = Mapping[str, NDArray[Any]]
STEP_COLUMNS = ("env_step", "gradient_step")
LAYER = r"gradient_norm_layer_\d+"


@dataclass(frozen=True)
class DiagnosticColumn:
    """The heading of a diagnostic's column and what it measures."""

    heading: str
    meaning: str


SHOWN_DIAGNOSTICS = {
    "age_env_steps_mean": DiagnosticColumn(
        "age", "environment steps since the sampled items were stored"
    ),
    "replays_mean": DiagnosticColumn("replays", "times that a stored item was drawn so far"),
    "batch_autocorrelation": DiagnosticColumn(
        "autocorrelation", "lag-1 autocorrelation of a batch's observations in order of time"
    ),
    "batch_run_distance": DiagnosticColumn(
        "distance", "of a batch's observations from those of the run so far, in standard deviations"
    ),
    "sampling_effective_share": DiagnosticColumn(
        "effective share", "effective sample size of the draws over the number of items in the buffer"
    ),
    "gradient_first_to_last": DiagnosticColumn(
        "first / last", "norm of the first layer's gradient over the last layer's"
    ),
    "policy_churn": DiagnosticColumn(
        "churn", "share of states whose greedy action one gradient step changes"
    ),
    "dormant_share": DiagnosticColumn("dormant", "share of hidden units that hardly ever fire"),
    "value_bias": DiagnosticColumn("value bias", "value of a first state minus the discounted return"),
    "evaluation_variation": DiagnosticColumn(
        "variation", "standard deviation of a run's evaluations in its second half"
    ),
}
"""The diagnostics of the table by arm; its CSV has all of them."""


def arm_diagnostics(runs: StudyRuns, arm: Arm) -> dict[str, Sample]:
    """Return every diagnostic of an arm by name, `[R]` in the order of its seeds, NaN where missing."""
    store = Store(runs.root)
    by_run = [_of_run(store, run) for run in runs.of_cell(arm)]
    names = dict.fromkeys(name for values in by_run for name in values)
    return {name: np.array([values.get(name, math.nan) for values in by_run]) for name in names}


def run_diagnostics(learner: Columns, evaluations: Columns) -> dict[str, float]:
    """Return every diagnostic of one run from its tables' columns `[rows]`.

    Logged ones are means over the rows that have them; ratio of layers, value bias and variation of
    evaluations are derived.
    """
    values = {name: _mean(column) for name, column in learner.items() if name not in STEP_COLUMNS}
    layers = sorted((name for name in values if re.fullmatch(LAYER, name)), key=_layer)
    if layers:
        values["gradient_first_to_last"] = _mean(_ratio(learner[layers[0]], learner[layers[-1]]))
    if "start_value" in evaluations:
        values["value_bias"] = _mean(evaluations["start_value"] - evaluations["discounted_return"])
    returns = curve(evaluations)[1]
    values["evaluation_variation"] = _standard_deviation(returns[len(returns) // 2 :])
    return values


def _of_run(store: Store, run: Run) -> dict[str, float]:
    if run.rows is None:
        return {}
    try:
        table = store.read_table(run.key, "learner")
    except (OSError, ValueError):
        return {}
    learner = {name: table[name].to_numpy() for name in table.column_names}
    return run_diagnostics(learner, run.tables["evaluations"])


def _mean(column: NDArray[Any]) -> float:
    """Return the mean of the finite values of a column, NaN without any."""
    values = np.asarray(column, float)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def _standard_deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of at least two values, NaN where it is not finite."""
    if len(values) < 2:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(np.std(values, ddof=1))
    return deviation if math.isfinite(deviation) else math.nan


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=np.asarray(denominator) > 0)
    return ratio


def _layer(name: str) -> int:
    return int(name.rpartition("_")[2])
