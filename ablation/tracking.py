"""Mirrors runs to Weights & Biases while they train; the only module that imports wandb."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ablation.records import LaneRecords, Records

log = logging.getLogger(__name__)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrackingConfig:
    """Where runs are mirrored to."""

    mode: Literal["offline", "online", "disabled"]
    project: str
    entity: str | None


@dataclass(frozen=True)
class TrackedRun:
    """What a W&B run is called and filed under."""

    id: str
    name: str
    group: str
    tags: list[str]
    notes: str
    config: dict[str, Any]


class Sink(Protocol):
    """Receives what a job's runs produce."""

    def log(self, records: Records) -> None:
        """Take every row that was added since the last call."""

    def finish(self, lane: int, summary: Mapping[str, Any], failed: bool) -> None:
        """Close one run with its summary."""


class NoSink:
    """Tracks nothing."""

    def log(self, records: Records) -> None:
        """Do nothing."""

    def finish(self, lane: int, summary: Mapping[str, Any], failed: bool) -> None:
        """Do nothing."""


def open_sink(config: TrackingConfig, runs: Sequence[TrackedRun], root: Path) -> Sink:
    """Return a sink for one run per lane; without W&B if it cannot be started, with a warning."""
    if config.mode == "disabled":
        return NoSink()
    try:
        return WandbSink(config, runs, root)
    except Exception as error:
        log.warning("W&B is not tracking this job (%s); its runs are stored all the same.", error)
        return NoSink()


class WandbSink:
    """One W&B run per lane, all open at once in this process."""

    def __init__(self, config: TrackingConfig, runs: Sequence[TrackedRun], root: Path) -> None:
        root = root.absolute()
        root.mkdir(parents=True, exist_ok=True)
        for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
            os.environ[variable] = str(root / "wandb" / "internal")
        os.environ["WANDB_SILENT"] = "true"
        import wandb

        settings = wandb.Settings(
            x_disable_stats=True,
            x_disable_meta=True,
            x_save_requirements=False,
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            console="off",
        )
        self._sent = [LaneRecordsSent() for _ in runs]
        self._runs: list[Any] = []
        for run in runs:
            # Two offline directories with one id would upload their rows twice.
            for earlier in (root / "wandb").glob(f"offline-run-*-{run.id}"):
                shutil.rmtree(earlier)
            opened = wandb.init(
                # The default hands the previous run of this process out again.
                reinit="create_new",
                dir=str(root),
                mode=config.mode,
                project=config.project,
                entity=config.entity,
                id=run.id,
                name=run.name,
                group=run.group,
                job_type="train",
                tags=run.tags,
                notes=run.notes,
                config=run.config,
                settings=settings,
            )
            opened.define_metric("*", step_metric="env_step")
            self._runs.append(opened)

    def log(self, records: Records) -> None:
        """Send each lane's new rows to its own run."""
        for run, record, sent in zip(self._runs, records.lanes, self._sent, strict=True):
            for row in sent.new_rows(record):
                run.log(row)

    def finish(self, lane: int, summary: Mapping[str, Any], failed: bool) -> None:
        """Write the summary and close the lane's run."""
        run = self._runs[lane]
        run.summary.update(dict(summary))
        run.finish(exit_code=1 if failed else 0)


class LaneRecordsSent:
    """How much of a lane's records has been sent, and the rows that have not."""

    def __init__(self) -> None:
        self._episodes = self._evaluations = self._learner = 0

    def new_rows(self, record: LaneRecords) -> list[dict[str, Any]]:
        """Return the rows to log: each learner row, then the period's evaluation and training."""
        learner = record.learner[self._learner :]
        evaluations = record.evaluations[self._evaluations :]
        episodes = record.episodes[self._episodes :]
        self._learner, self._evaluations = len(record.learner), len(record.evaluations)
        self._episodes = len(record.episodes)
        rows = [_prefixed(row, "learner/") for row in learner]
        if evaluations:
            period: dict[str, Any] = {
                "env_step": evaluations[-1]["env_step"],
                "gradient_step": evaluations[-1]["gradient_step"],
                "evaluation/return": _mean(evaluations, "episode_return"),
                "evaluation/length": _mean(evaluations, "episode_length"),
            }
            if episodes:
                period["training/return"] = _mean(episodes, "episode_return")
                period["training/episodes"] = len(record.episodes)
            rows.append(period)
        return rows


def _prefixed(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    clocks = ("env_step", "gradient_step")
    there = {key: value for key, value in row.items() if value is not None}
    return {key if key in clocks else prefix + key: value for key, value in there.items()}


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))
