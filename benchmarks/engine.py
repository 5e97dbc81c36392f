"""`make bench-engine`: what the sweep engine costs beside the training, in time and in files.

Two hundred runs in a bare loop (train, store) and through the worker loop (claims, inventory, progress
logs), in turn by blocks within one process, set-up apart; then an inventory of 100,000 runs, and a plan
of 1,000 cells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import in_process, median

OUTPUT = Path("results/benchmarks/engine.json")
RUNS, BLOCK = 200, 10

_SETUP = """
import json, shutil, tempfile, time
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from ablation.config.parse import parse
from ablation.config.identity import canonical, cell_name
from ablation.sweep.queue import JobSpec
from ablation.sweep.job import JobRun
from ablation.sweep.inventory import read_inventory
from ablation.sweep.claims import Locks, Owner
from ablation.sweep.interrupts import Stop
from ablation.store.runs import RunKey, Store
from ablation.tracking import TrackingConfig
from ablation.training.dqn import DQNTrainer
from ablation.sweep.queue import JobQueue, write_job, write_queue
from ablation.sweep.worker import _Worker
from benchmarks.setting import cell_values
RUNS, BLOCK, STEPS = {runs}, {block}, {steps}
store = Store(tempfile.mkdtemp())
configs = []
for number in range(RUNS + 2):
    values = cell_values(STEPS)
    values["agent"]["discount"] = 0.9 + number / 10_000
    configs.append(parse(values))
def train(config, store):
    trainer = DQNTrainer(config, [0], torch.device("cpu"))
    records = trainer.run(lambda *_: None)
    trainer.close()
    record = {{"status": "complete", "config": canonical(config), "env_steps": STEPS}}
    store.write_run(RunKey(cell_name(config), 0), record, records.lanes[0].tables())
"""
_TIMED = """
inside = {{"processor": 0.0}}
def timed(owner, name):
    work = getattr(owner, name)
    def run(*arguments):
        used = time.process_time()
        try:
            return work(*arguments)
        finally:
            inside["processor"] += time.process_time() - used
    setattr(owner, name, run)
train(configs.pop(), Store(tempfile.mkdtemp()))
def bare(configs):
    for config in configs:
        train(config, store)
def engine(configs):
    names = []
    for config in configs:
        cell = cell_name(config)
        job = JobSpec(cell, cell, [0], "arm", {{}}, "study", "?", "cpu", 60.0)
        write_job(store, job, config)
        names.append(cell)
    work = JobQueue("sweep", names, TrackingConfig("disabled", "p", None), None, dict.fromkeys(names, 3))
    write_queue(store, work)
    store.job_directory("workers").mkdir(parents=True, exist_ok=True)
    locks = Locks(store.root, Owner.this_process("sweep"))
    with locks.beating():
        scores = lambda env_id, steps: lambda rows: {{}}
        _Worker(store, work, "worker", locks, Stop(), scores).run()
    inventory = read_inventory(store, [RunKey(name, 0) for name in names])
    assert not inventory.to_do
engine([configs.pop()])
# What the bare loop does too.
timed(JobRun, "_train")
timed(Store, "write_run")
spent = {{"bare": [], "engine": []}}
for first in range(0, RUNS, BLOCK):
    # Each goes first in every other block.
    for way in (bare, engine) if first // BLOCK % 2 else (engine, bare):
        shutil.rmtree(store.root)
        Path(store.root).mkdir()
        inside["processor"] = 0.0
        began, used = time.perf_counter(), time.process_time()
        way(configs[first : first + BLOCK])
        found = {{"passed": time.perf_counter() - began, "processor": time.process_time() - used}}
        found["inside"] = inside["processor"]
        spent[way.__name__].append(found)
