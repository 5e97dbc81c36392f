"""`make bench-engine`: what the sweep engine costs beside the training, in time and in files.

Two hundred runs in a bare loop (train, store) and through the worker's loop (claims, ledger, progress,
logs), in turn, in processes of their own, set-up apart; then a ledger of 100,000 runs, and a plan of
1,000 cells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import median, repeat

OUTPUT = Path("results/benchmarks/engine.json")
RUNS = 200

_SETUP = """
import json, tempfile, time
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from ablation.config import parse
from ablation.identity import canonical, cell_name
from ablation.job import Job
from ablation.ledger import take_stock
from ablation.locks import Locks, Owner
from ablation.stopping import Stop
from ablation.store import RunKey, Store
from ablation.tracking import TrackingConfig
from ablation.train import Trainer
from ablation.work import Work, write_job, write_work
from ablation.worker import _Worker
from benchmarks.setting import cell_values
RUNS, STEPS = {runs}, {steps}
store = Store(tempfile.mkdtemp())
configs = []
for number in range(RUNS + 1):
    values = cell_values(STEPS)
    values["agent"]["discount"] = 0.9 + number / 10_000
    configs.append(parse(values))
def train(config, store):
    trainer = Trainer(config, [0], torch.device("cpu"))
    records = trainer.run(lambda *_: None)
    trainer.close()
    record = {{"status": "complete", "config": canonical(config), "env_steps": STEPS}}
    store.write_run(RunKey(cell_name(config), 0), record, records.lanes[0].tables())
train(configs.pop(), Store(tempfile.mkdtemp()))
"""
_BARE = """
began, used = time.perf_counter(), time.process_time()
for config in configs:
    train(config, store)
seconds, processor = time.perf_counter() - began, time.process_time() - used
"""
_ENGINE = """
names = []
for config in configs:
    cell = cell_name(config)
    job = Job(cell, cell, [0], "arm", {{}}, "study", "?", "cpu", 60.0)
    write_job(store, job, config)
    names.append(cell)
work = Work("sweep", names, TrackingConfig("disabled", "p", None), None, dict.fromkeys(names, 3))
write_work(store, work)
store.job_directory("workers").mkdir()
locks = Locks(store.root, Owner.this_process("sweep"))
began, used = time.perf_counter(), time.process_time()
with locks.beating():
    _Worker(store, work, "worker", locks, Stop(), lambda env_id, steps: lambda rows: {{}}).run()
ledger = take_stock(store, [RunKey(name, 0) for name in names])
seconds, processor = time.perf_counter() - began, time.process_time() - used
assert not ledger.to_do
"""
_PRINT = """
import shutil
shutil.rmtree(store.root)
print(json.dumps({{"passed": seconds, "processor": processor}}))
"""

_PLAN = """
import json, time
from collections import Counter
began = time.perf_counter()
from hydra.types import RunMode
from ablation.settings import parse_settings
from ablation.store import Store
from hydra_plugins.ablation.compose import Composer, plain, plan_of
from hydra_plugins.ablation.outlook import outlook
from hydra_plugins.ablation.explain import config_loader
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
    found = outlook(plan, parse_settings(settings), Store("/none")).as_json()
assert len(found["arms"]) == len(plan.cells)
seconds = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time()}
print(json.dumps({"cells": len(plan.cells), **seconds}))
"""


def main() -> None:
    """Measure, print and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000, help="length of a run (default: 2000)")
    parser.add_argument("--directories", type=int, default=100_000)
    arguments = parser.parse_args()
    found = {
        "overhead": _overhead(arguments.steps, arguments.repetitions),
        "plan": repeat({"plan": _PLAN}, 1)["plan"][0],
        "ledger": _ledger(arguments.directories),
    }
    line = "A plan of {cells:,} cells: {seconds:.1f} s ({processor_seconds:.1f} s of processor time)"
    print(line.format(**found["plan"]))
    for name, seconds in found["ledger"].items():
        print(f"{arguments.directories:,} run directories, {name}: {seconds:.1f} s")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _overhead(steps: int, repetitions: int) -> dict[str, dict[str, list[float]]]:
    setup = _SETUP.format(runs=RUNS, steps=steps)
    codes = {
        "bare": setup + _BARE.format() + _PRINT.format(),
        "engine": setup + _ENGINE.format() + _PRINT.format(),
    }
    runs = repeat(codes, repetitions)
    print(f"{RUNS} runs of {steps:,} steps, one by one, {repetitions} rounds:")
    found = {}
    for clock in ("passed", "processor"):
        seconds = {name: [run[clock] for run in results] for name, results in runs.items()}
        pairs = zip(seconds["engine"], seconds["bare"], strict=True)
        shares = [engine / bare - 1 for engine, bare in pairs]
        for name, values in seconds.items():
            print(f"  {clock:10}{name:8}{' '.join(f'{value:8.2f}' for value in values)} s")
        told = " ".join(f"{share:8.1%}" for share in shares)
        print(f"  {'':10}{'more':8}{told}, median {median(shares):.1%}")
        found[clock] = seconds | {"shares": shares}
    return found


def _ledger(runs: int) -> dict[str, float]:
    """Return the seconds of a ledger over made run directories, and of one where there are none."""
    from ablation.ledger import take_stock
    from ablation.store import RunKey, Store

    seeds = 100
    keys = [RunKey(f"CartPole-v1-{n // seeds:012x}", n % seeds) for n in range(runs)]
    with tempfile.TemporaryDirectory() as root:
        store = Store(root)
        missing = _timed(lambda: take_stock(store, keys))
        store.write_run(keys[0], {"status": "complete", "config": _config()}, {})
        model = store.run_directory(keys[0])
        files = {path.name: path.read_bytes() for path in model.iterdir()}
        for key in keys[1:]:
            directory = store.run_directory(key)
            directory.mkdir(parents=True)
            for name, content in files.items():
                (directory / name).write_bytes(content)
        found = _timed(lambda: take_stock(store, keys))
        assert not take_stock(store, keys[:: max(1, runs // 1000)]).to_do
    return {"complete": found, "missing": missing}


def _config() -> dict[str, object]:
    from ablation.config import parse
    from ablation.identity import canonical
    from benchmarks.setting import cell_values

    return canonical(parse(cell_values(2000)))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
