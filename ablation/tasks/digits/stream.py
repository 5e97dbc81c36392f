"""Digits as a stream that changes: two classes at a time, each pair only in its turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.random_streams import Stream, words
from ablation.tasks.digits.data import CLASSES

TASKS = 5
"""Turns of a run, equally long: classes 0 and 1, then 2 and 3, and so on."""


def task_of(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the turn in which a class is shown."""
    return label * TASKS // CLASSES


def shown_images(labels: NDArray[np.int64], seeds: Sequence[int], steps: int) -> NDArray[np.int64]:
    """Return which training image each run sees at each step, `[L, steps]`.

    Uniform over the images of the turn's classes; a function of (seed, step) alone.
    """
    turn = np.arange(steps) * TASKS // steps
    order = np.argsort(task_of(labels), kind="stable")
    sizes = np.bincount(task_of(labels), minlength=TASKS)
    first = np.cumsum(sizes) - sizes
    drawn = np.stack([words(seed, Stream.RESET, 0, steps, 1)[:, 0] for seed in seeds]).astype(np.int64)
    return order[first[turn] + ((drawn * sizes[turn]) >> 32)]
