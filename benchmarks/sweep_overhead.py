"""Trains the same runs in a bare loop and through the worker's loop; `benchmarks.engine` runs this.

Both loops take turns by blocks within one process; set-up and compilation are not timed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ablation.config.identity import canonical, cell_name
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.code_version import code_version
from ablation.sweep.interrupts import Stop
from ablation.sweep.inventory import read_inventory
from ablation.sweep.job import JobRun
from ablation.sweep.queue import JobQueue, JobSpec, write_job, write_queue
from ablation.sweep.worker import Worker
from ablation.tasks.registry import make_trainer
from ablation.tracking import TrackingConfig
from benchmarks.setting import cell_values

Loop = Callable[[Store, Sequence[CellConfig]], None]

_inside_seconds = 0.0
"""Processor seconds in what the bare loop does too: training and storing."""


def main() -> None:
    """Print the times of every block: passed, processor, and inside of training and storing."""
    runs, block, steps = (int(word) for word in sys.argv[1:])
    torch.set_num_threads(1)
    configs = [_config(steps, number) for number in range(runs + 2)]
    with tempfile.TemporaryDirectory() as warm_up:
        bare_loop(Store(warm_up), [configs.pop()])
        worker_loop(Store(warm_up), [configs.pop()])
    _time_calls(JobRun, "_train")
    _time_calls(Store, "write_run")
    blocks: dict[str, list[dict[str, float]]] = {"bare": [], "engine": []}
    loops: list[tuple[str, Loop]] = [("bare", bare_loop), ("engine", worker_loop)]
    for first in range(0, runs, block):
        for name, loop in loops:
            blocks[name].append(_time_block(loop, configs[first : first + block]))
        # Each goes first in every other block.
        loops.reverse()
    print(json.dumps(blocks))


def bare_loop(store: Store, configs: Sequence[CellConfig]) -> None:
    """Train one run after the other and store each."""
    for config in configs:
        trainer = make_trainer(config, [0], torch.device("cpu"))
        records = trainer.run()
        trainer.close()
        record = RunRecord(cell=cell_name(config), status="complete", config=canonical(config))
        store.write_run(record, records.lanes[0].tables())


def worker_loop(store: Store, configs: Sequence[CellConfig]) -> None:
    """Train the runs as a worker does: with claims, queue, inventory, progress and logs."""
    names = []
    for config in configs:
        cell = cell_name(config)
        write_job(store, JobSpec(cell, cell, [0], "arm", {}, "study", "?", "cpu", 60.0), config)
        names.append(cell)
    tracking = TrackingConfig("disabled", "p", None)
    claims = RunClaims(store.root, ClaimOwner.this_process("sweep"))
    queue = JobQueue("sweep", names, tracking, None, dict.fromkeys(names, 3), code_version())
    write_queue(store, queue)
    store.job_directory("workers").mkdir(parents=True, exist_ok=True)
    with claims.heartbeats():
        Worker(store, queue, "worker", claims, Stop()).run()
    assert not read_inventory(store, [RunKey(name, 0) for name in names]).to_do


def _config(steps: int, number: int) -> CellConfig:
    values = cell_values(steps)
    values["agent"]["discount"] = 0.9 + number / 10_000
    return parse(values)


def _time_block(loop: Loop, configs: Sequence[CellConfig]) -> dict[str, float]:
    global _inside_seconds  # noqa: PLW0603
    root = Path(tempfile.mkdtemp())
    _inside_seconds = 0.0
    began, used = time.perf_counter(), time.process_time()
    loop(Store(root), configs)
    passed, processor = time.perf_counter() - began, time.process_time() - used
    shutil.rmtree(root)
    return {"passed": passed, "processor": processor, "inside": _inside_seconds}


def _time_calls(owner: type, name: str) -> None:
    """Add the processor time of every call of a method to `_inside_seconds`."""
    method = getattr(owner, name)

    def timed(*arguments: Any) -> Any:
        global _inside_seconds  # noqa: PLW0603
        used = time.process_time()
        try:
            return method(*arguments)
        finally:
            _inside_seconds += time.process_time() - used

    setattr(owner, name, timed)


if __name__ == "__main__":
    main()
