"""Chooses what steps an environment's lanes: batched dynamics where they exist, else Gymnasium."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ablation.envs.classic_control import DYNAMICS
from ablation.envs.gymnasium_lanes import GymnasiumLanes
from ablation.envs.lanes import LaneEnvironment, ResetSeed
from ablation.envs.spec import maker, time_limit
from ablation.envs.tensor_lanes import TensorLanes

MakeLanes = Callable[[int, ResetSeed, bool], LaneEnvironment]
"""(lanes, reset seeds, whether to repeat) -> the environments."""


def lane_maker(env_id: str, backend: str, device: torch.device) -> MakeLanes:
    """Return a function that makes lanes of an environment; `backend` is resolved already."""

    def make(lanes: int, reset_seed: ResetSeed, repeat: bool) -> LaneEnvironment:
        if backend == "tensor":
            dynamics = DYNAMICS[env_id](np if device.type == "cpu" else torch)
            return TensorLanes(dynamics, time_limit(env_id), lanes, reset_seed, device, repeat)
        return GymnasiumLanes(maker(env_id), lanes, reset_seed, device, repeat)

    return make
