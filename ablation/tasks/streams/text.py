"""The next character of Python's language reference, topic after topic: part of the standard library."""

from __future__ import annotations

import hashlib
import string
from functools import cache
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray

from ablation.config.source import HASH_DIGITS
from ablation.config.validation import ConfigError
from ablation.tasks.streams.data import Examples, LabeledStream
from ablation.tasks.streams.order import TURNS, in_sequence

TOPICS = ("compound", "formatstrings", "types", "string-methods", "debugger")
"""Long topics that share no pages: statements, formats, the data model, methods of str, a debugger."""
SYMBOLS = string.ascii_lowercase + " \n.,-"
"""Characters that are told apart, upper case as lower case; all others are one more class."""
CONTEXT = 6
"""Characters that a prediction sees, each one-hot."""
TRAINED, TESTED = 10_000, 500
"""Characters of a topic that are learned from, and of those that follow, to test on."""


@cache
def text() -> LabeledStream:
    """Return the characters after each context; the groups of tests are the topics."""
    characters = [_symbols(topic) for topic in _texts()]
    train = _examples([one[: CONTEXT + TRAINED] for one in characters])
    test = _examples([one[TRAINED + CONTEXT :] for one in characters])
    return LabeledStream(train, test, np.arange(TURNS), in_sequence, tested_first=True)


@cache
def fingerprint() -> str:
    """Return a hash of the text, which versions of Python change."""
    return hashlib.sha256("\0".join(_texts()).encode()).hexdigest()[:HASH_DIGITS]


def _texts() -> list[str]:
    needed = CONTEXT + TRAINED + CONTEXT + TESTED
    for name in TOPICS:
        if len(topics.get(name, "")) < needed:
            reason = f"this Python's topic {name!r} has fewer than {needed:,} characters"
            raise ConfigError("env.id", "text", reason)
    return [topics[name][:needed] for name in TOPICS]


def _symbols(topic: str) -> NDArray[np.int64]:
    """Return the number of each character's class, `[characters]`."""
    number = {symbol: place for place, symbol in enumerate(SYMBOLS)}
    return np.array([number.get(character, len(SYMBOLS)) for character in topic.lower()])


def _examples(by_topic: list[NDArray[np.int64]]) -> Examples:
    one_hot = np.eye(len(SYMBOLS) + 1, dtype=np.float32)
    contexts = [np.lib.stride_tricks.sliding_window_view(one[:-1], CONTEXT) for one in by_topic]
    inputs = one_hot[np.concatenate(contexts)].reshape(-1, CONTEXT * len(one_hot))
    labels = np.concatenate([one[CONTEXT:] for one in by_topic])
    groups = np.repeat(np.arange(len(by_topic)), [len(one) for one in contexts])
    return Examples(inputs, labels, groups)
