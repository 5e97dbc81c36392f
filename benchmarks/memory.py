"""`make bench`: peak memory of a whole job beside the bytes that its replay was planned to take."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.measure import repeat

OUTPUT = Path("results/benchmarks/memory.json")
SIZES = ((1, 10_000), (10, 20_000), (32, 20_000))

_JOB = """
import json, tempfile
from ablation.config.parse import parse
from ablation.config.cell import Cell
from ablation.sweep.queue import JobSpec
from ablation.sweep.job import run_job
from ablation.sweep.estimates.memory import replay_bytes
from ablation.store.provenance import peak_rss_bytes
from ablation.store.runs import Store
from ablation.tracking import TrackingConfig
from benchmarks.setting import cell_values
lanes, capacity = {lanes}, {capacity}
values = cell_values(capacity, "proportional")
values["replay"]["capacity"] = capacity
values["train"] |= {{"env_steps": capacity, "evaluate_every": capacity}}
config = parse(values)
# Fill the whole ring's pages without training for hours: learning starts at the very end.
object.__setattr__(config.agent, "learn_period", max(1, capacity // 500))
cell = Cell(config)
job = JobSpec("memory", cell.name, list(range(lanes)), "memory", {{}}, "memory", "?", "cpu", 1e9)
with tempfile.TemporaryDirectory() as root:
    run_job(config, job, TrackingConfig("offline", "bench", None), Store(root))
planned = replay_bytes(cell, 4, lanes)
print(json.dumps({{"peak": peak_rss_bytes(), "replay": planned}}))
"""


def main() -> None:
    """Measure, print the table and write the JSON file."""
    codes = {
        f"{lanes} lanes, capacity {capacity:,}": _JOB.format(lanes=lanes, capacity=capacity)
        for lanes, capacity in SIZES
    }
    found = {name: runs[0] for name, runs in repeat(codes, 1).items()}
    print(f"{'':32}{'replay MB':>12}{'peak MB':>12}{'the rest MB':>14}")
    for name, sizes in found.items():
        replay, peak = sizes["replay"] / 1e6, sizes["peak"] / 1e6
        print(f"{name:32}{replay:12,.0f}{peak:12,.0f}{peak - replay:14,.0f}")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


if __name__ == "__main__":
    main()
