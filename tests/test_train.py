"""The loop: what is stored of an end, what a run depends on, and how arms are paired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablation.agent.exploration import epsilon_greedy, exploration_draws
from ablation.agent.losses import bootstrap_values, huber, squared
from ablation.config.schedules import value_at
from ablation.config.schema import Schedule
from ablation.envs.gymnasium_lanes import GymnasiumLanes
from ablation.envs.lanes import episode_seeds
from ablation.numerics.random_streams import Stream
from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .training_runs import KINDS, Counting, counting_id, digest, train

CPU = torch.device("cpu")


def test_lanes_return_the_next_episode_to_act_on_and_the_last_one_to_store() -> None:
    lanes = GymnasiumLanes(lambda: Counting(3, 0), 2, lambda lane, episode: 10 * lane + episode, CPU)
    observation = lanes.reset()
    seen = [observation]
    for _ in range(4):
        step = lanes.step(torch.zeros(2, dtype=torch.int64))
        seen.append(step.observation)
        if step.terminated.any():
            assert step.final_observation.tolist() == [[0, 3], [10, 3]]
    assert [row[0].tolist() for row in seen] == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]
    assert [row[1].tolist() for row in seen] == [[10, 0], [10, 1], [10, 2], [11, 0], [11, 1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("terminate_at", "truncate_at"), [(3, 0), (0, 4), (5, 5), (1, 0), (0, 1), (3, 7)]
)
def test_a_transition_bootstraps_unless_its_episode_terminated(
    configure: Configure, kind: str, terminate_at: int, truncate_at: int
) -> None:
    env_id = counting_id(terminate_at, truncate_at)
    trainer = DQNTrainer(configure(replay__kind=kind, env__id=env_id), [1, 2], CPU)
    seeds = episode_seeds([1, 2], Stream.RESET)
    ends = [at for at in (terminate_at, truncate_at) if at]
    length = min(ends)
    for step in range(12):
        trainer.advance(1)
        newest = trainer._buffer.ring.newest.unsqueeze(1)
        item = {name: value[:, 0] for name, value in trainer._buffer.ring.gather(newest).items()}
        within = step % length
        for lane in range(2):
            tag = seeds(lane, step // length) % 97
            assert item["observation"][lane].tolist() == [tag, within]
            assert item["next_observation"][lane].tolist() == [tag, within + 1]
            assert item["reward"][lane] == within + 1
            terminated = within + 1 == terminate_at
            assert item["discount"][lane] == pytest.approx(0 if terminated else 0.99)
    rows = trainer.records.lanes[0].episodes
    assert len(rows) == 12 // length
    assert all(row["terminated"] == (length == terminate_at) for row in rows)
    assert all(row["truncated"] == (length == truncate_at) for row in rows)
    assert all(row["episode_return"] == length * (length + 1) / 2 for row in rows)


LANE_CASES: list[dict[str, Any]] = [
    *({"replay__kind": kind} for kind in KINDS),
    {"replay__n_step": 3, "replay__eviction": "random", "replay__combined": True},
    {"replay__replacement": False, "env__backend": "gymnasium", "agent__loss": "squared"},
    {
        "replay__kind": "proportional",
        "replay__weight_normalisation": "pool_max",
        "replay__new_priority": "max_present",
        "replay__uniform_share": 0.2,
        "replay__n_step": 2,
    },
    {"replay__kind": "rank", "replay__priority_exponent": {"start": 0.2, "end": 0.9}},
]


@pytest.mark.parametrize("changes", LANE_CASES)
def test_a_run_is_bit_equal_alone_among_others_and_in_another_order(
    configure: Configure, changes: dict[str, Any]
) -> None:
    config = configure(
        **changes,
        agent__hidden_sizes=[16, 20],
        agent__double_q=True,
        agent__max_gradient_norm=0.1,
    )
    seeds = list(range(32))
    together = train(config, seeds)
    for subset in ([5], [9, 5, 30]):
        trainer = train(config, subset)
        for lane, seed in enumerate(subset):
            assert digest(trainer, lane) == digest(together, seeds.index(seed))


def test_seeds_make_different_runs(configure: Configure) -> None:
    trainer = train(configure(), [0, 1])
    assert digest(trainer, 0) != digest(trainer, 1)


def test_arms_share_their_resets_and_exploration_whatever_their_sampler(configure: Configure) -> None:
    # With a network that never learns, runs of different arms can only be the same run.
    runs = []
    for kind in KINDS:
        config = configure(replay__kind=kind, agent__learning_rate=1e-30)
        runs.append(train(config, [3, 4]).records.lanes[1].episodes)
    steps = [[row["env_step"] for row in run] for run in runs]
    assert all(other == steps[0] for other in steps)
    assert len(steps[0]) > 3


def test_records_have_the_steps_of_the_configuration(configure: Configure) -> None:
    trainer = train(configure(), [0, 1])
    for record in trainer.records.lanes:
        assert [row["env_step"] for row in record.evaluations] == [50, 50, 100, 100, 150, 150, 200, 200]
        assert [row["env_step"] for row in record.learner] == [25, 50, 75, 100, 125, 150, 175, 200]
        lengths = [int(row["episode_length"]) for row in record.episodes]
        assert sum(lengths) == record.episodes[-1]["env_step"]
    # Learning starts with the sixteenth transition.
    assert trainer.gradient_steps == 200 - 16 + 1


def test_learn_period_and_target_period_count_environment_steps(configure: Configure) -> None:
    config = configure(agent__learn_period=4, agent__target_update_period=10)
    trainer = DQNTrainer(config, [0], CPU, in_blocks=False)
    learner, refreshed = trainer._learner, []
    original = learner.refresh_target
    learner.refresh_target = lambda: (refreshed.append(trainer.env_step), original())  # type: ignore[assignment,func-returns-value]
    trainer.run()
    assert trainer.gradient_steps == len([step for step in range(16, 201) if step % 4 == 0])
    assert refreshed == list(range(10, 201, 10))


def test_without_a_target_network_targets_come_from_the_online_one(configure: Configure) -> None:
    trainer = train(configure(agent__target_network=False), [0])
    assert torch.equal(trainer._learner.parameters.online, trainer._learner.parameters.target)


def test_double_q_takes_the_online_networks_action() -> None:
    target = torch.tensor([[[1.0, 5.0, 2.0]]])
    online = torch.tensor([[[9.0, 0.0, 1.0]]])
    assert bootstrap_values(target, None).tolist() == [[5.0]]
    assert bootstrap_values(target, online).tolist() == [[1.0]]


@pytest.mark.parametrize(("loss", "reference"), [(huber, "smooth_l1_loss"), (squared, "mse_loss")])
def test_losses_and_gradients_equal_pytorchs(loss: Any, reference: str) -> None:
    errors = [torch.linspace(-3, 3, 41, requires_grad=True) for _ in range(2)]
    values = (
        loss(errors[0]),
        getattr(torch.nn.functional, reference)(errors[1], torch.zeros(41), reduction="none"),
    )
    for value in values:
        value.sum().backward()
    torch.testing.assert_close(*(value.detach() for value in values))
    torch.testing.assert_close(errors[0].grad, errors[1].grad)


def test_epsilon_greedy_explores_with_probability_epsilon() -> None:
    values = torch.zeros(100_000, 4)
    values[:, 2] = 1
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(0, 2**32, (100_000, 2), generator=generator)
    drawn = exploration_draws(bits, 4)
    shares = torch.bincount(epsilon_greedy(values, 0.2, drawn), minlength=4) / 100_000
    torch.testing.assert_close(shares, torch.tensor([0.05, 0.05, 0.85, 0.05]), atol=0.005, rtol=0)
    assert (epsilon_greedy(values, 0.0, drawn) == 2).all()
    assert (epsilon_greedy(values, 1.0, drawn) == 2).float().mean() < 0.27


def test_a_schedule_is_a_line_that_stays_at_its_end() -> None:
    schedule = Schedule(1.0, 0.2, 4)
    found = [value_at(schedule, step, 100) for step in (0, 1, 4, 9)]
    assert found == pytest.approx([1.0, 0.8, 0.2, 0.2])
    assert value_at(Schedule(1.0, 0.0, None), 25, 100) == 0.75
    assert value_at(Schedule(0.5, 0.5, 0), 0, 100) == 0.5


def test_dqn_learns_cartpole_better_than_chance(configure: Configure) -> None:
    config = configure(
        agent__hidden_sizes=[32, 32],
        agent__batch_size=32,
        agent__target_update_period=100,
        agent__exploration_epsilon={"start": 1.0, "end": 0.05, "steps": 1000},
        replay__capacity=5000,
        replay__min_replay_size=200,
        train__env_steps=5000,
        train__evaluate_every=5000,
        train__evaluation_episodes=5,
    )
    records = train(config, list(range(4))).records
    returns = [row["episode_return"] for record in records.lanes for row in record.evaluations]
    # A random policy scores about 22, an untrained greedy one about 9.
    assert np.mean(returns) > 60


def test_a_termination_reward_is_learned_and_not_scored(configure: Configure) -> None:
    """The article's penalty: at the pole's fall, but neither at a time limit nor in any score."""
    changes = {"env__id": "CartPole-v1", "env__time_limit": 12, "replay__capacity": 200}
    config = configure(**changes, agent__termination_reward=-100.0)
    trainer = train(config, [3, 4])
    ring, rows = trainer._buffer.ring, trainer.records.lanes[0].episodes
    items = ring.gather(torch.arange(200).expand(2, -1))
    assert {row["episode_length"] for row in rows} & {12}
    assert all(row["episode_return"] == row["episode_length"] <= 12 for row in rows)
    fallen = items["discount"] == 0
    assert fallen.any()
    assert (items["reward"] == torch.where(fallen, -100.0, 1.0)).all()


def test_other_physics_change_evaluations_and_nothing_that_is_trained(
    configure: Configure,
) -> None:
    plain, heavy = (
        train(configure(env__evaluation=physics), [3, 4])
        for physics in ({}, {"mass_pole": 1.0, "force": 2.0})
    )
    assert torch.equal(plain._learner.parameters.online, heavy._learner.parameters.online)
    lane, other = plain.records.lanes[0], heavy.records.lanes[0]
    assert (lane.episodes, lane.learner) == (other.episodes, other.learner)
    assert lane.evaluations != other.evaluations


def test_a_run_can_be_saved_at_every_evaluation_and_every_step_that_logs(configure: Configure) -> None:
    trainer = DQNTrainer(configure(train__evaluate_every=60, train__log_every=25), [1], CPU)
    seen: list[int] = []
    trainer.run(on_period=lambda: seen.append(trainer.env_step))
    assert seen == [25, 50, 60, 75, 100, 120, 125, 150, 175, 180, 200]
    assert [row["env_step"] for row in trainer.records.lanes[0].evaluations] == [
        60,
        60,
        120,
        120,
        180,
        180,
    ]
