"""Finds non-finite observations and rewards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ablation.envs.lanes import LaneStep


@dataclass(frozen=True)
class BadValue:
    """A lane whose environment returned a non-finite value, and in which field."""

    lane: int
    field: str
    value: str


def bad_values(step: LaneStep) -> list[BadValue]:
    """Return the first non-finite field of each lane that has one; usually nothing."""
    # A finite sum of squares clears all lanes at once; only then is each lane examined.
    flat = [values.flatten() for values in (step.final_observation, step.reward)]
    if all(math.isfinite(values.dot(values).item()) for values in flat):
        return []
    bad: dict[int, BadValue] = {}
    for field in ("reward", "final_observation"):
        values: Tensor = getattr(step, field)
        rows = values.reshape(len(values), -1)
        for lane in (~torch.isfinite(rows)).any(dim=1).nonzero().flatten().tolist():
            name = "observation" if field == "final_observation" else field
            bad[lane] = BadValue(lane, name, str(values[lane].tolist()))
    return list(bad.values())
