"""Trains one job: one cell and a block of seeds, from configuration to stored runs."""

from __future__ import annotations

import logging
import time
import traceback
from bdb import BdbQuit
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from ablation.config.cell import Cell
from ablation.config.schema import CellConfig
from ablation.config.source import fingerprints
from ablation.config.training_path import is_portable, trained_by
from ablation.results.references import Reference
from ablation.results.scores import summary_scores
from ablation.store.disk import is_disk_full
from ablation.store.files import read_json, write_json
from ablation.store.provenance import (
    git_state,
    has_fused_multiply_add,
    peak_rss_bytes,
    processor,
    versions,
)
from ablation.store.records import EarlyEnd, LaneRecords, Records
from ablation.store.run_record import ENDED, FAILED, RunRecord
from ablation.store.runs import RunKey, Store
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.interrupts import Stop, Stopped
from ablation.sweep.queue import JobSpec
from ablation.tracking import EndedRun, Sink, TrackingConfig, open_sink, tracked_run, wandb_id

log = logging.getLogger(__name__)


def run_job(
    config: CellConfig,
    job: JobSpec,
    tracking: TrackingConfig,
    store: Store,
    stop: Stop | None = None,
) -> None:
    """Train the job's runs and store each; runs that the store already has are left alone.

    Resumes from the job's checkpoint if there is one. A failure is stored with each of its runs, data
    so far included, and raised again; one of a full disk is only raised. When `stop` asks for it, a
    checkpoint is saved and `Stopped` raised. Raises `CodeChanged` where the code would train another.
    """
    cell = Cell(config)
    if cell.name != job.cell:
        raise CodeChanged
    attempts = {}
    for seed in job.seeds:
        record = store.read_record(RunKey(job.cell, seed)) or RunRecord(attempt=0)
        if record.status not in ENDED:
            attempts[seed] = record.attempt + 1
    if attempts:
        JobRun(cell, job, tracking, store, attempts, stop or Stop()).run()


