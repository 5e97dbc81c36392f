"""A cell's identity is what was trained; everything else is refused in the user's words."""

from __future__ import annotations

from typing import Any

import pytest

from ablation.config.identity import canonical, cell_name, flatten
from ablation.config.parse import parse
from ablation.config.validation import ConfigError, readable
from ablation.envs.spec import env_spec

from .conftest import Configure, values


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"agent__learn_period": -1}, "agent.learn_period", "must be 1 or more"),
        ({"agent__learn_period": 2.5}, "agent.learn_period", "must be a whole number"),
        ({"agent__batch_size": "many"}, "agent.batch_size", "must be a whole number"),
        ({"agent__double_q": 1}, "agent.double_q", "must be true or false"),
        ({"agent__loss": "absolute"}, "agent.loss", "allowed: huber, squared, next_value"),
        ({"agent__learning_rate": float("nan")}, "agent.learning_rate", "finite|greater"),
        ({"agent__learning_rat": 0.1}, "agent.learning_rat", "allowed here: .*learning_rate"),
        ({"agent__hidden_sizes": [64, 1]}, "agent.hidden_sizes.1", "must be 2 or more"),
        (
            {"agent__convolutions": [{"filters": 1, "kernel_size": 3}]},
            "agent.convolutions.0.filters",
            "must be 2 or more",
        ),
        (
            {"agent__convolutions": [{"filters": 4, "kernel_size": 3, "padding": 1}]},
            "agent.convolutions.0.padding",
            r"allowed here: .*\.filters, .*\.kernel_size, .*\.stride",
        ),
        ({"agent__learning_rate": 0}, "agent.learning_rate", "greater than 0"),
        ({"agent__learning_rate": "fast"}, "agent.learning_rate", "a number, or start, end and steps"),
        (
            {"agent__learning_rate": {"start": 0.0, "end": 0.1}},
            "agent.learning_rate",
            "must start at a number greater than 0",
        ),
        (
            {"agent__learning_rate": {"start": 0.1, "end": -0.1}},
            "agent.learning_rate.end",
            "must be 0 or more",
        ),
        (
            {"agent__learning_rate": {"start": 0.1, "end": 0.0}, "env__id": "BlindCliffwalk-4"}
            | {"agent__batch_size": 1, "replay__min_replay_size": 1},
            "agent.learning_rate.end",
            "must be its start",
        ),
        ({"agent__optimizer": "lion"}, "agent.optimizer", "allowed: adam, adamw, rmsprop, sgd"),
        ({"agent__adam_betas": [0.9, 1.0]}, "agent.adam_betas.1", "must be below 1"),
        ({"agent__target_tau": 0.0}, "agent.target_tau", "must be above 0"),
        ({"agent__huber_threshold": 0.0}, "agent.huber_threshold", "must be above 0"),
        ({"agent__weight_decay": -0.1}, "agent.weight_decay", "must be 0 or more"),
        (
            {"agent__exploration_fraction": 0.5},
            "agent.exploration_fraction",
            "agent.exploration_epsilon.steps is 100: set one of the two, the other to null",
        ),
        ({"agent__rmsprop_decay": 1.0}, "agent.rmsprop_decay", "must be below 1"),
        ({"agent__exploration_epsilon": 1.5}, "agent.exploration_epsilon", "between 0 and 1"),
        ({"agent__termination_reward": float("inf")}, "agent.termination_reward", "finite"),
        ({"env__time_limit": 0}, "env.time_limit", "must be 1 or more"),
        ({"env__evaluation": {"force": -1.0}}, "env.evaluation.force", "must be above 0"),
        (
            {"env__evaluation": {"wind": 1.0}},
            "env.evaluation.wind",
            r"allowed here: \S*half_length",
        ),
        (
            {"env__evaluation": {"force": 1.0}, "env__id": "Acrobot-v1"},
            "env.evaluation.force",
            "only CartPole-v0 and CartPole-v1",
        ),
        ({"replay__kind": "sometimes"}, "replay.kind", "allowed: none, recent, uniform, proportional"),
        ({"replay__capacity": 4}, "replay.capacity", r"at least agent.batch_size \(8\)"),
        ({"replay__min_replay_size": 65}, "replay.min_replay_size", "at most replay.capacity"),
        ({"replay__min_replay_size": 7}, "replay.min_replay_size", "at least agent.batch_size"),
        ({"train__evaluate_every": 201}, "train.evaluate_every", "at most the run's environment steps"),
    ],
)
def test_a_wrong_value_is_refused_naming_key_value_and_what_is_allowed(
    changes: dict[str, Any], key: str, allowed: str
) -> None:
    with pytest.raises(ConfigError, match=allowed) as refused:
        parse(values(**changes))
    assert refused.value.key == key
    assert str(refused.value).startswith(f"{readable(key)} = ")


def test_a_missing_section_is_refused() -> None:
    plain = values()
    del plain["replay"]
    with pytest.raises(ConfigError, match=r"replay = .*required"):
        parse(plain)


