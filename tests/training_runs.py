"""Short runs: trained to the end or through checkpoints, and reduced to a digest of their results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from ablation.config.schema import CellConfig
from ablation.training import checkpoint
from ablation.training.dqn import DQNTrainer

CPU = torch.device("cpu")
KINDS = ["none", "recent", "uniform", "proportional", "rank", "greedy"]


class Counting(gymnasium.Env[np.ndarray, int]):
    """Observes (episode's reset seed mod 97, step); ends as its script says."""

    observation_space = gymnasium.spaces.Box(0, 100, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, terminate_at: int, truncate_at: int) -> None:
        self._terminate_at, self._truncate_at = terminate_at, truncate_at
        self._tag = self._step = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self._tag, self._step = (seed or 0) % 97, 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._step += 1
        ended, cut = self._step == self._terminate_at, self._step == self._truncate_at
        return self._observe(), float(self._step), ended, cut, {}

    def _observe(self) -> np.ndarray:
        return np.array([self._tag, self._step], np.float32)


def counting_id(terminate_at: int, truncate_at: int) -> str:
    """Register a `Counting` environment, if it is not, and return its id."""
    name = f"Counting{terminate_at}x{truncate_at}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, lambda: Counting(terminate_at, truncate_at), disable_env_checker=True)
    return name


def train(config: CellConfig, seeds: list[int]) -> DQNTrainer:
    """Return a trainer at the end of its run."""
    trainer = DQNTrainer(config, seeds, CPU)
    trainer.run()
    trainer.close()
    return trainer


def digest(trainer: DQNTrainer, lane: int) -> str:
    """Return a hash of a lane's rows and parameters."""
    rows = trainer.records.lanes[lane].tables()
    parameters = trainer._learner.parameters.online[lane].numpy().tobytes()
    return hashlib.sha256(json.dumps(rows).encode() + parameters).hexdigest()


def resumed(config: CellConfig, directory: Path, stops: list[int], seeds: Sequence[int]) -> DQNTrainer:
    """Train with a new trainer after each stop, through checkpoint files."""
    trainer = DQNTrainer(config, seeds, CPU)
    for stop in stops:
        while trainer.env_step < stop:
            trainer.advance(min(50 - trainer.env_step % 50, stop - trainer.env_step))
            if trainer.env_step % 50 == 0:
                trainer._evaluate()
        checkpoint.save(directory, "cell", seeds, trainer.state())
        trainer = DQNTrainer(config, seeds, CPU)
        state = checkpoint.load(directory, "cell", seeds)
        assert state is not None
        trainer.restore(state)
        assert trainer.env_step == stop
    trainer.run()
    return trainer
