"""What papers report, declared in `papers.yaml`: the shapes of their results, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from ablation.results.load import StudyRuns
from analysis.effects.design_grid import design_grid
from analysis.expectations.published import ENVIRONMENT, Column, Published
from analysis.expectations.verdicts import Expectation, Verdict

DECLARED = Path(__file__).with_name("papers.yaml")

BEFORE = "before the runs"

Agreement = Literal["agrees", "disagrees", "not resolved", "not run"]
AGREEMENTS: Mapping[Verdict, Agreement] = {
    "supported": "agrees",
    "contradicted": "disagrees",
    "not resolved": "not resolved",
    "not run": "not run",
}


@dataclass(frozen=True)
class Shape:
    """A statement of a paper that a study can bear out or not, as contrasts that must all hold.

    One of: `contrast` with its `direction`; `ordering`, arms from the best on; `optimum`, an arm `at`
    which the measure is larger than at each of `against`; `pairs` of which the first is larger; `flat`,
    arms that do not differ from the first. `smallest` is the size that matters, by environment where
    there are several. `size` is the size of the study that it is about, None for any.
    """

    id: str
    says: str
    measure: str
    smallest: float | Mapping[str, float]
    contrast: Mapping[str, float] | None = None
    direction: Literal["positive", "negative", "none"] = "positive"
    ordering: Sequence[str] = ()
    optimum: Mapping[str, Any] | None = None
    pairs: Sequence[Sequence[str]] = ()
    flat: Sequence[str] = ()
    size: str | None = None
    published: str = ""

    def tests(self, study: str) -> Iterator[Expectation]:
        """Yield what the statement comes to in a stored study, environment by environment."""
        sizes: list[tuple[str | None, float]] = []
        if isinstance(self.smallest, Mapping):
            sizes += self.smallest.items()
        else:
            sizes.append((None, self.smallest))
        for environment, smallest in sizes:
            for contrast, direction in self._contrasts():
                yield Expectation(study, self.measure, contrast, direction, smallest, environment)

    def _contrasts(self) -> Iterator[tuple[Mapping[str, float], Any]]:
        if self.contrast is not None:
            yield self.contrast, self.direction
        for better, worse in [*zip(self.ordering, self.ordering[1:], strict=False), *self.pairs]:
            yield {better: 1, worse: -1}, "positive"
        for other in (self.optimum or {}).get("against", ()):
            yield {(self.optimum or {})["at"]: 1, other: -1}, "positive"
        for other in self.flat[1:]:
            yield {other: 1, self.flat[0]: -1}, "none"


@dataclass(frozen=True)
class Paper:
    """A paper, the study file that repeats its design, its statements and the numbers it prints.

    `declared` says when its statements were written down, `figure` the kind that shows what the paper's
    own figure does, where a gallery would choose another.
    """

    study: str
    paper: str
    shapes: Sequence[Shape] = ()
    columns: Sequence[Column] = field(default_factory=tuple)
    declared: str = BEFORE
    figure: str | None = None

    def has(self, study: str) -> bool:
        """Return whether a stored study is this one, in whatever size."""
        return study == self.study or study.startswith(f"{self.study}-")


@cache
def declared(path: Path = DECLARED) -> tuple[Paper, ...]:
    """Return the papers in the order of their file."""
    return tuple(
        Paper(
            entry["study"],
            entry["paper"],
            [Shape(**shape) for shape in entry.get("shapes", [])],
            [Column(**column) for column in entry.get("published", [])],
            entry.get("declared", BEFORE),
            entry.get("figure"),
        )
        for entry in yaml.safe_load(path.read_text())
    )


def paper_of(study: str) -> Paper | None:
    """Return the paper that a stored study repeats, whatever its size."""
    return next((paper for paper in declared() if paper.has(study)), None)


def together(verdicts: Sequence[Verdict]) -> Agreement:
    """Return what the parts of a statement say of the whole: it agrees if all of them do.

    One part that disagrees decides; otherwise what is not resolved, or was not run, leaves it open.
    """
    if "contradicted" in verdicts:
        return "disagrees"
    if all(verdict == "supported" for verdict in verdicts):
        return "agrees"
    return "not run" if all(verdict == "not run" for verdict in verdicts) else "not resolved"


def published_beside(runs: StudyRuns) -> dict[tuple[str, str], list[Published]]:
    """Return the published numbers beside the arms of a study, by environment and arm."""
    paper = paper_of(runs.plan.study.name)
    if paper is None or not paper.columns:
        return {}
    found: dict[tuple[str, str], list[Published]] = {}
    for environment in runs.environments:
        levels = design_grid(runs, environment)
        for arm in runs.arms(environment):
            of_arm = dict(zip(levels.factors, levels.levels_of(arm), strict=True))
            beside = [
                number
                for column in paper.columns
                if (number := column.beside(arm.name, of_arm | {ENVIRONMENT: environment}))
            ]
            if beside and arm.role != "control":
                found[environment, arm.name] = beside
    return found
