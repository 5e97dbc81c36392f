"""Spaces, arguments and wrappers of environments that are not ours: as agents take them, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple

from ablation.config.identity import canonical, cell_name
from ablation.config.schema import CellConfig
from ablation.config.tasks import options_of, stepped_by
from ablation.config.validation import ConfigError
from ablation.envs.lanes import LaneEnvironment, LaneStep
from ablation.envs.make import lane_maker
from ablation.envs.spaces import Unusable, action_list, adapted
from ablation.envs.spec import env_spec

from .odd_environments import Spaces, walk_id

Configure = Callable[..., CellConfig]
TWO = Discrete(2)


def lanes_of(config: CellConfig, lanes: int = 1) -> LaneEnvironment:
    env = config.env
    make = lane_maker(env.id, stepped_by(env), env.time_limit, options=options_of(env))
    return make(lanes, lambda lane, episode: 10 * lane + episode, True)


def step(lanes: LaneEnvironment, *actions: int) -> LaneStep:
    return lanes.step(torch.tensor(actions))


@pytest.mark.parametrize(
    ("space", "element", "numbers"),
    [
        (Discrete(4, start=2), 3, [0, 1, 0, 0]),
        (MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
        (MultiDiscrete([2, 3]), np.array([1, 2]), [0, 1, 0, 0, 1]),
    ],
)
def test_what_is_no_box_is_observed_one_hot_or_flat(
    space: Any, element: Any, numbers: list[float]
) -> None:
    environment, notes = adapted(Spaces(space, TWO), scaled=False)
    assert environment.observation(element).tolist() == numbers
    assert environment.observation_space.shape == (len(numbers),)
    assert "one-hot" in notes[0] or "flat" in notes[0]


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 5, 5), (2, 2, 2, 2)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8", "bool"])
def test_a_box_of_any_type_and_shape_is_observed_as_the_numbers_it_holds(
    shape: tuple[int, ...], dtype: str
) -> None:
    name = f"Box{len(shape)}-{dtype}-v0"
    space = Box(0, 1 if dtype == "bool" else 100, shape, np.dtype(dtype))
    entry: Any = lambda: Spaces(space, TWO)  # noqa: E731
    gymnasium.register(name, entry, max_episode_steps=9)
    lanes = lane_maker(name, "gymnasium")(2, lambda lane, episode: lane, True)
    observed = lanes.reset()
    space.seed(1)
    expected = space.sample().astype(np.float32).flatten() / (
        255 if dtype == "uint8" and len(shape) == 3 else 1
    )
    assert observed[1].tolist() == expected.astype(np.float32).tolist()
    assert env_spec(name).observation_shape == (shape if len(shape) == 3 else (space.low.size,))


def test_every_action_of_a_listed_space_is_taken_once_by_its_number() -> None:
    for space in (Discrete(3, start=-1), MultiDiscrete([2, 3], start=[1, 0]), MultiBinary((2, 2))):
        inner = Spaces(TWO, space)
        environment, _ = adapted(inner, scaled=False)
        environment.reset(seed=0)
        count = int(environment.action_space.n)
        for action in range(count):
            environment.step(action)
        assert len({np.asarray(taken).tobytes() for taken in inner.taken}) == count
    assert action_list(Discrete(4)) == range(4)


@pytest.mark.parametrize(
    ("observes", "acts", "reason"),
    [
        (Dict(a=TWO, b=Box(0, 1)), TWO, r"env\.wrappers=\[FlattenObservation\]"),
        (Tuple((TWO, TWO)), TWO, r"env\.wrappers=\[FlattenObservation\]"),
        (Text(4), TWO, "wrapper of your own"),
        (TWO, Box(-1, 1), "DiscretizeAction"),
        (TWO, MultiDiscrete([20, 20]), "400 actions; at most 128"),
        (TWO, Discrete(1), "at least two discrete actions"),
        (Discrete(10**8), TWO, "100,000,000 numbers"),
    ],
)
def test_other_spaces_are_refused_with_the_wrapper_that_helps(
    observes: Any, acts: Any, reason: str
) -> None:
    with pytest.raises(Unusable, match=reason):
        adapted(Spaces(observes, acts), scaled=False)


def test_the_wrapper_that_is_named_helps() -> None:
    entry: Any = lambda: Spaces(Dict(a=TWO, b=Box(0, 1, (3,))), Box(-1, 1, (1,)))  # noqa: E731
    gymnasium.register("Dictionary-v0", entry, max_episode_steps=9)
    wrappers = [
        {"name": "FlattenObservation"},
        {"name": "DiscretizeAction", "kwargs": {"bins": 5}},
    ]
    spec = env_spec("Dictionary-v0", (("wrappers", json.dumps(wrappers)),))
    assert (spec.observation_shape, spec.actions) == ((5,), 5)


def test_arguments_and_wrappers_are_applied_in_their_order(configure: Configure) -> None:
    wrappers = [
        {"name": "tests.odd_environments:Shifted", "kwargs": {"by": 1}},
        {"name": "TransformReward", "kwargs": {"func": "tests.odd_environments:tenfold"}},
        {"name": "ClipReward", "kwargs": {"max_reward": 7}},
    ]
    config = configure(env__id=walk_id("plain"), env__kwargs={"places": 3}, env__wrappers=wrappers)
    lanes = lanes_of(config)
    assert lanes.reset().tolist() == [[1, 2, 1]]
    assert step(lanes, 1).reward.tolist() == [7]


def test_scaling_maps_each_number_from_its_bounds_to_0_and_1(configure: Configure) -> None:
    config = configure(env__id="MountainCar-v0", env__scale_observation=True)
    assert stepped_by(config.env) == "gymnasium", "the batched dynamics do not scale"
    plain = lanes_of(configure(env__id="MountainCar-v0", env__backend="gymnasium")).reset()
    low, high = np.array([-1.2, -0.07]), np.array([0.6, 0.07])
    expected = (plain.numpy() - low) / (high - low)
    assert np.allclose(lanes_of(config).reset().numpy(), expected, atol=1e-6)
    with pytest.raises(ConfigError, match=r"env\.scale_observation.*numbers 1, 3 have none"):
        env_spec("CartPole-v1", (("scale_observation", "true"),))


def test_settings_count_in_the_identity_unless_they_change_nothing(configure: Configure) -> None:
    plain = configure(env__id=walk_id("plain"))
    neutral = {"env__kwargs": {}, "env__wrappers": [], "env__scale_observation": False}
    assert cell_name(configure(env__id=walk_id("plain"), **neutral)) == cell_name(plain)
    changed = [
        {"env__kwargs": {"places": 3}},
        {"env__kwargs": {"places": 7}},
        {"env__wrappers": ["FlattenObservation"]},
        {"env__wrappers": [{"name": "ClipReward", "kwargs": {"max_reward": 1}}]},
        {"env__scale_observation": True},
    ]
    names = {cell_name(configure(env__id=walk_id("plain"), **change)) for change in changed}
    assert len(names | {cell_name(plain)}) == len(changed) + 1
    both = canonical(configure(env__id=walk_id("plain"), env__wrappers=["ClipReward"]))
    named = canonical(configure(env__id=walk_id("plain"), env__wrappers=[{"name": "ClipReward"}]))
    assert both == named


@pytest.mark.parametrize("name", ["NormalizeObservation", "NormalizeReward", "RecordEpisodeStatistics"])
def test_a_wrapper_whose_state_outlives_an_episode_is_refused_by_name(
    configure: Configure, name: str
) -> None:
    for written in (name, f"gymnasium.wrappers:{name}"):
        with pytest.raises(ConfigError, match=f"{name}: keeps something from one episode") as refused:
            configure(env__id=walk_id("plain"), env__wrappers=["FlattenObservation", written])
        assert refused.value.key == "env.wrappers.1"
    options = (("wrappers", json.dumps([{"name": "tests.odd_environments:Remembers"}])),)
    with pytest.raises(ConfigError, match="NormalizeReward: keeps something"):
        env_spec(walk_id("plain"), options)


@pytest.mark.parametrize(
    ("wrapper", "reason"),
    [
        ("ClipRewards", "did you mean ClipReward"),
        ("nowhere_at_all:Shifted", "cannot be imported: ModuleNotFoundError"),
        ("tests.odd_environments:Nothing", "cannot be imported: AttributeError"),
        ("tests.odd_environments:Shifted", r"cannot be made: TypeError.*'by'"),
    ],
)
def test_a_wrapper_that_cannot_be_made_is_refused_with_the_reason(wrapper: str, reason: str) -> None:
    options = (("wrappers", json.dumps([{"name": wrapper}])),)
    with pytest.raises(ConfigError, match=reason) as refused:
        env_spec(walk_id("plain"), options)
    assert refused.value.key == "env.wrappers.0"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"env__kwargs": {"level": float("nan")}}, "env.kwargs"),
        ({"env__kwargs": {1: 2}}, "env.kwargs.1"),
        ({"env__wrappers": "FlattenObservation"}, "env.wrappers"),
        ({"env__wrappers": [{"nme": "FlattenObservation"}]}, "env.wrappers.0.nme"),
        ({"env__scale_observation": "yes"}, "env.scale_observation"),
    ],
)
def test_settings_of_another_form_are_refused_by_key(
    configure: Configure, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        configure(env__id=walk_id("plain"), **changes)
    assert refused.value.key.startswith(key)


def test_games_and_tasks_have_no_arguments_or_wrappers(configure: Configure) -> None:
    with pytest.raises(ConfigError, match="only an environment of Gymnasium has it"):
        configure(env__id="MinAtar/Breakout", env__wrappers=["FlattenObservation"])
    with pytest.raises(ConfigError, match="only an environment of Gymnasium has it"):
        configure(env__id="digits", env__kwargs={"classes": 2})


@pytest.mark.parametrize(
    ("trait", "said"),
    [
        ("raises_late", "ValueError: the floor is gone"),
        ("exits_late", "SystemExit: simulator: no licence"),
    ],
)
def test_an_exception_or_an_exit_ends_its_own_lane_and_names_file_seed_and_step(
    trait: str, said: str
) -> None:
    lanes = lane_maker(walk_id(trait), "gymnasium")(2, lambda lane, episode: 5 + lane, True)
    lanes.reset()
    lanes.active[1] = False
    for _ in range(200):
        step(lanes, 0, 0)
    assert not lanes.take_failures()
    lanes.active[1] = True
    later = step(lanes, 0, 0)
    (failed,) = lanes.take_failures().items()
    assert failed[0] == 0
    assert said in failed[1].what
    assert "odd_environments.py, line" in failed[1].what
    assert failed[1].episode_seed == 5
    assert lanes.active.tolist() == [False, True]
    assert later.reward.tolist() == [0, 0]
    assert not lanes.take_failures(), "said once"


def test_an_observation_of_another_shape_is_never_repeated_to_fill_the_space() -> None:
    lanes = lane_maker(walk_id("broadcast"), "gymnasium")(1, lambda lane, episode: 0, True)
    lanes.reset()
    (failure,) = lanes.take_failures().values()
    assert "returned an observation of shape (1,), not (5,)" in failure.what


def test_a_reward_in_an_array_of_one_number_is_that_number() -> None:
    lanes = lane_maker(walk_id("array_reward"), "gymnasium")(1, lambda lane, episode: 0, True)
    lanes.reset()
    step(lanes, 1)
    assert step(lanes, 1).reward.tolist() == [1]
