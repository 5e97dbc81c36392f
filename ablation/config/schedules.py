"""Values that change linearly over the steps of a run."""

from __future__ import annotations

from ablation.config.schema import Schedule


def value_at(schedule: Schedule, step: int, run_steps: int) -> float:
    """Return a schedule's value at an environment step: a line from its start to its end.

    `run_steps` is the length of the line where the schedule names none.
    """
    steps = run_steps if schedule.steps is None else schedule.steps
    if step >= steps:
        return schedule.end
    return schedule.start + (schedule.end - schedule.start) * (step / steps)
