"""`make bench-engine`: what a sweep costs beside its training, in time and in files.

Two hundred runs in a bare loop (train, store) and through the worker's loop (claims, inventory,
progress, logs), in turn by blocks within one process; then the inventory of 100,000 runs, and a plan of
1,000 cells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablation.config.cell import Cell
from ablation.config.identity import canonical
from ablation.config.parse import parse
from ablation.store.files import read_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.sweep.inventory import read_inventory
from benchmarks.measure import in_module, median
from benchmarks.setting import cell_values

OUTPUT = Path("results/benchmarks/engine.json")
RUNS, BLOCK = 200, 10


def main() -> None:
    """Measure, print and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000, help="length of a run (default: 2000)")
    parser.add_argument("--directories", type=int, default=100_000)
    arguments = parser.parse_args()
    results = {
        "overhead": _overhead(arguments.steps),
        "plan": in_module("benchmarks.plan_time"),
        "inventory": _inventory(arguments.directories),
    }
    line = "A plan of {cells:,} cells: {seconds:.1f} s ({processor_seconds:.1f} s of processor time)"
    print(line.format(**results["plan"]))
    for name, seconds in results["inventory"].items():
        print(f"{arguments.directories:,} run directories, {name}: {seconds:.1f} s")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(results, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _overhead(steps: int) -> dict[str, Any]:
    spent = in_module("benchmarks.sweep_overhead", RUNS, BLOCK, steps)
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
    """Return the seconds of an inventory of run directories, and of one where there are none."""
    config = parse(cell_values(2000))
    keys = [RunKey(Cell(config).name, seed) for seed in range(runs)]
    with tempfile.TemporaryDirectory() as root:
        store = Store(root)
        missing = _timed(lambda: read_inventory(store, keys))
        store.write_run(RunRecord(cell=keys[0].cell, status="complete", config=canonical(config)), {})
        record = read_json(store.run_directory(keys[0]) / "run.json")
        first = store.run_directory(keys[0])
        tables = {name: (first / name).read_bytes() for name in record["checksums"]}
        for key in keys[1:]:
            directory = store.run_directory(key)
            directory.mkdir(parents=True)
            (directory / "run.json").write_text(json.dumps(record | {"seed": key.seed}))
            for name, content in tables.items():
                (directory / name).write_bytes(content)
        complete = _timed(lambda: read_inventory(store, keys))
        assert not read_inventory(store, keys[:: max(1, runs // 1000)]).to_do
    return {"complete": complete, "missing": missing}


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
