"""Direction and size of the S&P 500's next daily return, day after day, 1999 to 2018."""

from __future__ import annotations

import csv
import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ablation.config.source import HASH_DIGITS
from ablation.tasks.streams.data import Examples, LabeledStream, package_missing
from ablation.tasks.streams.order import TURNS, in_sequence

FILE = "data/sp500/sp500.csv.gz"
"""In the package arch (Sheppard; NCSA license), which is not imported."""
HISTORY = 20
"""Returns that a prediction sees, the last month's."""
YEAR = 250
"""Days whose median size tells a large return from a small one."""
DAYS = 4750
"""Days that are predicted, the first ones with a year before them: five periods of 950."""


@cache
def prices() -> LabeledStream:
    """Return days with their returns in percent; all are both tested on and learned from.

    Inputs are the last `HISTORY` returns and their sizes. Of the four classes the odd ones are days
    that rose, the last two days that moved more than the median of the year before. Groups are the
    periods.
    """
    rows = list(csv.DictReader(gzip.decompress(_file().read_bytes()).decode().splitlines()))
    closes = np.array([float(row["Adj Close"]) for row in rows])
    returns = 100 * (closes[1:] / closes[:-1] - 1)
    days = np.arange(YEAR, YEAR + DAYS)
    past = returns[days[:, None] - np.arange(1, HISTORY + 1)]
    usual = np.median(np.abs(returns)[days[:, None] - np.arange(1, YEAR + 1)], axis=1)
    labels = 2 * (np.abs(returns[days]) > usual) + (returns[days] > 0)
    inputs = np.concatenate([past, np.abs(past)], axis=1).astype(np.float32)
    examples = Examples(inputs, labels.astype(np.int64), np.arange(DAYS) * TURNS // DAYS)
    return LabeledStream(examples, examples, np.arange(TURNS), in_sequence, tested_first=True)


@cache
def fingerprint() -> str:
    """Return a hash of the series, which versions of arch may change."""
    return hashlib.sha256(gzip.decompress(_file().read_bytes())).hexdigest()[:HASH_DIGITS]


def _file() -> Path:
    package = find_spec("arch")
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / FILE).exists():
            return Path(folder) / FILE
    raise package_missing("prices")
