"""Time of single environment steps, learning on each, here and in another checkout of this project."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ablation.config.parse import parse
from ablation.training.dqn import DQNTrainer
from benchmarks.measure import median, repeat
from benchmarks.ours import _spread
from benchmarks.setting import CAPACITY, WARM_UP, cell_values

CASES = (("uniform", 1), ("uniform", 32), ("uniform", 128), ("proportional", 32))
HERE = Path(__file__).parent.parent
STEPS = 1500


def microseconds(kind: str, lanes: int) -> dict[str, float]:
    """Return the 10th percentile and the median of a step's time for each lane."""
    torch.set_num_threads(1)
    trainer = DQNTrainer(parse(cell_values(CAPACITY, kind)), list(range(lanes)), torch.device("cpu"))
    trainer.advance(WARM_UP + 100)
    _spread(trainer, CAPACITY)
    taken = []
    for _ in range(STEPS):
        began = time.perf_counter()
        trainer.advance(1)
        taken.append(time.perf_counter() - began)
    trainer.close()
    taken.sort()
    return {"low": taken[STEPS // 10] / lanes * 1e6, "median": taken[STEPS // 2] / lanes * 1e6}


def main() -> None:
    """Measure in fresh processes that take turns, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--beside", type=Path, help="the directory of another checkout")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    checkouts = [HERE] if arguments.beside is None else [arguments.beside.resolve(), HERE]
    table = Table(box=None, title="Microseconds a lane step: 10th percentile, median of single steps")
    for heading in ("", *(["there"] * (len(checkouts) - 1)), "here", "ratio of pairs"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, lanes in CASES:
        codes = {str(checkout): _code(checkout, kind, lanes) for checkout in checkouts}
        results = repeat(codes, arguments.repetitions)
        runs = [results[str(checkout)] for checkout in checkouts]
        pairs = zip(runs[0], runs[-1], strict=True)
        ratio = median([here["low"] / there["low"] for there, here in pairs])
        table.add_row(f"{kind}, {lanes} lanes", *map(_shown, runs), f"{ratio:.2f}")
    Console().print(table)


def _code(checkout: Path, kind: str, lanes: int) -> str:
    """Return code that runs this file's function on the modules of a checkout, whatever is installed."""
    return (
        f"import json, runpy, sys; sys.path.insert(0, {str(checkout)!r})\n"
        f"measured = runpy.run_path({__file__!r})['microseconds']\n"
        f"print(json.dumps(measured({kind!r}, {lanes})))"
    )


def _shown(runs: list[dict[str, Any]]) -> str:
    return ", ".join(f"{median([run[name] for run in runs]):.1f}" for name in ("low", "median"))


if __name__ == "__main__":
    main()
