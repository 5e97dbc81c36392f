"""A study's results for one score: what tables, figures and page all show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ablation.results.load import StudyRuns
from analysis.effects.comparability import Mixed
from analysis.effects.comparisons import (
    AcrossEnvironments,
    Comparison,
    Effect,
    across_environments,
    compare,
    effects,
)
from analysis.effects.design_grid import DesignGrid, design_grid


@dataclass(frozen=True)
class Results:
    """A study's runs, one score, and what was allowed to differ between runs; the rest follows."""

    runs: StudyRuns
    score: str
    mixed: Mixed

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Return every arm against its baseline."""
        return compare(self.runs, self.score)

    @cached_property
    def effects(self) -> list[Effect]:
        """Return main effects and interactions, where factors are crossed."""
        return effects(self.runs, self.score)

    @cached_property
    def across(self) -> list[AcrossEnvironments]:
        """Return the normalised aggregates over all environments, where there are references."""
        return across_environments(self.runs, self.score)

    @cached_property
    def levels(self) -> dict[str, DesignGrid]:
        """Return each environment's factors and combinations."""
        return {name: design_grid(self.runs, name) for name in self.runs.environments}

    def of_environment(self, environment: str) -> list[Comparison]:
        """Return the comparisons of one environment."""
        return [row for row in self.comparisons if row.arm.environment == environment]

    @property
    def empty(self) -> bool:
        """Return whether no run has the score."""
        return all(row.mean.n == 0 for row in self.comparisons)
