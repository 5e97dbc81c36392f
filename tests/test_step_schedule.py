"""Environment steps, gradient steps, capacity and the oldest policy derive each other."""

from __future__ import annotations

from typing import Any

import pytest

from ablation.config.identity import cell_name
from ablation.config.step_schedule import derive_schedule
from ablation.config.validation import ConfigError

from .conftest import Configure


@pytest.mark.parametrize(
    ("changes", "first_steps"),
    [
        ({"agent__learn_period": 1}, [16, 17, 18]),
        ({"agent__learn_period": 4}, [16, 20, 24]),
        ({"agent__learn_period": 3}, [18, 21, 24]),
        ({"agent__learn_period": None, "agent__replay_ratio": 0.4}, [18, 20, 23]),
        ({"agent__learn_period": None, "agent__replay_ratio": 2.0}, [16, 16, 17, 17]),
        ({"agent__learn_period": 8, "agent__replay_ratio": 0.5}, [16] * 4 + [24] * 4 + [32]),
        ({"agent__learn_period": 10, "agent__replay_ratio": 0.1}, [20, 30, 40]),
    ],
)
def test_gradient_steps_fall_on_the_steps_that_the_ratio_says(
    configure: Configure, changes: dict[str, Any], first_steps: list[int]
) -> None:
    derived = derive_schedule(configure(**changes))
    due = [derived.gradient_steps_due(step) for step in range(60)]
    steps = [step for step in range(1, 60) for _ in range(due[step] - due[step - 1])]
    assert steps[: len(first_steps)] == first_steps


def test_capacity_ratio_and_oldest_policy_derive_each_other(configure: Configure) -> None:
    full = derive_schedule(configure(replay__capacity=64, agent__learn_period=4))
    by_age = configure(replay__capacity=None, replay__oldest_policy=16.0, agent__learn_period=4)
    assert derive_schedule(by_age) == full
    by_ratio = configure(
        replay__capacity=64,
        replay__oldest_policy=16.0,
        agent__learn_period=None,
        agent__replay_ratio=None,
    )
    assert derive_schedule(by_ratio) == full
    every = configure(replay__capacity=64, replay__oldest_policy=16.0, agent__learn_period=4)
    names = {cell_name(config) for config in (by_age, by_ratio, every)}
    assert len(names) == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"replay__oldest_policy": 10.0}, "replay.oldest_policy"),
        ({"replay__capacity": None}, "replay.capacity"),
        ({"agent__learn_period": None}, "agent.learn_period"),
        ({"train__env_steps": None}, "train.env_steps"),
        ({"train__hold_fixed": "gradient_steps"}, "train.gradient_steps"),
        ({"replay__min_replay_size": 64, "train__env_steps": 60}, "replay.min_replay_size"),
    ],
)
def test_keys_that_contradict_or_leave_open_are_refused(
    configure: Configure, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        configure(**changes)
    assert refused.value.key == key


@pytest.mark.parametrize("period", [1, 3, 4])
@pytest.mark.parametrize("held", [50, 51])
def test_a_run_held_to_gradient_steps_takes_exactly_those(
    configure: Configure, period: int, held: int
) -> None:
    changes = {"train__hold_fixed": "gradient_steps", "train__gradient_steps": held}
    derived = derive_schedule(configure(agent__learn_period=period, **changes))
    assert derived.gradient_steps_due(derived.env_steps) == held
    assert derived.gradient_steps_due(derived.env_steps - 1) == held - 1


def test_a_ratio_above_one_is_held_to_the_step(configure: Configure) -> None:
    changes = {"train__hold_fixed": "gradient_steps", "train__gradient_steps": 101}
    derived = derive_schedule(
        configure(agent__learn_period=None, agent__replay_ratio=4.0, train__evaluate_every=1, **changes)
    )
    assert derived.gradient_steps_due(derived.env_steps) == 101


def test_blocks_are_another_cell_than_the_same_ratio_spread_out(configure: Configure) -> None:
    spread = configure(agent__learn_period=None, agent__replay_ratio=0.5)
    blocks = configure(agent__learn_period=8, agent__replay_ratio=0.5)
    said_twice = configure(agent__learn_period=2, agent__replay_ratio=0.5)
    assert cell_name(spread) != cell_name(blocks)
    assert cell_name(spread) == cell_name(said_twice) == cell_name(configure(agent__learn_period=2))


def test_evaluations_are_spread_evenly_over_runs_of_any_length(configure: Configure) -> None:
    for ratio in (0.05, 0.5):
        config = configure(
            agent__learn_period=None,
            agent__replay_ratio=ratio,
            train__hold_fixed="gradient_steps",
            train__gradient_steps=40,
            train__evaluations=20,
        )
        every = configure(
            agent__learn_period=None,
            agent__replay_ratio=ratio,
            train__hold_fixed="gradient_steps",
            train__gradient_steps=40,
            train__evaluate_every=derive_schedule(config).env_steps // 20,
        )
        assert config == every
        assert cell_name(config) == cell_name(every)
    with pytest.raises(ConfigError, match=r"train\.evaluations = 201: .*\(200\)"):
        configure(train__evaluations=201)
