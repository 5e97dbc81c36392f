"""Values that change linearly over the steps of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.config.schema import Schedule


def values_between(schedule: Schedule, first: int, last: int, run_steps: int) -> NDArray[np.float64]:
    """Return a schedule's values at environment steps `first` to `last - 1`; see `value_at`."""
    steps = run_steps if schedule.steps is None else schedule.steps
    at = np.arange(first, last)
    line = schedule.start + (schedule.end - schedule.start) * (at / max(steps, 1))
    return np.where(at >= steps, schedule.end, line)


def value_at(schedule: Schedule, step: int, run_steps: int) -> float:
    """Return a schedule's value at an environment step: a line from its start to its end.

    `run_steps` is the length of the line where the schedule names none.
    """
    steps = run_steps if schedule.steps is None else schedule.steps
    if step >= steps:
        return schedule.end
    return schedule.start + (schedule.end - schedule.start) * (step / steps)
