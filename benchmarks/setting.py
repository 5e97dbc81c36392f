"""The settings that benchmarks measure in, built on the project's own configuration files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ENV_ID = "CartPole-v1"
HIDDEN = (64, 64)
BATCH_SIZE = 32
CAPACITY = 50_000
WARM_UP = 600
"""Steps before learning starts; they are not timed."""

CONF = Path(__file__).parent.parent / "conf"


def default_values() -> dict[str, Any]:
    """Return the plain values of the default cell: CartPole-v1, uniform replay."""
    return {
        "env": {"id": ENV_ID, "backend": "auto"},
        "agent": _read("agent/dqn.yaml"),
        "replay": _read("replay/base.yaml") | {"kind": "uniform"},
        "train": _read("config.yaml")["train"],
    }


def cell_values(
    env_steps: int,
    kind: str = "uniform",
    capacity: int = CAPACITY,
    batch_size: int = BATCH_SIZE,
    learn_period: int = 1,
) -> dict[str, Any]:
    """Return the cell that speeds are measured in: by default batch 32, an update every step."""
    values = default_values()
    values["agent"] |= {
        "hidden_sizes": list(HIDDEN),
        "batch_size": batch_size,
        "learning_rate": 5e-4,
        "loss": "huber",
        "double_q": False,
        "max_gradient_norm": None,
        "target_update_period": 500,
        "learn_period": learn_period,
        "exploration_epsilon": 0.1,
    }
    values["replay"] |= {
        "kind": kind,
        "capacity": capacity,
        "min_replay_size": WARM_UP,
        "priority_exponent": 0.6,
        "importance_sampling_exponent": 0.4,
    }
    values["train"] |= {
        "env_steps": env_steps,
        "evaluate_every": env_steps,
        "evaluation_episodes": 1,
    }
    return values


def young_values(env_steps: int) -> dict[str, Any]:
    """Return the cell of Young & Tian (2019) on MinAtar's Breakout, with a smaller replay."""
    values = default_values()
    agent = _read("agent/young2019.yaml")
    del agent["defaults"]
    values["agent"] |= agent | {"exploration_epsilon": 0.1}
    values["env"] |= {"id": "MinAtar/Breakout", "time_limit": 5000}
    values["replay"] |= {"capacity": 10_000, "min_replay_size": WARM_UP}
    values["train"] |= {"env_steps": env_steps, "evaluate_every": env_steps, "evaluation_episodes": 1}
    return values


def _read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / name).read_text())
    return values
