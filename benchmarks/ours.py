"""Lane steps a second of our trainer, everything but the evaluation counted."""

from __future__ import annotations

import time

import torch

from ablation.config import parse
from ablation.train import Trainer
from benchmarks.setting import CAPACITY, WARM_UP, cell_values


def lane_steps_per_second(lanes: int, steps: int, kind: str = "uniform") -> float:
    """Return environment steps of all lanes over seconds, learning at every timed step."""
    torch.set_num_threads(1)
    config = parse(cell_values(max(CAPACITY, 2 * WARM_UP + steps), kind))
    trainer = Trainer(config, list(range(lanes)), torch.device("cpu"))
    trainer.advance(WARM_UP + 100)
    began = time.perf_counter()
    trainer.advance(steps)
    seconds = time.perf_counter() - began
    trainer.close()
    return lanes * steps / seconds
