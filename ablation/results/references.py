"""Reference returns of environments: what random actions get, and what counts as solved."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ablation.config.env_settings import References

FILE = Path(__file__).parent / "references.csv"


@dataclass(frozen=True)
class Reference:
    """An environment's returns of random actions (normalized 0) and of a solution (normalized 1).

    No return lies below `lowest` or above `highest`.
    """

    random: float
    threshold: float
    source: str
    lowest: float = -math.inf
    highest: float = math.inf

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest return that there can be."""
        return self.lowest, self.highest

    @classmethod
    def of(cls, given: References) -> Reference:
        """Return those of an environment's settings; without a random return nothing is normalized."""
        random = math.nan if given.random is None else given.random
        return cls(random, given.threshold, given.source)

    def normalize(self, value: float) -> float:
        """Return a return on the scale from random (0) to solved (1); it may lie beyond both."""
        return (value - self.random) / (self.threshold - self.random)


def reference(env_id: str) -> Reference | None:
    """Return the references of an environment, or None: its scores are then never normalized."""
    return _references().get(env_id)


@cache
def _references() -> dict[str, Reference]:
    with FILE.open(newline="", encoding="utf-8") as file:
        return {
            row["env_id"]: Reference(
                float(row["random"]),
                float(row["threshold"]),
                row["source"],
                float(row["lowest"] or -math.inf),
                float(row["highest"] or math.inf),
            )
            for row in csv.DictReader(file)
        }
