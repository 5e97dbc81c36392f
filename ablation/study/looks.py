"""The looks of a study that stops its arms once they are decided: declared first, then taken in turn."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

SHARES = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Of the largest number of seeds, at which an arm is looked at; few seeds could decide little."""
FEWEST = 10
"""Seeds that the last look needs."""

_Count = Annotated[int, Field(strict=True, ge=0)]


@dataclass(frozen=True)
class Decision:
    """At how many seeds an arm was found to differ from its baseline, or the last look did not."""

    environment: str
    arm: str
    seeds: _Count
    different: bool


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds at which arms are looked at, how many looks were taken, what they decided."""

    declared: Annotated[list[_Count], Field(min_length=1)]
    taken: _Count = 0
    decisions: list[Decision] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Return whether the last look was taken."""
        return self.taken >= len(self.declared)

    @property
    def seeds(self) -> int:
        """Return the seeds of the look that was taken last, 0 before the first."""
        return self.declared[self.taken - 1] if self.taken else 0

    def decision(self, environment: str, arm: str) -> Decision | None:
        """Return the decision on an arm; None while there is none."""
        own = (d for d in self.decisions if (d.environment, d.arm) == (environment, arm))
        return next(own, None)

    def until(self, environment: str, arm: str) -> list[int]:
        """Return the looks that were taken at an arm, as numbers of seeds."""
        decision = self.decision(environment, arm)
        last = self.seeds if decision is None else decision.seeds
        return [seeds for seeds in self.declared if seeds <= last]


def declare(most: int) -> Looks:
    """Return the looks of a study whose arms have at most so many seeds, none of them taken."""
    return Looks(sorted({round(share * most) for share in SHARES}))
