"""Notes on intervals that hold less often than they say, by simulations in `coverage.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ENOUGH = 0.93
"""Coverage below which a report says so."""
COVERAGE = Path(__file__).parent / "coverage.csv"


def undercoverage_notes(intervals: Mapping[str, int]) -> list[str]:
    """Return a note of the intervals whose simulated coverage is below 93 % with so few runs.

    `intervals` gives the smallest number of runs by an interval's name in `coverage.csv`; each is named
    with the n that it was simulated at.
    """
    clauses = []
    for name, n in intervals.items():
        measured = sorted({size for interval, _, size in _coverage() if interval == name})
        size = max((size for size in measured if size <= n), default=measured[0])
        short = {
            kind: _coverage()[name, scores, size]
            for scores, kind in (("normal", "normal"), ("skewed", "skewed, bounded"))
            if _coverage()[name, scores, size] < ENOUGH
        }
        for kind, coverage in short.items():
            fewest = ", the fewest that were simulated," if size > n else ""
            about = f"about {100 * coverage:.1f} % (simulation with {kind} scores)"
            clauses.append(f"{name} at n = {size}{fewest} is {about}")
    if not clauses:
        return []
    return [f"Actual coverage of 95 % intervals that hold less often: {'; '.join(clauses)}."]


@cache
def _coverage() -> dict[tuple[str, str, int], float]:
    with COVERAGE.open(newline="", encoding="utf-8") as file:
        return {
            (row["interval"], row["scores"], int(row["n"])): float(row["coverage"])
            for row in csv.DictReader(file)
        }
