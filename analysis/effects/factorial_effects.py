"""Main effects and two-way interactions of the factors that a study crosses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.comparisons import SIGNIFICANCE
from analysis.effects.design_grid import design_grid
from analysis.statistics import Contrast, Interval
from analysis.statistics.independent import independent_contrasts


@dataclass(frozen=True)
class FactorialEffect:
    """A main effect (one level) or an interaction (two levels), against the baseline's levels.

    `p_value` is corrected for all effects of the design.
    """

    environment: str
    levels: dict[str, str]
    difference: Interval
    p_value: float

    @property
    def significant(self) -> bool:
        """Return whether the effect differs significantly from zero, after correction."""
        return self.p_value <= SIGNIFICANCE


def factorial_effects(runs: StudyRuns, score: str) -> list[FactorialEffect]:
    """Return main effects and interactions wherever the arms cross factors completely."""
    return [effect for environment in runs.environments for effect in _effects(runs, score, environment)]


def _effects(runs: StudyRuns, score: str, environment: str) -> Iterator[FactorialEffect]:
    grid = design_grid(runs, environment)
    crossed = [tuple(grid.factors)] if grid.complete else itertools.combinations(grid.factors, 2)
    for names in crossed:
        combinations = grid.crossed(*names)
        if combinations is None:
            continue
        shape = tuple(len(grid.factors[name]) for name in names)
        for contrast in _contrasts(runs, score, list(combinations.values()), shape):
            pairs = zip(contrast.factors, contrast.levels, strict=True)
            levels = {names[f]: grid.factors[names[f]][level] for f, level in pairs}
            yield FactorialEffect(environment, levels, contrast.difference.interval, contrast.corrected)


def _contrasts(
    runs: StudyRuns, score: str, combinations: Sequence[Sequence[Arm]], shape: tuple[int, ...]
) -> list[Contrast]:
    """Return the contrasts of the arms of each combination; within seeds where these are pairs."""
    first = combinations[0][0]
    samples = [[runs.scores(arm, score) for arm in arms] for arms in combinations]
    if all(runs.paired(arm, first) for arms in combinations for arm in arms):
        means = [np.mean(of_arms, axis=0) for of_arms in samples]
        return statistics.contrasts(np.stack(means, axis=1).reshape(-1, *shape))
    return independent_contrasts(samples, shape)
