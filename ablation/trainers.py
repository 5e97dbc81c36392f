"""Chooses what trains a cell: an agent in an environment, or a classifier on a stream."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ablation.config import DIGITS, CellConfig
from ablation.supervised import SupervisedTrainer
from ablation.train import Trainer


def trainer_of(
    config: CellConfig, seeds: Sequence[int], device: torch.device
) -> Trainer | SupervisedTrainer:
    """Return the trainer of a cell's runs at their beginning."""
    made = SupervisedTrainer if config.env.id == DIGITS else Trainer
    return made(config, seeds, device)
