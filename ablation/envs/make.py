"""Chooses what steps an environment's lanes: batched dynamics where they exist, else Gymnasium."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ablation.envs.array_lanes import ArrayLanes
from ablation.envs.dynamics import DYNAMICS
from ablation.envs.gymnasium_lanes import GymnasiumLanes
from ablation.envs.lanes import LaneEnvironment, ResetSeed
from ablation.envs.spec import Options, maker, time_limit
from ablation.envs.tensor_lanes import TensorLanes
from ablation.numerics.compiled import runs_compiled

MakeLanes = Callable[[int, ResetSeed, bool], LaneEnvironment]
"""(lanes, reset seeds, whether to repeat) -> the environments."""


def lane_maker(
    env_id: str,
    backend: str,
    device: torch.device,
    limit: int | None = None,
    physics: Mapping[str, float] | None = None,
    options: Options = (),
) -> MakeLanes:
    """Return a function that makes lanes of an environment; `backend` is resolved already.

    `limit` is the steps after which an episode is truncated, None for Gymnasium's; `physics` are
    fields of the dynamics that differ from Gymnasium's (only CartPole's can); `options` are a game's.
    """
    changed = physics or {}

    def make(lanes: int, reset_seed: ResetSeed, repeat: bool) -> LaneEnvironment:
        if backend == "tensor":
            compiled = runs_compiled(device)
            dynamics: Any = DYNAMICS[env_id](np if compiled else torch)
            dynamics = replace(dynamics, **changed)
            steps = time_limit(env_id) if limit is None else limit
            if compiled:
                return ArrayLanes(dynamics, steps, lanes, reset_seed, repeat)
            return TensorLanes(dynamics, steps, lanes, reset_seed, device, repeat)
        return GymnasiumLanes(maker(env_id, limit, changed, options), lanes, reset_seed, device, repeat)

    return make
