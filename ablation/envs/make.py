"""Makes an environment's lanes: batched dynamics where they exist, else copies of Gymnasium's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ablation.envs.array_lanes import ArrayLanes
from ablation.envs.dynamics import Dynamics
from ablation.envs.gymnasium_lanes import GymnasiumLanes
from ablation.envs.lanes import LaneEnvironment, ResetSeed
from ablation.envs.making import Options
from ablation.envs.spec import maker, time_limit

MakeLanes = Callable[[int, ResetSeed, bool], LaneEnvironment]
"""(lanes, reset seeds, whether to repeat) -> the environments."""


def lane_maker(
    env_id: str,
    backend: str,
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
            steps = time_limit(env_id) if limit is None else limit
            return ArrayLanes(Dynamics(env_id, **changed), steps, lanes, reset_seed, repeat)
        return GymnasiumLanes(maker(env_id, limit, changed, options), lanes, reset_seed, repeat)

    return make
