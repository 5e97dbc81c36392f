"""Main effects and two-way interactions of the factors that a study crosses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.comparisons import SIGNIFICANCE
from analysis.effects.design_grid import CrossedPart, DesignGrid, design_grid
from analysis.effects.verdict_rule import tested
from analysis.statistics import Contrast, Difference, Estimate, holm


@dataclass(frozen=True)
class FactorialEffect:
    """A main effect (one level) or an interaction (two levels), against the baseline's levels.

    `p_value` is corrected for all effects of an environment, NaN for too few seeds for a verdict.
    """

    environment: str
    levels: dict[str, str]
    difference: Estimate
    p_value: float

    @property
    def judged(self) -> bool:
        """Return whether there is a verdict on the effect: significant or inconclusive."""
        return not math.isnan(self.p_value)

    @property
    def significant(self) -> bool:
        """Return whether the effect differs significantly from zero, after correction."""
        return self.p_value <= SIGNIFICANCE


def factorial_effects(runs: StudyRuns, score: str) -> list[FactorialEffect]:
    """Return main effects and interactions wherever the arms cross factors completely.

    Where combinations are pruned, over the part that is crossed completely. An effect that is 0
    because merged combinations cancel out is none.
    """
    effects = []
    for environment in runs.environments:
        grid = design_grid(runs, environment)
        found: dict[tuple[tuple[str, str], ...], Difference] = {}
        for part in _parts(grid):
            for levels, difference in _effects(runs, score, part):
                found.setdefault(tuple(levels.items()), tested(difference, runs.plan))
        corrected = holm([difference.p_value for difference in found.values()]).tolist()
        for (key, difference), p_value in zip(found.items(), corrected, strict=True):
            effects.append(FactorialEffect(environment, dict(key), difference, p_value))
    return effects


def pruned_levels(runs: StudyRuns) -> list[str]:
    """Return a sentence for each environment where pruning keeps levels out."""
    sentences = []
    for environment in runs.environments:
        pruned = [entry for entry in runs.plan.pruned if entry.environment == environment]
        grid = design_grid(runs, environment)
        absent = _levels_left_out(grid) if pruned else []
        if absent:
            where = f" ({environment})" if len(runs.environments) > 1 else ""
            reasons = "; ".join(dict.fromkeys(entry.reason for entry in pruned))
            names = "; ".join(dict.fromkeys(entry.name for entry in pruned))
            sentences.append(
                f"Main effects and interactions{where} are over the combinations that are crossed "
                f"completely, without {', '.join(absent)}: {names} "
                f"{'is' if len(pruned) == 1 else 'are'} pruned ({reasons})."
            )
    return sentences


def _levels_left_out(grid: DesignGrid) -> list[str]:
    used = {
        (name, level)
        for part in _parts(grid)
        for name, levels in part.factors.items()
        for level in levels
    }
    return [
        f"{name}={level}"
        for name, levels in grid.factors.items()
        for level in levels
        if (name, level) not in used
    ]


def _parts(grid: DesignGrid) -> Iterator[CrossedPart]:
    """Yield the parts of a design that are crossed completely: the largest, then pairs beyond it."""
    largest = grid.largest_crossed_part()
    if largest is not None:
        yield largest
    for pair in itertools.combinations(grid.factors, 2):
        arms = grid.crossed(*pair)
        if arms is not None and not (largest and set(pair) <= set(largest.factors)):
            yield CrossedPart({name: grid.factors[name] for name in pair}, arms)


def _effects(
    runs: StudyRuns, score: str, part: CrossedPart
) -> Iterator[tuple[dict[str, str], Difference]]:
    shape = tuple(len(levels) for levels in part.factors.values())
    cells = [tuple(arm.cell for arm in arms) for arms in part.arms.values()]
    vanishing = statistics.vanishing(np.reshape([cells.index(cell) for cell in cells], shape))
    contrasts = _contrasts(runs, score, list(part.arms.values()), shape)
    names, levels = list(part.factors), list(part.factors.values())
    for contrast, vanishes in zip(contrasts, vanishing, strict=True):
        if not vanishes:
            pairs = zip(contrast.factors, contrast.levels, strict=True)
            yield {names[f]: levels[f][at] for f, at in pairs}, contrast.difference


def _contrasts(
    runs: StudyRuns, score: str, combinations: Sequence[Sequence[Arm]], shape: tuple[int, ...]
) -> list[Contrast]:
    """Return the contrasts of the arms of each combination; within seeds where these are pairs."""
    first = combinations[0][0]
    samples = [[runs.scores(arm, score) for arm in arms] for arms in combinations]
    if all(runs.paired(arm, first) for arms in combinations for arm in arms):
        means = [np.mean(of_arms, axis=0) for of_arms in samples]
        return statistics.contrasts(np.stack(means, axis=1).reshape(-1, *shape))
    return statistics.independent_contrasts(samples, shape)
