"""What a stream of labeled examples is, and the table of data sets. Without PyTorch, for planning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.config.registry import load_component
from ablation.envs.making import Options
from ablation.envs.spec import EnvSpec

Integers = NDArray[np.int64]

DATA_SETS = {
    "digits": "ablation.tasks.streams.digits:digits",
    "text": "ablation.tasks.streams.text:text",
    "prices": "ablation.tasks.streams.prices:prices",
}
"""Import path of the function that loads each data set as a `LabeledStream`, by environment id."""


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
    classes: int
    turn_of_group: Integers
    """The turn of a run in which a group's examples are shown, `[groups]`, never falling."""
    order: Callable[[Integers, Sequence[int], int], Integers]
    """(turns of the examples `[N]`, seeds, steps) -> the example shown at each step `[L, steps]`."""
    by_accuracy: bool
    """Whether an evaluation's return is the accuracy on a group, else the mean log-likelihood (nats)."""
    tested_first: bool = False
    """Whether each shown example is new, and so predicted before it is learned from."""


def load_stream(env_id: str) -> LabeledStream:
    """Return a data set by its environment id; raises `ConfigError` where its package is missing."""
    stream: LabeledStream = load_component(DATA_SETS[env_id])()
    return stream


def spec(env_id: str, options: Options) -> EnvSpec:  # noqa: ARG001
    """Return the sizes of a data set; raises `ConfigError` where its package is missing."""
    stream = load_stream(env_id)
    return EnvSpec((stream.train.inputs.shape[1],), stream.classes)