shutil.rmtree(store.root)
print(json.dumps(spent))
"""

_PLAN = """
import json, time
from collections import Counter
began = time.perf_counter()
from hydra.types import RunMode
from ablation.sweep.config import parse_sweep_config
from ablation.store.runs import Store
from ablation.cli.compose import Composer, plain, plan_of
from ablation.sweep.estimates.forecast import forecast
from ablation.cli.config_errors import config_loader
from ablation.__main__ import CONFIG_DIRECTORY
with config_loader(CONFIG_DIRECTORY) as loader:
    composer = Composer(loader)
    line = composer.read([])
    factors = {
        "batch": {"key": "agent.batch_size", "levels": list(range(1, 51))},
        "rate": {"key": "agent.learning_rate", "levels": [n / 1e4 for n in range(1, 21)]},
    }
    study = {"name": "wide", "question": "?", "environments": ["cartpole"], "baseline": {},
             "factors": factors, "design": "factorial", "seeds": 10, "primary_score": "final"}
    plan = plan_of(composer, study, line)
    settings = {**plain(loader.load_configuration("config", [], RunMode.RUN)), "results_dir": "/none"}
    found = forecast(plan, parse_sweep_config(settings), Store("/none")).as_json()
assert len(found["arms"]) == len(plan.cells)
seconds = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time()}
print(json.dumps({"cells": len(plan.cells), **seconds}))
"""


def main() -> None:
    """Measure, print and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000, help="length of a run (default: 2000)")
    parser.add_argument("--directories", type=int, default=100_000)
    arguments = parser.parse_args()
    found = {
        "overhead": _overhead(arguments.steps),
        "plan": in_process(_PLAN),
        "inventory": _inventory(arguments.directories),
    }
    line = "A plan of {cells:,} cells: {seconds:.1f} s ({processor_seconds:.1f} s of processor time)"
    print(line.format(**found["plan"]))
    for name, seconds in found["inventory"].items():
        print(f"{arguments.directories:,} run directories, {name}: {seconds:.1f} s")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _overhead(steps: int) -> dict[str, Any]:
    code = (_SETUP + _TIMED).format(runs=RUNS, block=BLOCK, steps=steps)
    spent: dict[str, Any] = in_process(code)
    print(f"{RUNS} runs of {steps:,} steps, one by one; blocks of {BLOCK} in turn, in one process:")
    for clock in ("passed", "processor"):
        bare, engine = ([block[clock] for block in spent[way]] for way in ("bare", "engine"))
        shares = [more / less - 1 for more, less in zip(engine, bare, strict=True)]
        told = f"bare {sum(bare):.1f} s, engine {sum(engine):.1f} s, {sum(engine) / sum(bare) - 1:+.1%}"
        blocks = f"by block {min(shares):+.1%} to {max(shares):+.1%}, median {median(shares):+.1%}"
        print(f"  {clock:10}{told}; {blocks}")
    whole, inside = (sum(block[part] for block in spent["engine"]) for part in ("processor", "inside"))
    each = 1e3 * (whole - inside) / RUNS
    print(f"  engine, training and storing apart: {each:.1f} ms a run, {whole / inside - 1:+.2%}")
    return spent


def _inventory(runs: int) -> dict[str, float]:
    """Return the seconds of a inventory over made run directories, and of one where there are none."""
    from ablation.store.runs import RunKey, Store
    from ablation.sweep.inventory import read_inventory

    seeds = 100
    keys = [RunKey(f"CartPole-v1-{n // seeds:012x}", n % seeds) for n in range(runs)]
    with tempfile.TemporaryDirectory() as root:
        store = Store(root)
        missing = _timed(lambda: read_inventory(store, keys))
        store.write_run(keys[0], {"status": "complete", "config": _config()}, {})
        model = store.run_directory(keys[0])
        files = {path.name: path.read_bytes() for path in model.iterdir()}
        for key in keys[1:]:
            directory = store.run_directory(key)
            directory.mkdir(parents=True)
            for name, content in files.items():
                (directory / name).write_bytes(content)
        found = _timed(lambda: read_inventory(store, keys))
        assert not read_inventory(store, keys[:: max(1, runs // 1000)]).to_do
    return {"complete": found, "missing": missing}


def _config() -> dict[str, object]:
    from ablation.config.identity import canonical
    from ablation.config.parse import parse
    from benchmarks.setting import cell_values

    return canonical(parse(cell_values(2000)))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
