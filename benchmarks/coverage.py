"""`make bench-coverage`: how often the analysis' 95 % intervals hold the truth, by simulation.

Writes `analysis/tables/coverage.csv`, which the reports' footnotes quote, and prints the table of
docs/statistics.md.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis import statistics
from analysis.statistics import AGGREGATES, Estimate

SIZES = (3, 5, 10, 30)
TASKS = 3
FACTORIAL = (2, 2)
REPETITIONS = 2000
TRUTH_SAMPLE = 1_000_000
OUTPUT = Path(__file__).parent.parent / "analysis/tables/coverage.csv"

Array = NDArray[np.float64]
Quantile = Callable[[Array, int], Array]
"""(uniform numbers, which arm or task) -> scores: normal, or skewed and bounded to 0 and 1."""


def normal(uniform: Array, which: int) -> Array:
    """Return normal scores; every further arm or task lies higher and spreads wider."""
    return np.asarray(0.4 + 0.1 * which + (0.2 + 0.05 * which) * special.ndtri(uniform))


def skewed(uniform: Array, which: int) -> Array:
    """Return beta scores that pile up below their bound at 1, the less the further the arm or task."""
    return np.asarray(special.betaincinv(1.5, 0.5 + 0.3 * which, uniform))


DISTRIBUTIONS: dict[str, Quantile] = {"normal": normal, "skewed": skewed}


@dataclass(frozen=True)
class Case:
    """An interval under test: its samples are `[arms, n]`, correlated within a run."""

    arms: int
    correlation: float
    interval: Callable[[Array], Estimate]
    truth: Callable[[Array], float]


def _aggregate(name: str, tasks: int, repetitions: int) -> Case:
    return Case(
        tasks,
        0.0,
        lambda x: statistics.aggregate(list(x), name, repetitions=repetitions),
        lambda x: float(AGGREGATES[name].statistic(list(x))),
    )


def _contrast(at: int) -> Callable[[Array], Estimate]:
    return lambda x: statistics.contrasts(x.T.reshape(-1, *FACTORIAL))[at].difference


def cases(repetitions: int) -> dict[str, Case]:
    """Return every interval of the analysis by its name in `coverage.csv`."""
    return {
        "mean": Case(1, 0.0, lambda x: statistics.mean(x[0]), lambda x: float(x.mean())),
        "iqm": _aggregate("iqm", 1, repetitions),
        "iqm of 3 tasks": _aggregate("iqm", TASKS, repetitions),
        "mean of 3 tasks": _aggregate("mean", TASKS, repetitions),
        "median of 3 tasks": _aggregate("median", TASKS, repetitions),
        "optimality gap": _aggregate("optimality_gap", 1, repetitions),
        "optimality gap of 3 tasks": _aggregate("optimality_gap", TASKS, repetitions),
        "difference": Case(
            2,
            0.5,
            lambda x: statistics.difference(x[0], x[1]),
            lambda x: float(x[0].mean() - x[1].mean()),
        ),
        "unpaired difference": Case(
            2,
            0.0,
            lambda x: statistics.difference(x[0], x[1], paired=False),
            lambda x: float(x[0].mean() - x[1].mean()),
        ),
        "improvement": Case(
            2,
            0.0,
            lambda x: statistics.probability_of_improvement(x[0], x[1]),
            lambda x: float(np.searchsorted(np.sort(x[1]), x[0]).mean() / x.shape[1]),
        ),
        "improvement over 3 tasks": Case(
            2 * TASKS,
            0.0,
            lambda x: statistics.probability_of_improvement(list(x[:TASKS]), list(x[TASKS:])),
            lambda x: float(
                np.mean([np.searchsorted(np.sort(x[k + TASKS]), x[k]).mean() for k in range(TASKS)])
                / x.shape[1]
            ),
        ),
        "share": Case(
            1,
            0.0,
            lambda x: statistics.share(x[0] > 0.5),
            lambda x: float((x > 0.5).mean()),
        ),
        "share difference": Case(
            2,
            0.5,
            lambda x: statistics.share_difference(*(x > 0.5)),
            lambda x: float((x[0] > 0.5).mean() - (x[1] > 0.5).mean()),
        ),
        "profile of 3 tasks": Case(
            TASKS,
            0.0,
            lambda x: statistics.performance_profile(list(x), np.array([0.5]))[0],
            lambda x: float((x > 0.5).mean()),
        ),
        "main effect": Case(4, 0.3, _contrast(0), lambda x: float((x[2:] - x[:2]).mean())),
        "interaction": Case(4, 0.3, _contrast(2), lambda x: float((x[3] - x[1] - x[2] + x[0]).mean())),
    }


def draw(random: np.random.Generator, case: Case, quantile: Quantile, n: int) -> Array:
    """Return scores `[arms, n]`, with a normal copula of the case's correlation within a run."""
    common = random.normal(size=n) * math.sqrt(case.correlation)
    own = random.normal(size=(case.arms, n)) * math.sqrt(1 - case.correlation)
    uniform = special.ndtr(common + own)
    return np.stack([quantile(uniform[arm], arm) for arm in range(case.arms)])


def truth(name: str, distribution: str) -> float:
    """Return the value that an interval is about, from a large sample."""
    case = cases(1)[name]
    sample = draw(np.random.default_rng(1), case, DISTRIBUTIONS[distribution], TRUTH_SAMPLE)
    return case.truth(sample)


def held(
    name: str, distribution: str, n: int, value: float, simulations: int, repetitions: int = REPETITIONS
) -> int:
    """Return how many simulated intervals hold the true value."""
    case = cases(repetitions)[name]
    random = np.random.default_rng((n, simulations))
    count = 0
    for _ in range(simulations):
        found = case.interval(draw(random, case, DISTRIBUTIONS[distribution], n))
        count += found.low <= value <= found.high
    return count


def _rows(simulations: int) -> Iterator[tuple[str, str, int, float, float]]:
    for name in cases(1):
        for distribution in DISTRIBUTIONS:
            value = truth(name, distribution)
            for n in SIZES:
                share = held(name, distribution, n, value, simulations) / simulations
                yield name, distribution, n, share, value


def main() -> None:
    """Simulate, write the file and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    rows = list(_rows(arguments.simulations))
    with arguments.output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("interval", "scores", "n", "coverage", "simulations", "truth"))
        writer.writerows(
            (*row[:3], f"{row[3]:.4f}", arguments.simulations, f"{row[4]:.6g}") for row in rows
        )
    found = {row[:3]: row[3] for row in rows}
    print(f"| interval | {' | '.join(f'{d}, n = {n}' for d in DISTRIBUTIONS for n in SIZES)} |")
    print(f"|---|{'---|' * len(DISTRIBUTIONS) * len(SIZES)}")
    for name in cases(1):
        cells = [f"{found[name, d, n]:.3f}" for d in DISTRIBUTIONS for n in SIZES]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"Written: {arguments.output}")


if __name__ == "__main__":
    main()
