"""The setting that every speed is measured in: CartPole-v1, 64-64 units, batch 32, an update a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ENV_ID = "CartPole-v1"
HIDDEN = (64, 64)
BATCH_SIZE = 32
CAPACITY = 50_000
WARM_UP = 500
"""Steps before learning starts; they are not timed."""

_REPLAY = yaml.safe_load((Path(__file__).parent.parent / "conf/replay/base.yaml").read_text())
_AGENT = yaml.safe_load((Path(__file__).parent.parent / "conf/agent/dqn.yaml").read_text())


def cell_values(env_steps: int, kind: str = "uniform") -> dict[str, Any]:
    """Return the plain values of a cell that learns at every step and is never evaluated midway."""
    agent = {
        "hidden_sizes": list(HIDDEN),
        "batch_size": BATCH_SIZE,
        "learning_rate": 5e-4,
        "loss": "huber",
        "double_q": False,
        "max_gradient_norm": None,
        "target_update_period": 500,
        "learn_period": 1,
        "exploration_epsilon": 0.1,
    }
    replay = {
        "kind": kind,
        "capacity": CAPACITY,
        "min_replay_size": WARM_UP,
        "priority_exponent": 0.6,
        "importance_sampling_exponent": 0.4,
    }
    train = {
        "hold_fixed": "env_steps",
        "env_steps": env_steps,
        "gradient_steps": None,
        "evaluate_every": env_steps,
        "evaluation_episodes": 1,
        "log_every": 500,
    }
    env = {"id": ENV_ID, "backend": "auto"}
    return {"env": env, "agent": _AGENT | agent, "replay": _REPLAY | replay, "train": train}
