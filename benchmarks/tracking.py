"""`make bench-tracking`: what tracking costs beside the same job without it, on one core."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.measure import median, repeat

LANES = 32
OUTPUT = Path("results/benchmarks/tracking.json")
MODES = ("disabled", "offline")

_JOB = """
import json, os, tempfile, time
from pathlib import Path
from ablation.config.parse import parse
from ablation.config.identity import cell_name
from ablation.sweep.queue import JobSpec
from ablation.sweep.job import run_job
from ablation.store.runs import Store
from ablation.tracking import TrackingConfig
from benchmarks.setting import default_values
values = default_values()
values["train"] |= {{"env_steps": {steps}}}
config = parse(values)
job = JobSpec("bench", cell_name(config), list(range({lanes})), "arm", {{}}, "bench", "?", "cpu", 1e9)
ticks = os.sysconf("SC_CLK_TCK")
def cpu(pid):
    fields = Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / ticks
began = time.perf_counter()
with tempfile.TemporaryDirectory() as root:
    run_job(config, job, TrackingConfig("{mode}", "bench", None), Store(root))
    seconds = time.perf_counter() - began
    # The client's own process, which writes the files, counts as well.
    tasks = Path("/proc/self/task").glob("*/children")
    children = [pid for path in tasks for pid in path.read_text().split()]
    print(json.dumps({{"seconds": seconds, "cpu": cpu("self") + sum(map(cpu, children))}}))
"""


def main() -> None:
    """Measure jobs with and without tracking in turn, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=50_000, help="environment steps (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    codes = {mode: _JOB.format(lanes=LANES, steps=arguments.steps, mode=mode) for mode in MODES}
    found = repeat(codes, arguments.repetitions)
    costs = {
        kind: [
            with_it[kind] / without[kind] - 1
            for without, with_it in zip(found["disabled"], found["offline"], strict=True)
        ]
        for kind in ("cpu", "seconds")
    }
    print(f"{LANES} lanes, {arguments.steps:,} steps, the default logging period, one core")
    for kind, name in (("cpu", "processor time"), ("seconds", "wall clock")):
        without, with_it = (median([run[kind] for run in found[mode]]) for mode in MODES)
        print(
            f"{name:16}{without:8.1f} s without, {with_it:8.1f} s with: "
            f"cost {median(costs[kind]):.1%} ({min(costs[kind]):.1%} to {max(costs[kind]):.1%})"
        )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({"runs": found, "cost": costs}, indent=1) + "\n")
    print(f"Written: {arguments.output}")


if __name__ == "__main__":
    main()
