"""A study's results for one score: what tables, figures and page all show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ablation.results.load import StudyRuns
from analysis.effects.aggregates import ArmAggregates, across_environments
from analysis.effects.comparability import Differences, left_out, not_reproducible
from analysis.effects.comparisons import Comparison, compare
from analysis.effects.design_grid import DesignGrid, design_grid
from analysis.effects.factorial_effects import FactorialEffect, factorial_effects, pruned_levels
from analysis.effects.tuned import means_if_tuned_again
from analysis.statistics import Estimate


@dataclass(frozen=True)
class StudyResults:
    """A study's runs and one score, with everything that is computed from them.

    `mixed` says in what the runs differ although they should not, and somebody allowed it.
    """

    runs: StudyRuns
    score: str
    mixed: Differences

    @cached_property
    def left_out(self) -> list[str]:
        """Return a line for each group of runs whose arithmetic is not that of most others."""
        return left_out(self.runs)

    @cached_property
    def not_reproducible(self) -> list[str]:
        """Return a line for each environment whose runs cannot be trained again to the same numbers."""
        return not_reproducible(self.runs)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Return every arm against its baseline."""
        return compare(self.runs, self.score)

    @cached_property
    def if_tuned_again(self) -> dict[tuple[str, str], Estimate]:
        """Return each tuned arm's mean over tuning and training as a whole, by environment and arm."""
        return means_if_tuned_again(self.runs, self.score)

    @cached_property
    def effects(self) -> list[FactorialEffect]:
        """Return main effects and interactions, where factors are crossed."""
        return factorial_effects(self.runs, self.score)

    @cached_property
    def pruned_levels(self) -> list[str]:
        """Return what main effects and interactions leave out because combinations are pruned."""
        return pruned_levels(self.runs)

    @cached_property
    def across(self) -> list[ArmAggregates]:
        """Return the normalized aggregates over all environments, where there are references."""
        return across_environments(self.runs, self.score)

    @cached_property
    def grids(self) -> dict[str, DesignGrid]:
        """Return the design grid of each environment."""
        return {name: design_grid(self.runs, name) for name in self.runs.environments}

    @property
    def environments(self) -> list[tuple[str, str]]:
        """Return the name and the id of each environment."""
        return [(name, self.runs.arms(name)[0].env_id) for name in self.runs.environments]

    def of_environment(self, environment: str) -> list[Comparison]:
        """Return the comparisons of one environment."""
        return [row for row in self.comparisons if row.arm.environment == environment]

    @property
    def empty(self) -> bool:
        """Return whether no run has the score."""
        return all(row.mean.n == 0 for row in self.comparisons)
