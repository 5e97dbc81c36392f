"""Handwritten digits, two classes at a time (class-incremental)."""

from __future__ import annotations

from functools import cache

import numpy as np

from ablation.tasks.streams.data import Examples, LabeledStream
from ablation.tasks.streams.order import TURNS, drawn

CLASSES = 10
TEST_EVERY = 5
"""One of so many images of a class, in the data set's order, is for testing, the same for all seeds."""


@cache
def digits() -> LabeledStream:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels (UCI, Alpaydin & Kaynak 1998); no download.

    Inputs are pixels in [0, 1]; the groups of tests are the classes.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = (pixels / 16).astype(np.float32), labels.astype(np.int64)
    place = np.zeros(len(labels), np.int64)
    for label in range(CLASSES):
        of_class = np.flatnonzero(labels == label)
        place[of_class] = np.arange(len(of_class))
    tested = place % TEST_EVERY == TEST_EVERY - 1
    train, test = (Examples(pixels[part], labels[part], labels[part]) for part in (~tested, tested))
    turns = np.arange(CLASSES) * TURNS // CLASSES
    return LabeledStream(train, test, turns, drawn, by_accuracy=True)
