"""`make bench-tuned`: how often intervals hold the mean of tuning and training as a whole.

Simulates arms that choose the best of three levels on tuning seeds and are reported on fresh ones, and
prints the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.results.tuning_choices import choice_shares
from analysis import statistics

Array = NDArray[np.float64]

SHAPES = ("normal", "skewed")
GAPS = (0.5, 0.8, 1.2)
"""How far the two worse levels lie below the best one, in standard deviations of the runs."""
TUNING_SEEDS = (5, 10)
SIZES = (10, 30, 100)
TRUTH = 100_000
"""Simulations of the choice alone, for the true mean."""


def draw(random: np.random.Generator, shape: str, size: tuple[int, ...]) -> Array:
    """Return scores with mean 0 and standard deviation 1; skewed: piled up below a bound."""
    if shape == "normal":
        return random.standard_normal(size)
    return (random.beta(1.5, 0.5, size) - 0.75) / 0.25


def coverage(
    shape: str, gap: float, tuning_seeds: int, sizes: Sequence[int], simulations: int
) -> dict[int, Array]:
    """Return how often both intervals hold the true mean `[2]`, by the number of reported seeds.

    First the interval of tuning and training as a whole, then Student's of the reported runs alone.
    """
    random = np.random.default_rng((SHAPES.index(shape), int(100 * gap), tuning_seeds))
    levels = np.array([-gap, 0.0, -gap])[:, None]
    truth = _true_mean(random, shape, levels, tuning_seeds)
    held = {n: np.zeros(2) for n in sizes}
    for _ in range(simulations):
        tuning = levels + draw(random, shape, (3, tuning_seeds))
        chosen, shares = int(tuning.mean(axis=1).argmax()), choice_shares(list(tuning))
        for n in sizes:
            samples = list(tuning)
            samples[chosen] = levels[chosen] + draw(random, shape, (n,))
            whole = statistics.mean_over_choices(samples, shares)
            naive = statistics.mean(samples[chosen])
            held[n] += [part.low <= truth <= part.high for part in (whole, naive)]
    return {n: both / simulations for n, both in held.items()}


def _true_mean(random: np.random.Generator, shape: str, levels: Array, tuning_seeds: int) -> float:
    """Return the mean of the levels that are chosen, on average over tuning seeds."""
    means = levels[:, 0] + draw(random, shape, (TRUTH, len(levels), tuning_seeds)).mean(axis=2)
    return float(levels[means.argmax(axis=1), 0].mean())


def main() -> None:
    """Simulate and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuned_coverage", description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args().simulations
    print(f"| scores, distance, tuning seeds | {' | '.join(f'n = {n}' for n in SIZES)} |")
    print(f"|---|{'---|' * len(SIZES)}")
    for tuning_seeds in TUNING_SEEDS:
        for shape in SHAPES:
            for gap in GAPS:
                held = coverage(shape, gap, tuning_seeds, SIZES, simulations)
                cells = [f"{whole:.3f} ({naive:.3f})" for whole, naive in held.values()]
                print(f"| {shape}, {gap}, {tuning_seeds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
