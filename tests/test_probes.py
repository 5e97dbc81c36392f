"""The learned value, not the return, where it is known; and what goes wrong stays in its lane."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .probes import STEPS, probe_id
from .training_runs import counting_id, digest, train

CPU = torch.device("cpu")
GAMMA = 0.8


def learned(configure: Configure, variant: str, observations: list[list[float]], **changes: Any) -> Any:
    """Return the values `[observations, actions]`, the mean of both lanes, after training."""
    config = configure(
        env__id=probe_id(variant),
        agent__discount=GAMMA,
        agent__hidden_sizes=[32],
        agent__learning_rate=5e-3,
        # Squared, and fully corrected: other losses and weights have other fixed points.
        agent__loss="squared",
        replay__importance_sampling_exponent=1.0,
        agent__batch_size=32,
        agent__exploration_epsilon=1.0,
        replay__capacity=1000,
        replay__min_replay_size=64,
        train__env_steps=1500,
        train__evaluate_every=1500,
        **changes,
    )
    trainer = DQNTrainer(config, [0, 1], CPU)
    trainer.advance(1500)
    return trainer._learner.action_values(torch.tensor([observations] * 2).float()).mean(dim=0).numpy()


KINDS = ["recent", "uniform", "proportional", "rank"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_reward_is_its_own_value(configure: Configure, kind: str) -> None:
    values = learned(configure, "constant", [[1, 0], [-1, 0]], replay__kind=kind)
    np.testing.assert_allclose(values, 1.0, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_follows_the_observation(configure: Configure, kind: str) -> None:
    values = learned(configure, "sign_reward", [[1, 0], [-1, 0]], replay__kind=kind)
    np.testing.assert_allclose(values, [[1, 1], [-1, -1]], atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_step", [1, 3])
def test_a_delayed_reward_is_discounted_by_its_distance(
    configure: Configure, kind: str, n_step: int
) -> None:
    times = [[1.0, float(time)] for time in range(STEPS)]
    values = learned(configure, "delayed", times, replay__kind=kind, replay__n_step=n_step)
    expected = [[GAMMA ** (STEPS - 1 - time)] * 2 for time in range(STEPS)]
    np.testing.assert_allclose(values, expected, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("double_q", [False, True])
def test_the_value_follows_the_action(configure: Configure, kind: str, double_q: bool) -> None:
    changes = {"replay__kind": kind, "agent__double_q": double_q}
    values = learned(configure, "action_dependent", [[1, 0], [-1, 0]], **changes)
    np.testing.assert_allclose(values, [[-1, 1], [1, -1]], atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncation_bootstraps_and_counts_as_an_end_only_where_told_to(
    configure: Configure, kind: str
) -> None:
    # Every step pays 1 for ever; told that truncations end it, every fifth step is the last.
    for_ever, ends = 1 / (1 - GAMMA), 1 / (1 - 0.8 * GAMMA)
    for bootstrap, expected in ((True, for_ever), (False, ends)):
        changes = {"replay__kind": kind, "agent__time_limit_bootstrap": bootstrap}
        values = learned(configure, "truncated", [[1, 0], [-1, 0]], **changes)
        np.testing.assert_allclose(values, expected, rtol=0.15)


class Bad(gymnasium.Env[np.ndarray, int]):
    """Returns something non-finite at step 30 of its first life, where the reset seed says so."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, field: str) -> None:
        self._field, self._steps, self._bad = field, 0, False

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._bad = bool(seed is not None and seed % 2)
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        observation = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        reward = 1.0
        if self._steps == 30 and self._bad:
            observation[1] = np.nan if self._field == "observation" else observation[1]
            reward = np.inf if self._field == "reward" else reward
        return observation, reward, False, False, {}


@pytest.mark.parametrize("field", ["observation", "reward"])
def test_a_non_finite_value_fails_its_lane_by_name_and_leaves_the_others_as_they_were(
    configure: Configure, field: str
) -> None:
    name = f"Bad-{field}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, lambda: Bad(field), disable_env_checker=True)
    config = configure(env__id=name, replay__kind="proportional", train__evaluation_episodes=1)
    # Evaluation would never end in a task without ends.
    config = configure(env__id=name, replay__kind="proportional", train__evaluate_every=200)
    seeds = list(range(8))
    trainer = DQNTrainer(config, seeds, CPU)
    trainer.advance(60)
    ended = {seed: record.ended for seed, record in zip(seeds, trainer.records.lanes, strict=True)}
    failed = [seed for seed, end in ended.items() if end is not None]
    assert 0 < len(failed) < 8
    for seed in failed:
        end = ended[seed]
        assert end is not None
        assert (end.status, end.env_step) == ("failed", 30)
        assert f"environment {name}, seed {seed}, step 30: {field}" in end.error
        assert all(row["env_step"] < 30 for row in trainer.records.lanes[seed].learner)
    healthy = [seed for seed in seeds if seed not in failed]
    alone = DQNTrainer(config, healthy, CPU)
    alone.advance(60)
    for lane, seed in enumerate(healthy):
        assert digest(alone, lane) == digest(trainer, seed)


def test_a_lane_that_diverges_ends_with_its_data_while_its_neighbours_go_on(
    configure: Configure,
) -> None:
    config = configure(env__id=counting_id(5, 0), agent__loss="squared", replay__kind="proportional")
    seeds = [0, 1, 2]
    trainer = DQNTrainer(config, seeds, CPU)
    trainer.advance(30)
    trainer._learner.parameters.online[1] = 1e38
    trainer.run()
    end = trainer.records.lanes[1].ended
    assert end is not None
    assert end.status == "diverged"
    assert 30 < end.env_step <= 75
    assert "not finite" in end.error
    assert trainer.records.lanes[1].episodes
    assert all(row["env_step"] < end.env_step for row in trainer.records.lanes[1].learner)
    undisturbed = train(config, seeds)
    for lane in (0, 2):
        assert digest(trainer, lane) == digest(undisturbed, lane)
