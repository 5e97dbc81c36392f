"""What a stream of labeled examples is, and the table of data sets. Without PyTorch, for planning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ablation.config.registry import load_component
from ablation.config.validation import ConfigError
from ablation.envs.making import Options
from ablation.envs.spec import EnvSpec

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class DataSet:
    """What a plan knows of a data set without its data, which `make` loads: an import path."""

    make: str
    inputs: int
    """Numbers in an example's input, `I`."""
    classes: int
    package: str | None = None
    """What has the data, if not Python itself; an extra of ours with the name of the set installs it."""


DATA_SETS = {
    "digits": DataSet("ablation.tasks.streams.digits:digits", 8 * 8, 10, "sklearn"),
    "text": DataSet("ablation.tasks.streams.text:text", 6 * 32, 32),
    "prices": DataSet("ablation.tasks.streams.prices:prices", 2 * 20, 4, "arch"),
}
"""All data sets by environment id."""


@dataclass(frozen=True)
class Examples:
    """Inputs `[N, I]`, float32, their classes `[N]` and the groups that they are tested in `[N]`."""

    inputs: NDArray[np.float32]
    labels: Integers
    groups: Integers


@dataclass(frozen=True)
class LabeledStream:
    """A data set, and how runs see it and are tested on it."""

    train: Examples
    test: Examples
    turn_of_group: Integers
    """The turn of a run in which a group's examples are shown, `[groups]`, never falling."""
    order: Callable[[Integers, Sequence[int], int], Integers]
    """(turns of the examples `[N]`, seeds, steps) -> the example shown at each step `[L, steps]`."""
    by_accuracy: bool = False
    """Whether an evaluation's return is the accuracy on a group, else the mean log-likelihood (nats)."""
    tested_first: bool = False
    """Whether each shown example is new, and so predicted before it is learned from."""


def load_stream(env_id: str) -> LabeledStream:
    """Return a data set by its environment id."""
    stream: LabeledStream = load_component(DATA_SETS[env_id].make)()
    return stream


def package_missing(env_id: str) -> ConfigError:
    """Return the error for a data set whose package is not installed."""
    hint = f"needs a package that is not installed; pip install -e '.[{env_id}]' installs it"
    return ConfigError("env.id", env_id, hint)


def spec(env_id: str, options: Options = ()) -> EnvSpec:  # noqa: ARG001
    """Return the sizes of a data set; raises `ConfigError` where its package is missing."""
    data_set = DATA_SETS[env_id]
    if data_set.package is not None and find_spec(data_set.package) is None:
        raise package_missing(env_id)
    return EnvSpec((data_set.inputs,), data_set.classes)
