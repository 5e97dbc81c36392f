"""Steps a second of Stable-Baselines3's DQN in the same setting."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.setting import CAPACITY, ENV_ID, HIDDEN, WARM_UP


def stable_baselines3_steps_per_second(steps: int, batch_size: int, learn_period: int) -> float:
    """Return environment steps over seconds of one SB3 run that learns throughout."""
    import torch
    from stable_baselines3 import DQN

    torch.set_num_threads(1)
    began = 0.0

    def start_clock(variables: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal began
        if variables["self"].num_timesteps == WARM_UP + 100:
            began = time.perf_counter()
        return True

    policy: dict[str, Any] = {"net_arch": list(HIDDEN)}
    model = DQN(
        "MlpPolicy",
        ENV_ID,
        learning_rate=5e-4,
        buffer_size=CAPACITY,
        learning_starts=WARM_UP,
        batch_size=batch_size,
        train_freq=learn_period,
        gradient_steps=1,
        target_update_interval=500,
        exploration_fraction=1e-9,
        exploration_final_eps=0.1,
        policy_kwargs=policy,
        device="cpu",
        seed=0,
    )
    model.learn(WARM_UP + 100 + steps, callback=start_clock)
    return steps / (time.perf_counter() - began)
