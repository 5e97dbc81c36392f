"""Returns of an arm's runs by environment step: of evaluations, or of training where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.results.load import StudyRuns
from ablation.results.references import Reference
from ablation.results.scores import RunRows
from ablation.study.plan import Arm
from analysis.statistics import LEVEL
from analysis.statistics.intervals import t_quantile

TRAINING_POINTS = 50
"""Points of a training curve: each is the mean over the episodes that ended since the one before."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """An estimate with its band along an axis, each `[T]`; `n` is the largest number of runs."""

    x: Array
    estimate: Array
    low: Array
    high: Array
    n: int
    runs: Array | None = None
    """The single runs `[R, T]`, where there are any to show."""


@dataclass(frozen=True)
class ReturnCurves:
    """What the learning curves of an environment show: an arm's line, and the kind of return."""

    line: Callable[[Arm], Line | None]
    returns: str
    reference: Reference | None

    @property
    def axis_labels(self) -> tuple[str, str]:
        """Return the labels of the axes."""
        return "environment steps", f"{self.returns} (↑ better)"


def return_curves(runs: StudyRuns, environment: str) -> ReturnCurves | None:
    """Return the curves of evaluations, or those of training episodes if no run was evaluated.

    None if no run has either.
    """
    rows = [row for arm in runs.arms(environment) for row in _rows(runs, arm)]
    scale = runs.reference(runs.baseline(environment))
    if any(len(row.curve[0]) for row in rows):
        # How runs from elsewhere were evaluated is not known.
        ours = not any(map(runs.is_outside, runs.arms(environment)))
        label = f"{'greedy ' if ours else ''}evaluation return"
        return ReturnCurves(lambda arm: learning_curve(runs, arm), label, scale)
    last = max((int(row.episodes["env_step"][-1]) for row in rows if _trained(row)), default=0)
    if not last:
        return None
    return ReturnCurves(lambda arm: training_curve(runs, arm, last), "training return", scale)


def evaluation_matrix(runs: StudyRuns, arm: Arm) -> tuple[Array, Array]:
    """Return an arm's evaluation steps `[T]` and each run's mean returns `[R, T]`, NaN if missing."""
    curves = [
        (steps, returns) for steps, returns in (row.curve for row in _rows(runs, arm)) if len(steps)
    ]
    if not curves:
        return np.zeros(0), np.zeros((0, 0))
    steps = np.unique(np.concatenate([steps for steps, _ in curves]))
    matrix = np.full((len(curves), len(steps)), np.nan)
    for row, (own, returns) in zip(matrix, curves, strict=True):
        row[np.searchsorted(steps, own)] = returns
    return steps.astype(float), matrix


def training_matrix(runs: StudyRuns, arm: Arm, last: int) -> tuple[Array, Array]:
    """Return `TRAINING_POINTS` steps up to `last` and each run's mean return `[R, T]` between them."""
    edges = np.linspace(0, last, TRAINING_POINTS + 1)
    rows = [row.episodes for row in _rows(runs, arm) if _trained(row)]
    matrix = np.full((len(rows), TRAINING_POINTS), np.nan)
    for line, episodes in zip(matrix, rows, strict=True):
        line[:] = binned(episodes["env_step"], episodes["episode_return"], edges)
    return edges[1:], matrix


def binned(steps: NDArray[Any], values: NDArray[Any], edges: Array) -> Array:
    """Return the mean of the values `[N]` at steps in each bin `[len(edges) - 1]`, NaN in empty ones."""
    bins = len(edges) - 1
    at = np.clip(np.searchsorted(edges, steps) - 1, 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    sums = np.bincount(at, weights=values, minlength=bins)
    means: Array = np.full(bins, np.nan)
    return np.divide(sums, counts, out=means, where=counts > 0)


def learning_curve(runs: StudyRuns, arm: Arm) -> Line | None:
    """Return the mean evaluation over runs at each step with its t interval, None without runs."""
    return _mean_line(*evaluation_matrix(runs, arm), runs.reference(arm))


def training_curve(runs: StudyRuns, arm: Arm, last: int) -> Line | None:
    """Return the mean training return over runs by step with its t interval, None without runs."""
    return _mean_line(*training_matrix(runs, arm, last), runs.reference(arm))


def _mean_line(steps: Array, matrix: Array, reference: Reference | None) -> Line | None:
    """Return the mean over runs with its t interval, which ends where no return can lie."""
    n = np.sum(~np.isnan(matrix), axis=0)
    known = n > 0
    if not known.any():
        return None
    steps, matrix, n = steps[known], matrix[:, known], n[known]
    estimate = np.nanmean(matrix, axis=0)
    squares = np.nansum((matrix - estimate) ** 2, axis=0)
    quantile = {size: t_quantile(size - 1, LEVEL) if size > 1 else math.nan for size in set(n.tolist())}
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.array([quantile[size] for size in n.tolist()]) * np.sqrt(squares / (n - 1) / n)
    bounds = None if reference is None else reference.bounds
    low, high = within_bounds(estimate - half, estimate + half, matrix, bounds)
    return Line(steps, estimate, low, high, int(n.max()), matrix)


def within_bounds(
    low: ArrayLike, high: ArrayLike, runs: Array, bounds: tuple[float, float] | None
) -> tuple[Array, Array]:
    """Return the ends of intervals, none beyond where a score can lie or a run does."""
    lows, highs = np.asarray(low, float), np.asarray(high, float)
    if bounds is None:
        return lows, highs
    # A bound that runs cross is not that of their rewards.
    lows = np.maximum(lows, min(bounds[0], float(np.nanmin(runs))))
    return lows, np.minimum(highs, max(bounds[1], float(np.nanmax(runs))))


def _rows(runs: StudyRuns, arm: Arm) -> Sequence[RunRows]:
    return [run.rows for run in runs.of_arm(arm) if run.rows is not None]


def _trained(row: RunRows) -> bool:
    return len(row.episodes["env_step"]) > 0
