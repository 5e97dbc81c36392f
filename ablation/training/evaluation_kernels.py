"""Greedy episodes of one network after another, each to its end, in one compiled call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.agent.kernels import evaluate_lane, first_largest
from ablation.agent.network_kernels import INPUTS, Network, Workspace
from ablation.envs.array_lanes import LaneArrays
from ablation.envs.kernels import begin_env, observe_env, step_env
from ablation.numerics.compiled import borrowing, merged

RETURN, LENGTH, START_VALUE, DISCOUNTED = range(4)
"""Columns of an episode's results."""


@borrowing
def play_episodes(
    first: int,
    last: int,
    episodes: int,
    discount: float,
    seeds: NDArray[np.int64],
    envs: LaneArrays,
    online: NDArray[np.float32],
    network: Network,
    observation: NDArray[np.float32],
    space: Workspace,
    results: NDArray[np.float64],
) -> None:
    """Play episodes `first` to `last - 1` of `[N]`, `episodes` with each network of `online [L, P]`.

    `seeds [N]` reset them, `envs` and `observation [N, O]` are theirs; `results [N, 4]` are zeros.
    """
    for number in range(first, last):
        begin_env(envs.code, seeds[number], envs.constants, envs.state[number])
        seen = observation[number : number + 1]
        parameters, row = online[number // episodes], results[number]
        _play_episode(parameters, network, seen, discount, envs, envs.state[number], space, row)


@merged
def _play_episode(
    parameters: NDArray[np.float32],
    network: Network,
    observation: NDArray[np.float32],
    discount: float,
    envs: LaneArrays,
    state: NDArray[np.float64],
    space: Workspace,
    result: NDArray[np.float64],
) -> None:
    ended, factor = False, 1.0
    while not ended:
        observe_env(envs.code, state, observation[0])
        evaluate_lane(parameters, network, observation, space, space.next_values)
        action = first_largest(space.next_values, 0, network.table[INPUTS, -1])
        if result[LENGTH] == 0:
            result[START_VALUE] = space.next_values[action]
        reward, terminated = step_env(envs.code, state, action, envs.constants, envs.moves)
        result[RETURN] += np.float32(reward)
        result[LENGTH] += 1
        result[DISCOUNTED] += factor * np.float64(np.float32(reward))
        factor *= discount
        ended = terminated or result[LENGTH] >= envs.time_limit
