"""What papers report, declared in `papers.yaml`: statements about their results, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from analysis.effects.study_results import StudyResults
from analysis.expectations.published import ENVIRONMENT, PublishedColumn
from analysis.expectations.verdicts import Expectation, Verdict
from analysis.tables.side_columns import PublishedNumber

PAPERS_FILE = Path(__file__).with_name("papers.yaml")

BEFORE = "before the runs"

Agreement = Literal["agrees", "smaller", "disagrees", "inconclusive", "too few seeds", "not run"]
AGREEMENTS: Mapping[Verdict, Agreement] = {
    "supported": "agrees",
    "smaller": "smaller",
    "contradicted": "disagrees",
    "inconclusive": "inconclusive",
    "too few seeds": "too few seeds",
    "not run": "not run",
}


@dataclass(frozen=True)
class Statement:
    """A statement of a paper that a study can confirm or not, as contrasts that must all hold.

    One of: `contrast` with its `direction`; `ordering`, arms from the best on; `optimum`, an arm `at`
    which the measure is larger than at each of `against`; `pairs` of which the first is larger; `flat`,
    arms that do not differ from the first. `smallest` is the smallest effect of interest, by environment
    where there are several. `size` is the size of the study that it is about, None for any.
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
        """Yield the expectations of a stored study that make up the statement, by environment."""
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
    """A paper, the study file that repeats its design, its statements and its printed numbers.

    `declared` says when its statements were written down; `figure` is the kind of figure that
    corresponds to the paper's own, where a gallery would choose another.
    """

    study: str
    paper: str
    statements: Sequence[Statement] = ()
    columns: Sequence[PublishedColumn] = field(default_factory=tuple)
    declared: str = BEFORE
    figure: str | None = None

    def has(self, study: str) -> bool:
        """Return whether a stored study is this one, in whatever size."""
        return study == self.study or study.startswith(f"{self.study}-")


@cache
def declared_papers() -> tuple[Paper, ...]:
    """Return the papers in the order of their file."""
    return tuple(
        Paper(
            entry["study"],
            entry["paper"],
            [Statement(**statement) for statement in entry.get("statements", [])],
            [PublishedColumn(**column) for column in entry.get("published", [])],
            entry.get("declared", BEFORE),
            entry.get("figure"),
        )
        for entry in yaml.safe_load(PAPERS_FILE.read_text(encoding="utf-8"))
    )


def paper_of(study: str) -> Paper | None:
    """Return the paper that a stored study repeats, whatever its size."""
    return next((paper for paper in declared_papers() if paper.has(study)), None)


def overall_agreement(verdicts: Sequence[Verdict]) -> Agreement:
    """Return the verdict on a statement from those on its parts: it agrees if all of them do.

    One part that disagrees decides; otherwise parts that are inconclusive, not run or of too few seeds
    leave it open, and one that is smaller than expected makes all of it so.
    """
    if "contradicted" in verdicts:
        return "disagrees"
    if all(verdict in ("supported", "smaller") for verdict in verdicts):
        return "smaller" if "smaller" in verdicts else "agrees"
    if all(verdict == "not run" for verdict in verdicts):
        return "not run"
    return "too few seeds" if "too few seeds" in verdicts else "inconclusive"


def published_numbers(results: StudyResults) -> dict[tuple[str, str], list[PublishedNumber]]:
    """Return the published numbers beside the arms of a study, by environment and arm.

    They are of the study's primary score: nothing for another one.
    """
    study = results.runs.plan.study
    paper = paper_of(study.name)
    if paper is None or results.score != study.primary_score:
        return {}
    published: dict[tuple[str, str], list[PublishedNumber]] = {}
    for environment, grid in results.grids.items():
        for arm in results.runs.arms(environment):
            levels = dict(zip(grid.factors, grid.levels_of(arm), strict=True))
            levels[ENVIRONMENT] = environment
            columns = [column.number_of(arm.name, levels) for column in paper.columns]
            numbers = [number for number in columns if number is not None]
            if numbers and arm.role != "control":
                published[environment, arm.name] = numbers
    return published
