"""Batched dynamics against Gymnasium's own, step for step."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ablation.envs.dynamics import DYNAMICS
from ablation.envs.grid_world import GRID_WORLD
from ablation.envs.lanes import LaneEnvironment, LaneStep
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec

from .grid_world_paths import shortest_actions

FIELDS = ("observation", "final_observation", "reward", "terminated", "truncated")


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


def _copied(step: LaneStep) -> dict[str, torch.Tensor]:
    return {name: getattr(step, name).clone() for name in FIELDS}


@pytest.mark.parametrize("env_id", sorted(DYNAMICS))
def test_dynamics_equal_gymnasiums_over_ten_thousand_random_steps(env_id: str) -> None:
    ours, theirs = lanes(env_id, "tensor"), lanes(env_id, "gymnasium")
    observation = ours.reset()
    torch.testing.assert_close(observation, theirs.reset(), rtol=0, atol=1e-6)
    random = np.random.default_rng(0)
    count = env_spec(env_id).actions
    ends = torch.zeros(2, dtype=torch.int64)
    for _ in range(10):
        steps = []
        for _ in range(1000):
            # Two lanes act well and two at random, so that both kinds of end are seen in each task.
            wander = torch.from_numpy(random.integers(count, size=4))
            actions = torch.where(torch.arange(4) < 2, _skilled(env_id, observation), wander)
            steps.append((_copied(ours.step(actions)), _copied(theirs.step(actions))))
            observation = steps[-1][0]["observation"]
        found, expected = (
            {name: torch.stack([step[side][name] for step in steps]) for name in FIELDS}
            for side in range(2)
        )
        for name in FIELDS:
            torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-6, msg=name)
        ends += torch.stack((found["terminated"].sum(), found["truncated"].sum()))
    assert ends.min() > 0, "the walk must see both kinds of end"


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
    ours, theirs, usual = (
        lanes("CartPole-v1", backend, **change)
        for backend, change in (("tensor", changes), ("gymnasium", changes), ("tensor", {}))
    )
    observation = ours.reset()
    torch.testing.assert_close(observation, theirs.reset(), rtol=0, atol=1e-6)
    differs = not torch.equal(observation, usual.reset())
    assert differs == ("start_range" in physics)
    random = np.random.default_rng(0)
    truncated = 0
    for _ in range(1000):
        wander = torch.from_numpy(random.integers(2, size=4))
        actions = torch.where(torch.arange(4) < 2, _skilled("CartPole-v1", observation), wander)
        found, expected = ours.step(actions), theirs.step(actions)
        differs |= not torch.equal(found.final_observation, usual.step(actions).final_observation)
        observation = found.observation
        torch.testing.assert_close(observation, expected.observation, rtol=0, atol=1e-6)
        assert torch.equal(found.terminated, expected.terminated)
        assert torch.equal(found.truncated, expected.truncated)
        truncated += int(found.truncated.sum())
    assert differs
    assert truncated


@pytest.mark.parametrize("backend", ["tensor", "gymnasium"])
def test_a_time_limit_of_ones_own_truncates_there(backend: str) -> None:
    made = lanes("MountainCar-v0", backend, limit=7)
    made.reset()
    ends = [made.step(torch.ones(4, dtype=torch.int64)).truncated.all().item() for _ in range(21)]
    assert [step + 1 for step, end in enumerate(ends) if end] == [7, 14, 21]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1"])
def test_first_states_are_gymnasiums_to_the_last_bit(env_id: str) -> None:
    env: Any = gymnasium.make(env_id).unwrapped
    for seed, state in enumerate(DYNAMICS[env_id]().begin(range(200))):
        env.reset(seed=seed)
        assert np.asarray(env.state, np.float64).tolist() == state.tolist()
