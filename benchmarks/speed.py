"""`make bench`: lane steps a second beside Stable-Baselines3's and JAX's, on one core, in one run."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import median, repeat
from benchmarks.plots import draw
from benchmarks.setting import BATCH_SIZE, CAPACITY

KINDS = ("uniform", "proportional")
PEERS = {"sb3": "Stable-Baselines3", "jax": "JAX, jitted as a whole"}
TIMED_LANE_STEPS = 60_000
OUTPUT = Path("results/benchmarks/speed.json")


@dataclass(frozen=True)
class Case:
    """One contestant in one setting; `system` is `ours`, `sb3` or `jax`."""

    system: str
    lanes: int = 32
    kind: str = "uniform"
    capacity: int = CAPACITY
    batch_size: int = BATCH_SIZE
    learn_period: int = 1

    @property
    def name(self) -> str:
        """Return what the table calls it: what differs from the usual setting."""
        parts = [PEERS.get(self.system, self.kind), f"{self.lanes} lane{'s' * (self.lanes > 1)}"]
        for value, usual, text in (
            (self.capacity, CAPACITY, f"capacity {self.capacity:,}"),
            (self.batch_size, BATCH_SIZE, f"batch {self.batch_size}"),
            (self.learn_period, 1, f"learn period {self.learn_period}"),
        ):
            parts += [text] if value != usual else []
        return ", ".join(parts)

    @property
    def peer(self) -> tuple[int, int]:
        """Return what a contestant must share to be compared: batch size and learning period."""
        return self.batch_size, self.learn_period

    def code(self) -> str:
        """Return Python code that measures it and prints the rate."""
        steps = max(300, min(3000, TIMED_LANE_STEPS // self.lanes)) // 4 * 4
        sizes = f"{self.batch_size}, {self.learn_period}"
        calls = {
            "sb3": f"peers import stable_baselines3_steps_per_second as rate; "
            f"found = rate(1500, {sizes})",
            "jax": f"jax_program import jax_steps_per_second as rate; "
            f"found = rate({self.lanes}, {steps}, {sizes})",
            "ours": f"ours import lane_steps_per_second as rate; "
            f"found = rate({self.lanes}, {steps}, '{self.kind}', {self.capacity}, {sizes})",
        }
        return f"from benchmarks.{calls[self.system]}\nimport json; print(json.dumps({{'rate': found}}))"


SETTINGS: tuple[dict[str, Any], ...] = ({}, {"learn_period": 4}, {"batch_size": 128})


def cases() -> list[Case]:
    """Return all contestants: peers and ours in three settings, then by lanes, capacity and batch."""
    found = [Case("sb3", lanes=1, **setting) for setting in SETTINGS]
    found += [Case("jax", **setting) for setting in SETTINGS]
    found += [Case("jax", lanes=lanes) for lanes in (8, 128)]
    for kind in KINDS:
        found += [Case("ours", kind=kind, **setting) for setting in SETTINGS]
        found += [Case("ours", kind=kind, lanes=lanes) for lanes in (1, 8, 128)]
        found += [Case("ours", kind=kind, capacity=10**power) for power in (3, 4, 5, 6)]
        found += [Case("ours", kind=kind, batch_size=size) for size in (8, 512)]
    return found


def main() -> None:
    """Measure, print the table, write the JSON file and draw the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", default="", help="measure just the names that contain this, and peers")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    chosen = [case for case in cases() if case.system != "ours" or arguments.only in case.name]
    results = repeat({case.name: case.code() for case in chosen}, arguments.repetitions)
    rates = {name: [found["rate"] for found in runs] for name, runs in results.items()}
    rows = [asdict(case) | _measured(case, chosen, rates) for case in chosen]
    _print(rows)
    report = {
        "setting": "CartPole-v1, 64-64 units, one core, everything counted but evaluation",
        "machine": platform.processor() or platform.machine(),
        "repetitions": arguments.repetitions,
        "cases": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {arguments.output}", *draw(rows, arguments.output.parent))


def _measured(case: Case, chosen: list[Case], rates: dict[str, list[float]]) -> dict[str, object]:
    """Return a case's rates, and their ratios to each peer's in the same round."""
    found: dict[str, object] = {"name": case.name, "rates": rates[case.name]}
    for other in chosen:
        alike = other.peer == case.peer and other.lanes in (1, case.lanes)
        if other.system != "ours" and alike:
            pairs = zip(rates[case.name], rates[other.name], strict=True)
            found[f"times_{other.system}"] = [ours / theirs for ours, theirs in pairs]
    return found


def _print(rows: list[dict[str, object]]) -> None:
    table = Table(box=None, title="Steps a second, all lanes together: median (range) over rounds")
    for heading in ("", "steps/s", "us a lane step", "times SB3", "times JAX"):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        rates: list[float] = row["rates"]  # type: ignore[assignment]
        ratios = [_spread(row.get(f"times_{peer}"), ".1f" if peer == "sb3" else ".2f") for peer in PEERS]
        lowest = f"{1e6 / median(rates):,.1f}"
        table.add_row(str(row["name"]), _spread(rates, ",.0f"), lowest, *ratios)
    Console(width=130).print(table)


def _spread(values: object, form: str) -> str:
    if not isinstance(values, list):
        return ""
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:{form}} ({low:{form}} - {high:{form}})"


if __name__ == "__main__":
    main()
