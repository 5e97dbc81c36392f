"""Lane steps a second of our trainer, everything but the evaluation counted."""

from __future__ import annotations

import time

import torch

from ablation.config.parse import parse
from ablation.training.dqn import DQNTrainer
from benchmarks.setting import WARM_UP, cell_values


def lane_steps_per_second(
    lanes: int, steps: int, kind: str, capacity: int, batch_size: int, learn_period: int
) -> float:
    """Return environment steps of all lanes over seconds, learning throughout."""
    torch.set_num_threads(1)
    # The run is as long as its replay is large, or the replay would be cut to what the run can fill.
    length = max(capacity, 2 * WARM_UP + steps)
    config = parse(cell_values(length, kind, capacity, batch_size, learn_period))
    trainer = DQNTrainer(config, list(range(lanes)), torch.device("cpu"))
    # Past a step that logs: what it calls is loaded from the cache then, as JAX's program is compiled.
    trainer.advance(WARM_UP + config.train.log_every)
    if capacity > WARM_UP:
        _spread(trainer, capacity)
    began = time.perf_counter()
    trainer.advance(steps)
    seconds = time.perf_counter() - began
    trainer.close()
    return lanes * steps / seconds


def _spread(trainer: DQNTrainer, capacity: int) -> None:
    """Let the items fill the whole ring, as they would late in a run, without running till then."""
    ring = trainer._buffer.ring
    items = ring._items.view(ring.lanes, capacity, -1)
    filled = int(ring.size[0])
    for first in range(filled, capacity, filled):
        count = min(filled, capacity - first)
        items[:, first : first + count] = items[:, :count]
        slots = torch.arange(first, first + count).repeat(ring.lanes, 1)
        trainer._buffer.sampler.update_priorities(slots, torch.rand(slots.shape))
    ring.size.fill_(capacity)
    ring.newest.fill_(capacity - 1)
