"""Handwritten digits as a stream that changes: two classes at a time, each pair only in its turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ablation.config.validation import ConfigError
from ablation.numerics.random_streams import Stream, words

CLASSES, PIXELS = 10, 64
TASKS = 5
"""Turns of a run, equally long: classes 0 and 1, then 2 and 3, and so on."""
TEST_EVERY = 5
"""One of so many images of a class, in the data set's order, is for testing, the same for all seeds."""


@dataclass(frozen=True)
class Images:
    """Images `[N, PIXELS]`, float32 in [0, 1], and their classes `[N]`, int64."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    """What is learned from, and what is tested on."""

    train: Images
    test: Images


@cache
def digits() -> Digits:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels (UCI, Alpaydin & Kaynak 1998); no download."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        hint = "needs a package that is not installed; pip install -e '.[digits]' installs it"
        raise ConfigError("env.id", "digits", hint) from None
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = (pixels / 16).astype(np.float32), labels.astype(np.int64)
    place = np.zeros(len(labels), np.int64)
    for label in range(CLASSES):
        of_class = np.flatnonzero(labels == label)
        place[of_class] = np.arange(len(of_class))
    tested = place % TEST_EVERY == TEST_EVERY - 1
    return Digits(Images(pixels[~tested], labels[~tested]), Images(pixels[tested], labels[tested]))


def task_of(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the turn in which a class is shown."""
    return label * TASKS // CLASSES


def shown(labels: NDArray[np.int64], seeds: Sequence[int], steps: int) -> NDArray[np.int64]:
    """Return which training image each run sees at each step, `[L, steps]`.

    Uniform over the images of the turn's classes; a function of (seed, step) alone.
    """
    turn = np.arange(steps) * TASKS // steps
    order = np.argsort(task_of(labels), kind="stable")
    sizes = np.bincount(task_of(labels), minlength=TASKS)
    first = np.cumsum(sizes) - sizes
    drawn = np.stack([words(seed, Stream.RESET, 0, steps, 1)[:, 0] for seed in seeds]).astype(np.int64)
    return order[first[turn] + ((drawn * sizes[turn]) >> 32)]
