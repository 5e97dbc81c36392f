"""What a launcher starts: one cell and a block of seeds, from configuration to stored runs."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ablation.config import CellConfig, canonical, cell_name, flatten
from ablation.provenance import git_state, peak_rss_bytes, versions
from ablation.records import LaneRecords, Records
from ablation.store import ENDED, RunKey, Store, write_json
from ablation.tracking import Sink, TrackedRun, TrackingConfig, open_sink

log = logging.getLogger(__name__)

Scores = Callable[[LaneRecords], Mapping[str, float]]
"""Computes a run's scores from its rows, for the summary that is tracked."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Job:
    """One cell and the seeds to train of it, with what they are filed under."""

    name: str
    cell: str
    seeds: list[int]
    arm: str
    levels: dict[str, str]
    study: str
    question: str
    device: str


def run_job(
    config: CellConfig, job: Job, tracking: TrackingConfig, store: Store, scores: Scores
) -> None:
    """Train the job's runs and store each; runs that the store already has are left alone.

    A failure is stored with every run it hit, data so far included, and raised again.
    """
    if cell_name(config) != job.cell:
        raise RuntimeError(
            f"job {job.name} was planned for cell {job.cell} but its configuration is that of "
            f"{cell_name(config)}; the configuration files changed after the sweep began"
        )
    attempts = {}
    for seed in job.seeds:
        record = store.read_record(RunKey(job.cell, seed)) or {}
        if record.get("status") not in ENDED:
            attempts[seed] = int(record.get("attempt", 0)) + 1
    if attempts:
        _Session(config, job, tracking, store, scores, attempts).run()


class _Session:
    """The training of one job's remaining seeds."""

    def __init__(
        self,
        config: CellConfig,
        job: Job,
        tracking: TrackingConfig,
        store: Store,
        scores: Scores,
        attempts: dict[int, int],
    ) -> None:
        self._config, self._job, self._store, self._scores = config, job, store, scores
        self._attempts = attempts
        self._seeds = list(attempts)
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self._env_step = self._gradient_steps = 0
        self._records = Records(len(self._seeds))
        self._sink: Sink = open_sink(tracking, [self._tracked(seed) for seed in self._seeds], store.root)

    def run(self) -> None:
        """Train, then store every run as complete; or store what there is as failed and raise."""
        self._write_progress()
        try:
            self._train()
        except Exception:
            self._store_runs("failed", traceback.format_exc())
            raise
        self._store_runs("complete", None)
        self._write_progress()

    def _train(self) -> None:
        import torch

        from ablation.train import Trainer

        # More threads than one make two concurrent jobs slower by an order of magnitude.
        torch.set_num_threads(1)
        trainer = Trainer(self._config, self._seeds, torch.device(self._job.device))
        self._records = trainer.records
        try:
            trainer.run(self._on_period)
        finally:
            self._env_step, self._gradient_steps = trainer.env_step, trainer.gradient_steps
            trainer.close()

    def _on_period(self, env_step: int, records: Records) -> None:
        self._env_step = env_step
        self._sink.log(records)
        self._write_progress()

    def _write_progress(self) -> None:
        progress = {
            "arm": self._job.arm,
            "lanes": len(self._seeds),
            "env_step": self._env_step,
            "env_steps": self._config.train.env_steps,
            "seconds": time.perf_counter() - self._clock,
        }
        write_json(self._store.job_directory(self._job.name) / "progress.json", progress)

    def _tracked(self, seed: int) -> TrackedRun:
        job = self._job
        config = flatten(canonical(self._config)) | {
            "arm": job.arm,
            "study": job.study,
            "cell": job.cell,
            "seed": seed,
        }
        return TrackedRun(
            id=f"{job.cell}-{seed:04d}",
            name=f"{job.arm} #{seed}",
            group=job.arm,
            tags=[job.study[:64], self._config.env.id[:64]],
            notes=job.question,
            config=config | {f"factor.{name}": level for name, level in job.levels.items()},
        )

    def _store_runs(self, status: str, error: str | None) -> None:
        ended = datetime.now(UTC)
        seconds = time.perf_counter() - self._clock
        shared = {
            "status": status,
            "config": canonical(self._config),
            "started": self._started.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds"),
            "error": error,
            "env_steps": self._env_step,
            "steps_per_second": self._env_step * len(self._seeds) / seconds,
            "peak_rss_bytes": peak_rss_bytes(),
            "device": self._job.device,
            "versions": versions(),
            **git_state(),
        }
        for lane, seed in enumerate(self._seeds):
            rows = self._records.lanes[lane]
            record = shared | {
                "attempt": self._attempts[seed],
                "gradient_steps": self._gradient_steps,
                "wandb_id": f"{self._job.cell}-{seed:04d}",
            }
            self._store.write_run(RunKey(self._job.cell, seed), record, vars(rows))
            summary = {"status": status} | dict(self._scores(rows))
            self._sink.finish(lane, summary, failed=status == "failed")
