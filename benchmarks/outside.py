"""`python -m benchmarks.outside`: time and memory of 10,000 imported runs, and of their report."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import csv

from ablation.store.files import write_json
from benchmarks.measure import of_command

ARMS, ENVIRONMENTS, SEEDS, ROWS = 20, 5, 100, 1000
OUTPUT = Path("results/benchmarks/outside.json")


def write_runs(path: Path) -> int:
    """Write a tidy CSV of 10,000 runs with 1,000 evaluations each; return its rows."""
    random = np.random.default_rng(0)
    runs = ARMS * ENVIRONMENTS * SEEDS
    run = np.repeat(np.arange(runs), ROWS)
    arm, environment, seed = run % ARMS, run // ARMS % ENVIRONMENTS, run // ARMS // ENVIRONMENTS
    step = np.tile(np.arange(1, ROWS + 1) * 100, runs)
    level = 100 + arm + 10 * random.normal(size=runs)[run]
    table = {
        "algo": pyarrow.DictionaryArray.from_arrays(arm, [f"arm {at}" for at in range(ARMS)]),
        "env_id": pyarrow.DictionaryArray.from_arrays(
            environment, [f"Environment-v{at}" for at in range(ENVIRONMENTS)]
        ),
        "seed": seed,
        "global_step": step,
        "episode_return": np.round(level * (1 - np.exp(-step / 2e4)) + random.normal(size=len(run)), 6),
    }
    csv.write_csv(pyarrow.table(table), path)
    return len(run)


def main() -> None:
    """Measure, print and write the JSON file."""
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        path, root = Path(directory) / "runs.csv", f"--results={directory}/results"
        results["rows"] = write_runs(path)
        results["megabytes of the file"] = round(path.stat().st_size / 1e6)
        commands = {
            "import": ("import", "csv", str(path), "--study", "large", "--baseline", "arm 0", root),
            "report": ("report", "large", root),
        }
        for name, command in commands.items():
            seconds, processor, peak = of_command(*command)
            results[f"{name}, seconds"] = round(seconds, 1)
            results[f"{name}, processor seconds"] = round(processor, 1)
            results[f"{name}, peak memory, MB"] = round(peak / 1e6)
    for key, value in results.items():
        print(f"{key}: {value}")
    write_json(OUTPUT, results)
    print(f"Written: {OUTPUT}")


if __name__ == "__main__":
    main()
