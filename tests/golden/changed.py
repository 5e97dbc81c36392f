"""One change of every key of a cell, to see whether its name follows."""

from __future__ import annotations

from typing import Any

CHANGES: dict[str, Any] = {
    "env.id": "Acrobot-v1",
    "env.backend": "gymnasium",
    "env.time_limit": 100,
    "env.evaluation": {"force": 5.0},
    "env.sticky_actions": 0.25,
    "env.ramping": False,
    "env.minimal_actions": True,
    "env.frame_skip": 2,
    "env.frame_stack": 2,
    "env.noop_max": 5,
    "env.reward_clipping": False,
    "env.life_loss_terminates": False,
    "agent.hidden_sizes": [32],
    "agent.batch_size": 16,
    "agent.learning_rate": 0.01,
    "agent.adam_epsilon": 1e-4,
    "agent.discount": 0.9,
    "agent.time_limit_bootstrap": False,
    "agent.loss": "huber",
    "agent.double_q": False,
    "agent.max_gradient_norm": None,
    "agent.target_network": False,
    "agent.target_update_period": 100,
    "agent.target_update_unit": "gradient_steps",
    "agent.learn_period": 4,
    "agent.replay_ratio": 2.0,
    "agent.exploration_epsilon": 0.1,
    "agent.termination_reward": -1.0,
    "agent.convolutions": [{"filters": 8, "kernel_size": 3}],
    "agent.backend": "torch",
    "agent.optimizer": "rmsprop",
    "agent.rmsprop_decay": 0.9,
    "agent.rmsprop_epsilon": 0.001,
    "agent.rmsprop_epsilon_enters": "variance",
    "replay.kind": "none",
    "replay.capacity": 5000,
    "replay.oldest_policy": 1000.0,
    "replay.min_replay_size": 2000,
    "replay.eviction": "random",
    "replay.replacement": False,
    "replay.combined": True,
    "replay.n_step": 3,
    "replay.priority_exponent": {"start": 0.5, "end": 0.9, "steps": None},
    "replay.priority_epsilon": 0.01,
    "replay.priority_epsilon_enters": "priority",
    "replay.new_priority": "max_present",
    "replay.stratified": False,
    "replay.uniform_share": 0.1,
    "replay.importance_sampling_exponent": 0.5,
    "replay.weight_normalisation": "pool_max",
    "replay.priority_refresh_period": 100,
    "replay.options": {"decay": 0.9},
    "train.hold_fixed": "gradient_steps",
    "train.env_steps": 20_000,
    "train.gradient_steps": 1000,
    "train.evaluate_every": 1000,
    "train.evaluation_episodes": 3,
    "train.log_every": 100,
    "train.evaluations": 10,
}
"""Another value than the default for every key of a cell."""

WITH: dict[str, dict[str, Any]] = {
    "replay.oldest_policy": {"replay.capacity": None},
    "train.hold_fixed": {"train.gradient_steps": 1000, "train.env_steps": None},
    "agent.rmsprop_decay": {"agent.optimizer": "rmsprop"},
    "agent.rmsprop_epsilon": {"agent.optimizer": "rmsprop"},
    "agent.rmsprop_epsilon_enters": {"agent.optimizer": "rmsprop"},
}
"""What a key needs beside it to be of any effect."""

ENVIRONMENT_OF = {
    "env.sticky_actions": "minatar_breakout",
    "env.ramping": "minatar_breakout",
    "env.minimal_actions": "minatar_breakout",
    "env.frame_skip": "atari_breakout",
    "env.frame_stack": "atari_breakout",
    "env.noop_max": "atari_breakout",
    "env.reward_clipping": "atari_breakout",
    "env.life_loss_terminates": "atari_breakout",
}
"""The environments of keys that CartPole does not have."""
