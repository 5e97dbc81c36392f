"""Quantities that change linearly over the steps of a run."""

from __future__ import annotations


def linear(step: int, start: float, end: float, steps: int) -> float:
    """Return the value at `step` of a line from `start` (at 0) to `end` (at `steps` and after)."""
    if step >= steps:
        return end
    return start + (end - start) * (step / steps)
