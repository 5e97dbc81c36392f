"""`make bench-spread`: what tolerance intervals, failure shares and the note on two groups are worth.

Simulates them on scores of known shapes and prints the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis import statistics
from analysis.statistics.intervals import wilson

SIZES = (20, 30, 45, 46, 60, 100)
SHARES = np.linspace(0.02, 0.98, 481)
APART = 6.0
"""Standard deviations between the planted groups."""
CONTENT = 0.9

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]
"""(random, n) -> scores `[n]`."""


@dataclass(frozen=True)
class Shape:
    """Scores of one mode: drawn from uniform numbers, with the share of them up to a value."""

    quantile: Callable[[Array], Array]
    share_below: Callable[[Array], Array]
    """The share at or below a value; below it, where `strict` says that values tie."""
    strict: Callable[[Array], Array] | None = None

    def draw(self, random: np.random.Generator, n: int) -> Array:
        """Return `n` scores."""
        return self.quantile(random.random(n))

    def content(self, low: float, high: float) -> float:
        """Return the share of all scores from `low` to `high`, both included."""
        below = self.strict or self.share_below
        return float(self.share_below(np.array(high)) - below(np.array(low)))


def _capped(cap: float) -> Shape:
    """Return normal scores cut off at a largest one."""
    return Shape(
        lambda u: np.minimum(special.ndtri(u), cap),
        lambda x: np.where(x >= cap, 1.0, special.ndtr(x)),
        lambda x: np.where(x > cap, 1.0, special.ndtr(x)),
    )


SHAPES = {
    "normal": Shape(lambda u: np.asarray(special.ndtri(u)), lambda x: np.asarray(special.ndtr(x))),
    "skewed, bounded": Shape(
        lambda u: np.asarray(special.betaincinv(1.5, 0.5, u)),
        lambda x: np.asarray(special.betainc(1.5, 0.5, np.clip(x, 0, 1))),
    ),
    "exponential": Shape(lambda u: -np.log1p(-u), lambda x: -np.expm1(-np.maximum(x, 0))),
    "capped at the mean": _capped(0.0),
    "capped, 31 % at the cap": _capped(0.5),
    "capped, 69 % at the cap": _capped(-0.5),
}


def _planted(smaller: float, above: bool, capped: bool) -> Draw:
    """Return two normal groups, the smaller one with that part of the runs, above or below the other."""

    def draw(random: np.random.Generator, n: int) -> Array:
        small = np.arange(n) < math.ceil(smaller * n)
        scores = random.normal(size=n) + APART * (small if above else ~small)
        return np.minimum(scores, APART) if capped else scores

    return draw


PLANTED: dict[str, Draw] = {
    "halves": _planted(0.5, True, False),
    "halves, upper capped": _planted(0.5, True, True),
    "a quarter below": _planted(0.25, False, False),
    "a quarter above": _planted(0.25, True, False),
    "a quarter below, rest capped": _planted(0.25, False, True),
    "a quarter above, capped": _planted(0.25, True, True),
}


def tolerance_held(shape: str, n: int, samples: int) -> tuple[float, float]:
    """Return the share of samples without a wrong tolerance interval, and of those that show one."""
    random, scores = np.random.default_rng((n, samples)), SHAPES[shape]
    wrong = shown = 0
    for _ in range(samples):
        found = statistics.tolerance(scores.draw(random, n), CONTENT)
        if not np.isnan(found.low):
            shown += 1
            wrong += scores.content(found.low, found.high) < CONTENT
    return 1 - wrong / samples, shown / samples


def share_coverage(n: int) -> Array:
    """Return how often Wilson's interval of `n` runs holds each of `SHARES`, by the binomial."""
    intervals = [wilson(count, n) for count in range(n + 1)]
    counts = np.arange(n + 1)
    chances = special.comb(n, counts) * SHARES[:, None] ** counts * (1 - SHARES[:, None]) ** (n - counts)
    low, high = (np.array([getattr(part, end) for part in intervals]) for end in ("low", "high"))
    holds = (low <= SHARES[:, None]) & (SHARES[:, None] <= high)
    return np.asarray((chances * holds).sum(axis=1))


def flagged(draw: Draw, n: int, samples: int) -> float:
    """Return the share of samples that are taken for two groups."""
    random = np.random.default_rng((n, samples))
    return sum(statistics.two_modes(draw(random, n)) is not None for _ in range(samples)) / samples


def main() -> None:
    """Simulate and print the tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread", description=__doc__)
    parser.add_argument("--simulations", type=int, default=10_000)
    simulations = parser.parse_args().simulations
    _print("tolerance: not wrong (shown)", SIZES)
    for shape in SHAPES:
        found = [tolerance_held(shape, n, simulations) for n in SIZES]
        print(f"| {shape} | {' | '.join(f'{held:.3f} ({shown:.2f})' for held, shown in found)} |")
    few = (10, 20, 30, 100)
    _print("failures", few)
    coverages = [share_coverage(n) for n in few]
    print(f"| mean over p | {' | '.join(f'{coverage.mean():.3f}' for coverage in coverages)} |")
    print(f"| smallest | {' | '.join(f'{coverage.min():.3f}' for coverage in coverages)} |")
    sizes = (10, 20, 30, 60, 100)
    _print("two groups", sizes)
    draws = {name: shape.draw for name, shape in SHAPES.items()} | PLANTED
    for name, draw in draws.items():
        print(f"| {name} | {' | '.join(f'{flagged(draw, n, simulations):.3f}' for n in sizes)} |")


def _print(title: str, sizes: tuple[int, ...]) -> None:
    print(f"\n| {title} | {' | '.join(f'n = {n}' for n in sizes)} |\n|---|{'---|' * len(sizes)}")


if __name__ == "__main__":
    main()
