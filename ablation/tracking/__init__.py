"""Mirrors runs to Weights & Biases while they train; the store stays the truth.

What comes in are a job's rows and records; what goes out are W&B runs, offline or online. Tracking never
raises into a training and never keeps it waiting. May import store, config and study.

runs.py     what a W&B run is called, its columns and summary          (pure)
rows.py     the lines of a run's history                               (pure)
client.py   the only module that imports wandb
sink.py     the lanes of one job, mirrored by a thread of its own
mirrors.py  what `results/wandb/` remembers, and who may upload from it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ablation.tracking.runs import TrackedRun
from ablation.tracking.sink import Sink, WandbSink


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrackingConfig:
    """Where runs are mirrored to."""

    mode: Literal["offline", "online", "disabled"]
    project: str
    entity: str | None


def open_sink(config: TrackingConfig, runs: Sequence[TrackedRun], root: Path) -> Sink:
    """Return a sink for one run per lane; it never raises and never keeps the training waiting."""
    if config.mode == "disabled":
        return Sink()
    return WandbSink(config.mode, config.project, config.entity, runs, root)
