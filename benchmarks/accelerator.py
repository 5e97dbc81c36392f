"""Lanes on a GPU: steps a second, captured or one operation after another, and the memory they take.

Memory is counted on tensors without numbers, so without a GPU as well; rates are measured where one is.
"""

from __future__ import annotations

import argparse
import sys
import time
import weakref
from collections import Counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ablation import capture
from ablation.config.parse import parse
from ablation.envs.tensor_lanes import STEPS_AHEAD
from ablation.training.dqn import Trainer
from benchmarks.measure import median
from benchmarks.setting import WARM_UP, cell_values

LANES = (32, 256, 1024, 4096)
KINDS = ("uniform", "proportional")
CAPACITY = 10_000
STEPS = 2000


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are there at the same time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._uses: Counter[int] = Counter()
        self._bytes = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.device.type == "meta":
                self._count(tensor)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if not self._uses[storage._cdata]:
            self._bytes += storage.nbytes()
            self.peak = max(self.peak, self._bytes)
        self._uses[storage._cdata] += 1
        weakref.finalize(tensor, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, storage: int, size: int) -> None:
        self._uses[storage] -= 1
        if not self._uses[storage]:
            self._bytes -= size


def counted_bytes(lanes: int, kind: str) -> int:
    """Return the most bytes that tensors take at once while lanes act and learn.

    What the allocator rounds up, the two graphs keep apart, and CUDA's own libraries are not in it.
    """
    # Adam and RMSProp keep two numbers a parameter alike; PyTorch's fused Adam wants numbers.
    values = cell_values(CAPACITY, kind, CAPACITY)
    values["agent"]["optimizer"] = "rmsprop"
    with Live() as live:
        trainer = Trainer(parse(values), list(range(lanes)), torch.device("meta"))
        for step in range(4):
            trainer._interact()
            trainer._buffer.ready_to_draw(step, step)
            trainer._gradient_step()
            trainer._learner.count()
    peak: int = live.peak
    return peak


def lane_steps_per_second(lanes: int, kind: str, captures: bool) -> float:
    """Return environment steps of all lanes over seconds, learning on each."""
    device = torch.device("cuda")
    values = cell_values(10 * STEPS, kind, CAPACITY)
    # Whoever is warming up does one operation after another.
    calls, capture.WARM_UP = capture.WARM_UP, capture.WARM_UP if captures else sys.maxsize
    trainer = Trainer(parse(values), list(range(lanes)), device)
    trainer.advance(WARM_UP + STEPS_AHEAD)
    torch.cuda.synchronize()
    began = time.perf_counter()
    trainer.advance(STEPS)
    torch.cuda.synchronize()
    seconds, capture.WARM_UP = time.perf_counter() - began, calls
    return lanes * STEPS / seconds


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    here = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if here else "no GPU here: memory alone"
    table = Table(box=None, title=f"CartPole-v1, 64-64 units, batch 32, capacity {CAPACITY:,}: {name}")
    for heading in ("", "GiB counted", *(["captured", "one by one", "GiB taken"] if here else [])):
        table.add_column(heading, justify="right" if heading else "left")
    for kind in KINDS:
        for lanes in LANES:
            cells = [f"{kind}, {lanes:,} lanes", f"{counted_bytes(lanes, kind) / 2**30:.2f}"]
            table.add_row(*cells, *(_measured(lanes, kind, arguments.repetitions) if here else []))
    Console().print(table)


def _measured(lanes: int, kind: str, repetitions: int) -> list[str]:
    torch.cuda.reset_peak_memory_stats()
    rates: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repetitions):
        for captures, found in rates.items():
            found.append(lane_steps_per_second(lanes, kind, captures))
    taken = torch.cuda.max_memory_reserved() / 2**30
    return [*(f"{median(found):,.0f}" for found in rates.values()), f"{taken:.2f}"]


if __name__ == "__main__":
    main()