class JobRun:
    """The training of one job's remaining seeds."""

    def __init__(
        self,
        cell: Cell,
        job: JobSpec,
        tracking: TrackingConfig,
        store: Store,
        attempts: dict[int, int],
        stop: Stop,
    ) -> None:
        self._cell, self._job, self._store = cell, job, store
        self._attempts, self._stop = attempts, stop
        self._seeds = list(attempts)
        self._started, self._began = datetime.now(UTC), time.perf_counter()
        self._env_step = self._gradient_steps = self._resumed_at = self._saved_at = 0
        self._arithmetic: str | None = None
        self._records = Records(len(self._seeds))
        self._policy: Callable[[int], bytes | None] = lambda _: None
        self._sink = self._open_sink(tracking)

    def run(self) -> None:
        """Train and store every run as complete; on an error, store what is done as failed and raise."""
        self._write_progress()
        try:
            self._train()
        except (Stopped, BdbQuit):
            # Leaving a debugger is no failure of the run.
            raise
        except BaseException as error:
            # Also `sys.exit` and `KeyboardInterrupt` of an environment: our own Ctrl-C is `Stopped`.
            if not is_disk_full(error, self._store.root):
                self._store_runs("failed", traceback.format_exc())
            raise
        self._store_runs("complete", None)
        self._remove_checkpoint()
        self._write_progress()
        for record in self._records.lanes:
            if record.ended and record.ended.error:
                trace, _, last = record.ended.error.rpartition("\n")
                log.info("%s", trace or "An early end:")
                log.warning("%s", last)

    def _train(self) -> None:
        import torch

        from ablation.tasks.registry import make_trainer
        from ablation.training import checkpoint
        from ablation.training.fingerprint import fingerprint

        # More threads than one make two concurrent jobs slower by an order of magnitude.
        torch.set_num_threads(1)
        self._arithmetic = fingerprint(self._cell.config, self._job.device)
        trainer = make_trainer(
            self._cell.config, self._seeds, torch.device(self._job.device), self._job.threads
        )
        self._records = trainer.records
        directory = self._store.job_directory(self._job.name)
        header = directory, self._job.cell, self._seeds
        # Its past actions would lead such an environment somewhere else.
        resumes = self._job.not_reproducible is None
        state = checkpoint.load(*header, self._arithmetic) if resumes else None
        if state is not None:
            trainer.restore(state)
            self._env_step = self._resumed_at = self._saved_at = trainer.env_step
            self._write_progress()
            log.info("Resumes from environment step %d.", trainer.env_step)
        saved = time.perf_counter()

        def on_period(env_step: int, records: Records) -> None:
            nonlocal saved
            self._env_step = env_step
            self._sink.log(records)
            self._write_progress()
            due = time.perf_counter() - saved >= self._job.checkpoint_seconds
            if (due or self._stop.requested) and not trainer.done:
                if resumes:
                    with self._stop.writing():
                        checkpoint.save(*header, trainer.state(), self._arithmetic)
                    saved, self._saved_at = time.perf_counter(), env_step
                    self._write_progress()
                if self._stop.requested:
                    raise Stopped

        try:
            trainer.run(on_period)
            self._policy = trainer.policy
        finally:
            self._env_step, self._gradient_steps = trainer.env_step, trainer.gradient_steps
            trainer.close()

    def _remove_checkpoint(self) -> None:
        from ablation.training import checkpoint

        checkpoint.remove(self._store.job_directory(self._job.name))

    def _write_progress(self) -> None:
        progress = {
            "arm": self._job.arm,
            "lanes": len(self._seeds),
            "env_step": self._env_step,
            "env_steps": self._cell.schedule.env_steps,
            "resumed_at": self._resumed_at,
            "saved_at": self._saved_at,
            "seconds": time.perf_counter() - self._began,
        }
        write_json(self._store.job_directory(self._job.name) / "progress.json", progress)

    def _open_sink(self, tracking: TrackingConfig) -> Sink:
        job = self._job
        plan = read_json(self._store.study_directory(job.study) / "plan.json") or {}
        factors = plan.get("study", {}).get("factors", {})
        self._primary_score = plan.get("study", {}).get("primary_score", "")
        config = self._cell.canonical
        runs = [
            tracked_run(
                RunKey(job.cell, seed), config, job.arm, job.levels, factors, job.study, job.question
            )
            for seed in self._seeds
        ]
        return open_sink(tracking, runs, self._store.root)

    def _store_runs(self, status: str, error: str | None) -> None:
        shared = self._shared_record()
        for lane, records in enumerate(self._records.lanes):
            end = records.ended or EarlyEnd(status, error, self._env_step, self._gradient_steps)
            key = RunKey(self._job.cell, self._seeds[lane])
            record = replace(
                shared,
                seed=key.seed,
                status=end.status,
                error=self._with_log(end) if records.ended else end.error,
                same_failure=bool(records.ended) and self._repeats(end, key),
                attempt=self._attempts[key.seed],
                env_steps=end.env_step,
                gradient_steps=end.gradient_step,
                wandb_id=wandb_id(key),
            )
            policy = self._policy(lane) if end.status == "complete" else None
            with self._stop.writing():
                self._store.write_run(record, records.tables(), policy)
            log.info("Stored %s seed %d: %s", key.cell, key.seed, end.status)
            stored = self._store.read_record(key) or record
            self._sink.finish(lane, EndedRun(stored, records.tables(), self._scores(records)))
        self._sink.close()

    def _repeats(self, end: EarlyEnd, key: RunKey) -> bool:
        earlier = self._store.read_record(key)
        return earlier is not None and end.repeats(earlier.status, earlier.error)

    def _with_log(self, end: EarlyEnd) -> str | None:
        """Return a run's error; the last line of a failure also says where the log is."""
        if end.status != FAILED or end.error is None:
            return end.error
        return f"{end.error.rstrip()}; log: {self._store.job_directory(self._job.name) / 'job.log'}"

    def _shared_record(self) -> RunRecord:
        """Return what all runs of the job have in common, when it ended included."""
        seconds = time.perf_counter() - self._began
        trained = (self._env_step - self._resumed_at) * len(self._seeds)
        return RunRecord(
            cell=self._job.cell,
            config=self._cell.canonical,
            started=self._started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            steps_per_second=trained / seconds,
            peak_rss_bytes=peak_rss_bytes(),
            failed_diagnostics=self._records.failed_diagnostics,
            device=self._job.device,
            trained_by=trained_by(self._cell.config.agent, self._job.device),
            arithmetic=self._arithmetic,
            portable=is_portable(self._cell.config, self._job.device) and has_fused_multiply_add(),
            environment_fingerprint=self._job.environment,
            not_reproducible=self._job.not_reproducible,
            component_fingerprints=fingerprints(self._cell.canonical) or None,
            processor=processor(),
            versions=versions(),
            **git_state(),
        )

    def _scores(self, records: LaneRecords) -> dict[str, float]:
        own = Reference.of(self._job.references) if self._job.references else None
        env_id, env_steps = self._cell.config.env.id, self._cell.schedule.env_steps
        return summary_scores(records, env_id, env_steps, own, self._primary_score)
