"""The setting that every speed is measured in: CartPole-v1, 64-64 units, batch 32, an update a step."""

from __future__ import annotations

from typing import Any

ENV_ID = "CartPole-v1"
HIDDEN = (64, 64)
BATCH_SIZE = 32
CAPACITY = 50_000
WARM_UP = 500
"""Steps before learning starts; they are not timed."""


def cell_values(env_steps: int, kind: str = "uniform") -> dict[str, Any]:
    """Return the plain values of a cell that learns at every step and is never evaluated midway."""
    return {
        "env": {"id": ENV_ID, "backend": "auto"},
        "agent": {
            "hidden_sizes": list(HIDDEN),
            "batch_size": BATCH_SIZE,
            "learning_rate": 5e-4,
            "adam_epsilon": 1e-8,
            "discount": 0.99,
            "loss": "huber",
            "double_q": False,
            "max_gradient_norm": None,
            "target_network": True,
            "target_update_period": 500,
            "learn_period": 1,
            "exploration_epsilon": 0.1,
        },
        "replay": {
            "kind": kind,
            "capacity": CAPACITY,
            "min_replay_size": WARM_UP,
            "priority_exponent": 0.6,
            "priority_epsilon": 1e-6,
            "importance_sampling_exponent": 0.4,
        },
        "train": {
            "env_steps": env_steps,
            "evaluate_every": env_steps,
            "evaluation_episodes": 1,
            "log_every": 500,
        },
    }
