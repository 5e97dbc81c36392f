"""What a plan says of its configurations beside their runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ablation.cli.notes import notes
from ablation.study.expand import expand

from .analysis_helpers import resolve
from .studies import study

RECENT: dict[str, Any] = {"replay.kind": "recent", "agent.batch_size": 8, "replay.min_replay_size": 8}
MNIH = {
    "agent.optimizer": "rmsprop",
    "agent.rmsprop_epsilon_enters": "variance",
    "agent.rmsprop_epsilon": 0.01 / 32**2,
    "agent.batch_size": 32,
    "replay.min_replay_size": 32,
}


class Bytes(gymnasium.Env[Any, Any]):
    def __init__(self, dtype: str) -> None:
        self.observation_space = Box(0, 100, (3,), np.dtype(dtype))
        self.action_space = Discrete(2)


def said(baseline: dict[str, Any], **changes: Any) -> list[str]:
    return list(notes(expand(study(baseline=baseline, factors={}, **changes), resolve)))


def test_a_plan_says_which_share_of_its_transitions_an_arm_cannot_learn_from() -> None:
    factors = {
        "period": {"key": "agent.learn_period", "levels": [1, 8, 10, 16]},
        "kind": {"key": "replay.kind", "levels": ["recent", "none", "uniform"]},
    }
    design = {"design": "factorial"}
    lines = list(
        notes(
            expand(
                study(
                    baseline=RECENT | {"replay.capacity": 64, "agent.learn_period": 1},
                    factors=factors,
                    design=[design],
                ),
                resolve,
            )
        )
    )
    assert lines == [
        "period=10, kind=recent (CartPole-v1) can learn from at most 80.0 % of transitions, "
        "keeping the newest 8",
        "period=16, kind=recent (CartPole-v1) can learn from at most 50.0 % of transitions, "
        "keeping the newest 8",
    ]


def test_a_plan_says_how_bytes_are_read() -> None:
    for dtype in ("uint8", "int8"):
        name = f"Bytes-{dtype}-v0"
        gymnasium.register(name, partial(Bytes, dtype), disable_env_checker=True)
        assert said({}, environments=[name]) == [
            f"{name}: observations ({dtype} vectors) are learned from as they are"
        ]
    assert said({}) == []


@pytest.mark.parametrize("kind", ["none", "uniform"])
def test_a_plan_says_where_an_epsilon_is_that_of_another_batch_size(kind: str) -> None:
    lines = said(MNIH | {"replay.kind": kind, "replay.capacity": 64, "agent.learn_period": 4})
    expected = (
        "baseline (CartPole-v1): agent.rmsprop_epsilon = 9.765625e-06 is that of Mnih et al. 2015 for "
        "batches of 32; for batches of 4 it is 0.000625"
    )
    assert lines == ([expected] if kind == "none" else [])
