"""Chooses what trains a cell: an agent in an environment, a classifier on a stream, or a table."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ablation.config.schema import DIGITS, CellConfig, chain_length
from ablation.tasks.cliffwalk.trainer import TabularTrainer
from ablation.tasks.digits.trainer import SupervisedTrainer
from ablation.training.dqn import DQNTrainer
from ablation.training.trainer import Trainer


def trainer_of(config: CellConfig, seeds: Sequence[int], device: torch.device) -> Trainer:
    """Return the trainer of a cell's runs at their beginning."""
    if chain_length(config.env.id) is not None:
        return TabularTrainer(config, seeds, device)
    if config.env.id == DIGITS:
        return SupervisedTrainer(config, seeds, device)
    return DQNTrainer(config, seeds, device)
