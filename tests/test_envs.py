"""Batched dynamics against Gymnasium's own, step for step."""

from __future__ import annotations

import hashlib
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ablation.envs.dynamics import DYNAMICS, Dynamics
from ablation.envs.grid_world import GRID_WORLD
from ablation.envs.lanes import LaneEnvironment
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec

from .grid_world_paths import shortest_actions


def _seed(lane: int, episode: int) -> int:
    return 1000 * lane + episode


def lanes(env_id: str, backend: str, repeat: bool = True, **changes: Any) -> LaneEnvironment:
    return lane_maker(env_id, backend, **changes)(4, _seed, repeat)


def _skilled(env_id: str, observation: torch.Tensor) -> torch.Tensor:
    """Return actions that solve the task, or last: pump the swing, keep the pole up."""
    if env_id.startswith("CartPole"):
        return (observation[:, 2] + observation[:, 3] > 0).long()
    if env_id.startswith("MountainCar"):
        return 2 * (observation[:, 1] >= 0).long()
    if env_id == GRID_WORLD:
        return torch.from_numpy(shortest_actions())[observation.argmax(dim=1)]
    return 2 * (observation[:, 4] < 0).long()


def _states(theirs: Any) -> np.ndarray:
    """Return the states of Gymnasium's environments, `[L, S]`."""
    inner = [environment.unwrapped for environment in theirs._environments]
    found = [[one._cell] if hasattr(one, "_cell") else one.state for one in inner]
    return np.array(found, np.float64)


def _compare(ours: Any, theirs: Any, env_id: str, steps: int) -> tuple[int, int]:
    """Compare single steps from the same states; return how many ends of each kind there were.

    Each step begins at Gymnasium's states: a balanced pole and a swinging arm magnify a difference in
    the last bit over hundreds of steps.
    """
    observation = ours.reset()
    torch.testing.assert_close(observation, theirs.reset(), rtol=0, atol=1e-6)
    assert ours._state.tolist() == _states(theirs).tolist(), "first states are equal to the last bit"
    random = np.random.default_rng(0)
    count = env_spec(env_id).actions
    ends = np.zeros(2, int)
    for _ in range(steps):
        # Two lanes act well and two at random, so that both kinds of end are seen in each task.
        wander = torch.from_numpy(random.integers(count, size=4))
        actions = torch.where(torch.arange(4) < 2, _skilled(env_id, observation), wander)
        found, expected = ours.step(actions), theirs.step(actions)
        observation = found.observation
        for name in ("observation", "final_observation", "reward"):
            assert (getattr(found, name) - getattr(expected, name)).abs().max() <= 1e-6, name
        assert torch.equal(found.terminated, expected.terminated)
        assert torch.equal(found.truncated, expected.truncated)
        states = _states(theirs)
        assert (np.abs(ours._state - states) <= 1e-12 * (1 + np.abs(states))).all()
        ours._state[:] = states
        ends += int(found.terminated.sum()), int(found.truncated.sum())
    return int(ends[0]), int(ends[1])


@pytest.mark.parametrize("env_id", sorted(DYNAMICS))
def test_each_of_ten_thousand_steps_is_gymnasiums(env_id: str) -> None:
    ends = _compare(lanes(env_id, "tensor"), lanes(env_id, "gymnasium"), env_id, 10_000)
    assert min(ends) > 0, "the walk must see both kinds of end"


def test_the_arithmetic_of_our_dynamics_is_pinned() -> None:
    """The states after a walk; they may change only together with `core_version`."""
    digest = hashlib.sha256()
    for env_id in sorted(DYNAMICS):
        ours: Any = lanes(env_id, "tensor")
        ours.reset()
        random = np.random.default_rng(0)
        for _ in range(1000):
            ours.step(torch.from_numpy(random.integers(env_spec(env_id).actions, size=4)))
            digest.update(ours._state.tobytes())
    assert digest.hexdigest()[:16] == "dca14f230edd9017"


@pytest.mark.parametrize("env_id", sorted(DYNAMICS))
def test_the_time_limit_is_gymnasiums(env_id: str) -> None:
    limit = gymnasium.spec(env_id).max_episode_steps
    assert lanes(env_id, "tensor")._time_limit == limit  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", ["tensor", "gymnasium"])
def test_lanes_that_do_not_repeat_stop_where_their_first_episode_ends(backend: str) -> None:
    made = lanes("CartPole-v1", backend, repeat=False)
    made.reset()
    lengths = torch.zeros(4)
    returns = torch.zeros(4)
    while made.active.any():
        lengths += made.active
        step = made.step(torch.ones(4, dtype=torch.int64))
        returns += step.reward
    assert torch.equal(lengths, returns)
    assert lengths.min() >= 8
    assert lengths.max() <= 11
    still = made.step(torch.zeros(4, dtype=torch.int64))
    assert torch.equal(still.observation, step.observation)
    assert still.reward.sum() == 0


PHYSICS: list[dict[str, float]] = [
    {"half_length": 1.0},
    {"mass_pole": 0.5},
    {"force": 5.0},
    {"start_range": 0.15},
    {"half_length": 0.3, "mass_pole": 0.3, "force": 14.0, "start_range": 0.1},
]


@pytest.mark.parametrize("physics", PHYSICS)
def test_changed_physics_are_gymnasiums_changed_alike(
    physics: dict[str, float],
) -> None:
    changes: dict[str, Any] = {"limit": 60, "physics": physics}
    ours, theirs = (lanes("CartPole-v1", backend, **changes) for backend in ("tensor", "gymnasium"))
    _, truncated = _compare(ours, theirs, "CartPole-v1", 1000)
    assert truncated
    usual = lanes("CartPole-v1", "tensor")
    first, push = torch.equal(ours.reset(), usual.reset()), torch.ones(4, dtype=torch.int64)
    assert first == ("start_range" not in physics)
    assert not torch.equal(ours.step(push).final_observation, usual.step(push).final_observation)


@pytest.mark.parametrize("backend", ["tensor", "gymnasium"])
def test_a_time_limit_of_ones_own_truncates_there(backend: str) -> None:
    made = lanes("MountainCar-v0", backend, limit=7)
    made.reset()
    ends = [made.step(torch.ones(4, dtype=torch.int64)).truncated.all().item() for _ in range(21)]
    assert [step + 1 for step, end in enumerate(ends) if end] == [7, 14, 21]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1"])
def test_first_states_are_gymnasiums_to_the_last_bit(env_id: str) -> None:
    env: Any = gymnasium.make(env_id).unwrapped
    seeds = [*range(200), 2**31, 2**32 - 1]
    for seed, state in zip(seeds, Dynamics(env_id).begin(seeds), strict=True):
        env.reset(seed=seed)
        assert np.asarray(env.state, np.float64).tolist() == state.tolist()