@pytest.mark.parametrize(
    ("env_id", "allowed"),
    [
        ("CartPole-v9", "not a usable environment id.*did you mean CartPole-v1"),
        ("Pendulum-v1", "acts in Box"),
        ("Blackjack-v1", "observes Tuple.*FlattenObservation"),
        ("NoSuchThing", "not a usable environment id"),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused(env_id: str, allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed):
        env_spec(env_id)


IRRELEVANT = [
    ("none", {"replay__capacity": 32, "agent__batch_size": 16, "replay__min_replay_size": 32}),
    ("recent", {"replay__capacity": 32, "replay__priority_exponent": 1.0}),
    ("uniform", {"replay__priority_exponent": 1.0, "replay__importance_sampling_exponent": 0.5}),
    ("uniform", {"agent__target_network": False, "agent__target_update_period": 3}),
]


@pytest.mark.parametrize(("kind", "changes"), IRRELEVANT)
def test_fields_that_cannot_matter_do_not_change_the_cell(
    configure: Configure, kind: str, changes: dict[str, Any]
) -> None:
    reference = {key: value for key, value in changes.items() if key == "agent__target_network"}
    same = configure(replay__kind=kind, **reference)
    assert cell_name(configure(replay__kind=kind, **changes)) == cell_name(same)


def test_settings_at_their_neutral_values_leave_the_cell_its_name(configure: Configure) -> None:
    neutral = {"agent__termination_reward": None, "env__time_limit": None, "agent__optimizer": "adam"}
    neutral |= {"agent__convolutions": [], "agent__rmsprop_decay": 0.5, "agent__rmsprop_epsilon": 1.0}
    physics = dict.fromkeys(("half_length", "mass_pole", "force", "start_range"))
    assert cell_name(configure(**neutral, env__evaluation=physics)) == cell_name(configure())
    assert "evaluation" not in canonical(configure())["env"]


def test_an_optimiser_is_known_by_its_own_constants(configure: Configure) -> None:
    rmsprop = {"agent__optimizer": "rmsprop"}
    name = cell_name(configure(**rmsprop))
    assert cell_name(configure(**rmsprop, agent__adam_epsilon=1.0)) == name
    assert cell_name(configure(**rmsprop, agent__rmsprop_decay=0.9)) != name
    assert cell_name(configure(agent__adam_epsilon=1.0)) != cell_name(configure())


def test_fields_that_matter_do(configure: Configure) -> None:
    names = {
        cell_name(configure(**changes))
        for changes in [
            {},
            {"replay__capacity": 65},
            {"replay__kind": "none"},
            {"replay__kind": "recent"},
            {"replay__kind": "proportional"},
            {"replay__kind": "proportional", "replay__priority_exponent": 0.7},
            {"agent__target_network": False},
            {"agent__discount": 0.98},
            {"train__env_steps": 250},
            {"env__id": "Acrobot-v1"},
            {"env__time_limit": 100},
            {"env__evaluation": {"force": 5.0}},
            {"agent__termination_reward": 0.0},
            {"agent__optimizer": "rmsprop"},
            {"agent__optimizer": "rmsprop", "agent__rmsprop_epsilon_enters": "variance"},
            {"agent__convolutions": [{"filters": 4, "kernel_size": 3}]},
            {"agent__convolutions": [{"filters": 4, "kernel_size": 3, "stride": 2}]},
        ]
    }
    assert len(names) == 17
    assert all(len(name.rsplit("-", 1)[1]) == 12 for name in names)


def test_a_capacity_beyond_the_run_is_the_run_and_a_constant_is_a_constant(configure: Configure) -> None:
    assert cell_name(configure(replay__capacity=200)) == cell_name(configure(replay__capacity=10**6))
    flat = {"start": 0.3, "end": 0.3, "steps": 50}
    assert cell_name(configure(agent__exploration_epsilon=0.3)) == cell_name(
        configure(agent__exploration_epsilon=flat)
    )
    whole = {"start": 1.0, "end": 0.1, "steps": None}
    named = whole | {"steps": 200}
    assert cell_name(configure(agent__exploration_epsilon=whole)) == cell_name(
        configure(agent__exploration_epsilon=named)
    )


def test_integers_and_reals_of_equal_value_are_one_cell(configure: Configure) -> None:
    assert cell_name(configure(agent__discount=1)) == cell_name(configure(agent__discount=1.0))


def test_the_core_version_is_part_of_the_identity(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cell_name(configure())
    monkeypatch.setattr("ablation.config.identity.CORE_VERSION", 10**6)
    assert cell_name(configure()) != before


def test_flatten_joins_keys_with_dots(configure: Configure) -> None:
    flat = flatten(canonical(configure()))
    assert flat["agent.exploration_epsilon.start"] == 1.0
    assert flat["replay.kind"] == "uniform"


def test_a_share_of_the_run_is_the_steps_that_it_comes_to(configure: Configure) -> None:
    falling = {"start": 1.0, "end": 0.1, "steps": None}
    share = configure(agent__exploration_fraction=0.25, agent__exploration_epsilon=falling)
    steps = configure(agent__exploration_epsilon=falling | {"steps": share.train.env_steps // 4})
    assert share.agent.exploration_epsilon == steps.agent.exploration_epsilon
    assert cell_name(share) == cell_name(steps)


def test_a_schedule_that_never_changes_is_the_number(configure: Configure) -> None:
    flat = configure(agent__learning_rate={"start": 0.01, "end": 0.01, "steps": 7})
    assert cell_name(flat) == cell_name(configure(agent__learning_rate=0.01))
    falling = configure(agent__learning_rate={"start": 0.01, "end": 0.0})
    assert cell_name(falling) != cell_name(flat)
    assert canonical(falling)["agent"]["learning_rate"]["steps"] == falling.train.env_steps


def test_an_option_counts_only_where_it_is_read(configure: Configure) -> None:
    names = {cell_name(configure(agent__loss="squared", agent__huber_threshold=k)) for k in (0.5, 1.0)}
    names |= {cell_name(configure(agent__loss="squared", agent__sgd_momentum=0.9))}
    assert len(names) == 1
    without = {"agent__target_network": False}
    assert cell_name(configure(**without)) == cell_name(configure(**without, agent__target_tau=0.1))
