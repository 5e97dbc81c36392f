"""Handwritten digits: the images to learn from and those to test on. Without PyTorch, for planning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ablation.config.validation import ConfigError
from ablation.envs.making import Options
from ablation.envs.spec import EnvSpec

CLASSES, PIXELS = 10, 64
TEST_EVERY = 5
"""One of so many images of a class, in the data set's order, is for testing, the same for all seeds."""


@dataclass(frozen=True)
class Images:
    """Images `[N, PIXELS]`, float32 in [0, 1], and their classes `[N]`, int64."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    """The images that are learned from, and those of the tests."""

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


def spec(env_id: str, options: Options) -> EnvSpec:  # noqa: ARG001
    """Return the sizes of the task; raises `ConfigError` where scikit-learn is not installed."""
    digits()
    return EnvSpec((PIXELS,), CLASSES)
