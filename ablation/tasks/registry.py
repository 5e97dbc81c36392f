"""Makes the trainer of a cell, as the table of tasks names it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ablation.config.registry import load_component
from ablation.config.schema import CellConfig
from ablation.config.tasks import task_of
from ablation.training.trainer import Trainer


def make_trainer(
    config: CellConfig, seeds: Sequence[int], device: torch.device, threads: int = 1
) -> Trainer:
    """Return the trainer of a cell's runs, before their first step."""
    trainer: Trainer = load_component(task_of(config.env.id).trainer)(config, seeds, device, threads)
    return trainer
