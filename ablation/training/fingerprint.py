"""A fingerprint of the arithmetic that trains: equal where the same run has the same numbers.

It is a hash of fixed short trainings through the same code as any run's: environment steps, products,
gradient steps, priorities and their segment tree, powers, sines and cosines. Where other libraries
compute too, it also has some of their results.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ablation.config.schema import (
    AgentConfig,
    CellConfig,
    EnvConfig,
    ReplayConfig,
    Schedule,
    TrainConfig,
)
from ablation.config.training_path import is_portable, trained_by
from ablation.training.dqn import DQNTrainer

DIGITS = 12
STEPS = 48
"""Environment steps of each training: some milliseconds."""
SEED = 17


def fingerprint(config: CellConfig, device: str) -> str:
    """Return 12 hex digits for the arithmetic of this process, of what trains a cell on a device.

    Computed once in a process for each of: compiled loops, PyTorch on a device, with other libraries.
    """
    return _fingerprint(trained_by(config.agent, device) == "torch", device, is_portable(config, device))


@cache
def _fingerprint(by_torch: bool, device: str, portable: bool) -> str:
    threads = torch.get_num_threads()
    # As in workers.
    torch.set_num_threads(1)
    try:
        parts = [
            _trained(env_id, loss, by_torch, torch.device(device))
            for env_id, loss in (("CartPole-v1", "huber"), ("Acrobot-v1", "squared"))
        ]
        parts += [] if portable else [_of_libraries()]
    finally:
        torch.set_num_threads(threads)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:DIGITS]


def _trained(env_id: str, loss: str, by_torch: bool, device: torch.device) -> bytes:
    """Return what a short training stores and learned, as bytes."""
    config = _config(env_id, loss, by_torch)
    trainer = DQNTrainer(config, [SEED], device)
    records = trainer.run()
    trainer.close()
    parameters: bytes = trainer.state()["learner"]["parameters"].cpu().numpy().tobytes()
    return json.dumps(records.lanes[0].tables()).encode() + parameters


def _config(env_id: str, loss: str, by_torch: bool) -> CellConfig:
    agent = AgentConfig(
        hidden_sizes=(24, 24),
        batch_size=16,
        learning_rate=Schedule(0.01, 0.01, 0),
        adam_epsilon=1e-8,
        discount=0.99,
        time_limit_bootstrap=True,
        loss=loss,
        double_q=True,
        max_gradient_norm=1.0,
        target_network=True,
        target_update_period=8,
        target_update_unit="env_steps",
        learn_period=1,
        replay_ratio=None,
        exploration_epsilon=Schedule(0.5, 0.5, 0),
        backend="torch" if by_torch else "auto",
    )
    replay = ReplayConfig(
        kind="proportional",
        capacity=40,
        oldest_policy=None,
        min_replay_size=16,
        eviction="fifo",
        replacement=True,
        combined=False,
        n_step=1,
        priority_exponent=Schedule(0.6, 0.6, 0),
        priority_epsilon=0.01,
        priority_epsilon_enters="error",
        new_priority="max_seen",
        stratified=True,
        uniform_share=0.0,
        importance_sampling_exponent=Schedule(0.4, 0.4, 0),
        weight_normalisation="batch_max",
        priority_refresh_period=1,
    )
    train = TrainConfig("env_steps", STEPS, None, STEPS, 1, STEPS // 2)
    return CellConfig(EnvConfig(id=env_id, backend="auto", time_limit=STEPS), agent, replay, train)


def _of_libraries() -> bytes:
    """Return results of NumPy's and PyTorch's own kernels, which they choose by the processor."""
    parts: list[NDArray[Any]] = []
    for dtype in (np.float32, np.float64):
        values = np.linspace(-3, 3, 203, dtype=dtype)
        matrix = values[:196].reshape(14, 14)
        parts += [np.sin(values), np.cos(values), np.exp(values), np.tanh(values), values.sum()[None]]
        parts += [np.abs(values) ** 0.6, np.log1p(np.abs(values)), np.matmul(matrix, matrix)]
        tensor, square = torch.from_numpy(values), torch.from_numpy(matrix)
        results = tensor.sin(), tensor.exp(), tensor.abs().pow(0.6), square @ square
        parts += [result.numpy() for result in results]
    return b"".join(part.tobytes() for part in parts)
