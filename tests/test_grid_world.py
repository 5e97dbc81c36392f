"""Zhang & Sutton's grid world: the map, the rules, and what Gymnasium's own check says."""

from __future__ import annotations

import warnings

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from ablation.config.parse import parse
from ablation.config.tasks import stepped_by
from ablation.envs.grid_world import GRID_WORLD, MOVES, ROWS, TIME_LIMIT, GridWorldEnv, maze

from .conftest import values
from .grid_world_paths import distances_to_goal, shortest_actions

Place = tuple[int, int]
UP, RIGHT, DOWN, LEFT = range(4)


def test_the_map_is_that_of_the_papers_figure() -> None:
    assert {len(row) for row in ROWS} == {20} == {len(ROWS)}
    assert "".join(ROWS).count("#") == 66
    # The ring of walls around the room has its two doors beside the corner opposite to the goal.
    ring = [(1, at) for at in range(1, 19)] + [(at, 1) for at in range(2, 19)]
    assert [place for place in ring if ROWS[place[0]][place[1]] == "."] == [(1, 2), (2, 1)]
    assert maze().places[maze().start] == (10, 10)
    assert maze().places[maze().goal] == (19, 19)
    assert len(distances_to_goal()) == len(maze().places) == 334


def test_the_shortest_way_takes_54_steps_each_of_which_costs_one() -> None:
    environment = gymnasium.make(GRID_WORLD)
    observation, _ = environment.reset(seed=0)
    actions, earned, terminated = shortest_actions(), 0.0, False
    while not terminated:
        observation, reward, terminated, truncated, _ = environment.step(actions[observation.argmax()])
        earned += float(reward)
        assert not truncated
    assert earned == -54 == -distances_to_goal()[10, 10]


@pytest.mark.parametrize(("action", "steps"), [(UP, 8), (RIGHT, 7), (DOWN, 7), (LEFT, 8)])
def test_walls_stop_who_walks_into_them(action: int, steps: int) -> None:
    environment = GridWorldEnv()
    seen = [environment.reset()[0].argmax()]
    seen += [environment.step(action)[0].argmax() for _ in range(12)]
    assert len(set(seen)) == steps + 1
    down, right = MOVES[action]
    assert maze().places[seen[-1]] == (10 + steps * down, 10 + steps * right)


def test_observations_are_one_hot_and_ones_own() -> None:
    environment = GridWorldEnv()
    first, _ = environment.reset()
    assert first.sum() == 1 == first.max()
    first[:] = 7
    assert environment.reset()[0].max() == 1


def test_gymnasiums_check_has_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(GRID_WORLD).unwrapped)


def test_an_episode_is_cut_after_5000_steps() -> None:
    environment = gymnasium.make(GRID_WORLD)
    environment.reset()
    ends = [environment.step(UP)[2:4] for _ in range(TIME_LIMIT)]
    assert ends[-1] == (False, True)
    assert not any(terminated or truncated for terminated, truncated in ends[:-1])


def test_the_map_can_be_looked_at() -> None:
    environment = gymnasium.make(GRID_WORLD, render_mode="ansi")
    environment.reset()
    environment.step(RIGHT)
    shown = environment.render()
    assert isinstance(shown, str)
    assert shown.splitlines()[10][10:12] == "SA"


def test_its_lanes_are_batched_unless_gymnasiums_are_asked_for() -> None:
    for backend, steps in (("auto", "tensor"), ("gymnasium", "gymnasium")):
        cell = parse(values(env__id=GRID_WORLD, env__backend=backend))
        assert stepped_by(cell.env) == steps
