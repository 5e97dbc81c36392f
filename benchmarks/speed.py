"""`make bench`: our lane steps a second beside Stable-Baselines3's, on one core, in one run."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import median, repeat

LANES = (1, 8, 32, 128)
KINDS = ("uniform", "proportional")
SB3 = "Stable-Baselines3"
TIMED_LANE_STEPS = 60_000
OUTPUT = Path("results/benchmarks/speed.json")


def main() -> None:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    results = repeat(_codes(), arguments.repetitions)
    rates = {name: [found["rate"] for found in runs] for name, runs in results.items()}
    ratios = {
        name: [ours / theirs for ours, theirs in zip(found, rates[SB3], strict=True)]
        for name, found in rates.items()
    }
    _print(rates, ratios)
    report = {
        "setting": "CartPole-v1, 64-64 units, batch 32, one update every step, one core",
        "machine": platform.processor() or platform.machine(),
        "repetitions": arguments.repetitions,
        "steps_per_second": rates,
        "ratio_to_sb3_in_the_same_round": ratios,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {arguments.output}")


def _codes() -> dict[str, str]:
    codes = {
        SB3: "from benchmarks.peers import stable_baselines3_steps_per_second as rate\n"
        "import json; print(json.dumps({'rate': rate(1500)}))"
    }
    for kind in KINDS:
        for lanes in LANES:
            steps = max(300, min(3000, TIMED_LANE_STEPS // lanes))
            codes[f"{kind}, {lanes} lanes"] = (
                "from benchmarks.ours import lane_steps_per_second as rate\n"
                f"import json; print(json.dumps({{'rate': rate({lanes}, {steps}, '{kind}')}}))"
            )
    return codes


def _print(rates: dict[str, list[float]], ratios: dict[str, list[float]]) -> None:
    table = Table(box=None, title="Steps a second, all lanes together (median, range)")
    for heading in ("", "steps/s", "range", "times SB3", "range "):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, found in rates.items():
        ratio = ratios[name]
        table.add_row(
            name,
            f"{median(found):,.0f}",
            f"{min(found):,.0f} - {max(found):,.0f}",
            f"{median(ratio):.1f}",
            f"{min(ratio):.1f} - {max(ratio):.1f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
