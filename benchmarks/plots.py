"""Draws time for each lane step against lanes, capacity and batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import median

AXES = {"lanes": "lanes", "capacity": "replay capacity", "batch_size": "batch size"}
USUAL = {"lanes": 32, "capacity": 50_000, "batch_size": 32, "learn_period": 1}


def draw(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write a figure of three panels, median and range over rounds, and return its paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(AXES), figsize=(11, 3.4), sharey=True)
    for panel, (axis, label) in zip(panels, AXES.items(), strict=True):
        for name, marker in (("uniform", "o"), ("proportional", "s"), ("JAX", "^")):
            _line(panel, [row for row in rows if _belongs(row, name, axis)], axis, name, marker)
        panel.set(xscale="log", yscale="log", xlabel=label)
        panel.grid(alpha=0.3)
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter("{x:g}")
    panels[0].set_ylabel("microseconds a lane step")
    panels[0].legend()
    figure.suptitle("CartPole-v1, 64-64 units, one core; bars: range over rounds")
    figure.tight_layout()
    paths = [folder / f"speed.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=150)
    plt.close(figure)
    return paths


def _belongs(row: Mapping[str, Any], name: str, axis: str) -> bool:
    others = all(row[key] == usual for key, usual in USUAL.items() if key != axis)
    system = "jax" if name == "JAX" else "ours"
    return others and row["system"] == system and name in (row["kind"], "JAX")


def _line(panel: Any, rows: list[Mapping[str, Any]], axis: str, name: str, marker: str) -> None:
    rows = sorted(rows, key=lambda row: row[axis])
    times = [[1e6 / rate for rate in row["rates"]] for row in rows]
    middle = [median(found) for found in times]
    below = [centre - min(found) for centre, found in zip(middle, times, strict=True)]
    above = [max(found) - centre for centre, found in zip(middle, times, strict=True)]
    panel.errorbar(
        [row[axis] for row in rows], middle, [below, above], marker=marker, label=name, capsize=3
    )
