"""`env.frame_stack`: the last observations of an episode as one, in any environment."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ablation.config.identity import canonical, cell_name
from ablation.config.tasks import options_of, stepped_by
from ablation.config.validation import ConfigError
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec

from .conftest import Configure
from .training_runs import counting_id, digest, resumed, train

STACKED = {"env__id": counting_id(5, 0), "env__frame_stack": 3}


def test_an_observation_is_the_last_ones_oldest_first_after_zeros(configure: Configure) -> None:
    env = configure(**STACKED).env
    assert env_spec(env.id, options_of(env)).observation_shape == (6,)
    lanes = lane_maker(env.id, stepped_by(env), options=options_of(env))(2, lambda *_: 7, True)
    seen = [lanes.reset()]
    finals = []
    for _ in range(6):
        step = lanes.step(torch.zeros(2, dtype=torch.int64))
        seen.append(step.observation)
        finals.append(step.final_observation)
    # (reset seed, step) each: two steps into the episode and the one before, the episode's first.
    assert seen[0][1].tolist() == [0, 0, 0, 0, 7, 0]
    assert seen[1][1].tolist() == [0, 0, 7, 0, 7, 1]
    assert seen[3][1].tolist() == [7, 1, 7, 2, 7, 3]
    assert finals[4][1].tolist() == [7, 3, 7, 4, 7, 5]
    assert seen[5][1].tolist() == [0, 0, 0, 0, 7, 0]
    assert seen[6][0].tolist() == [0, 0, 7, 0, 7, 1]


def test_images_are_stacked_by_channels(configure: Configure) -> None:
    pytest.importorskip("minatar")
    env = configure(env__id="MinAtar/Breakout", env__frame_stack=2).env
    assert env_spec(env.id, options_of(env)).observation_shape == (8, 10, 10)


def test_a_resumed_run_is_the_same(configure: Configure, tmp_path: Path) -> None:
    config = configure(**STACKED, agent__learning_rate=1e-2)
    straight, parts = train(config, [3, 8]), resumed(config, tmp_path, [63, 130], [3, 8])
    assert [digest(straight, lane) for lane in (0, 1)] == [digest(parts, lane) for lane in (0, 1)]


def test_it_counts_where_it_changes_something(configure: Configure) -> None:
    cells = [configure(env__frame_stack=frames) for frames in (None, 1, 2)]
    names = [cell_name(cell) for cell in cells]
    assert names[0] == names[1] != names[2]
    assert canonical(cells[2])["env"]["frame_stack"] == 2
    assert stepped_by(cells[2].env) == "gymnasium"
    with pytest.raises(ConfigError, match="frame_stack"):
        configure(env__id="digits", env__frame_stack=2)
