"""Runs of one task or of several: the argument that functions over tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics.intervals import Sample, as_sample

ByTask = ArrayLike | Sequence[ArrayLike] | Mapping[str, ArrayLike]
"""Runs of one task `[R]`, or of `K` tasks: `K` array-likes `[R_k]`, or these by the tasks' names."""


def as_tasks(by_task: ByTask) -> list[Sample]:
    """Return the runs of each task that are not missing, `K` arrays `[R_k]`."""
    parts: list[Any] = list(by_task.values() if isinstance(by_task, Mapping) else by_task)  # type: ignore[arg-type]
    if parts and all(np.ndim(part) == 0 for part in parts):
        return [as_sample(parts)]
    return [as_sample(part) for part in parts]


def as_same_tasks(x: ByTask, y: ByTask) -> tuple[list[Sample], list[Sample]]:
    """Return the runs of each task of two arms, in the order of the first.

    Raises `ValueError` where they do not have the same tasks.
    """
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        if set(x) != set(y):
            raise ValueError(f"both arms need the same tasks; these are in one alone: {set(x) ^ set(y)}")
        y = {task: y[task] for task in x}
    one, other = as_tasks(x), as_tasks(y)
    if len(one) != len(other):
        raise ValueError(f"both arms need the same tasks; got {len(one)} and {len(other)}")
    return one, other
