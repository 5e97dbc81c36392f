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
from ablation.results.references import Reference
from ablation.results.scores import summary_scores
from ablation.store.disk import is_disk_full
from ablation.store.files import write_json
from ablation.store.provenance import peak_rss_bytes
from ablation.store.records import EarlyEnd, LaneRecords, Records
from ablation.store.run_record import ENDED, FAILED, RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.history import stored_plan
from ablation.sweep.claims import ClaimLost
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.interrupts import Stop, Stopped
from ablation.sweep.lane_training import LaneTraining, TrainingContext
from ablation.sweep.origin import record_of
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig, open_sink
from ablation.tracking.runs import EndedRun, Filing, filings, tracked_run, wandb_id
from ablation.tracking.sink import Sink

log = logging.getLogger(__name__)

ASK_SECONDS = 1.0
"""How often a job looks whether its runs are still its own."""


def run_job(
    config: CellConfig,
    job: JobSpec,
    tracking: TrackingConfig,
    store: Store,
    stop: Stop | None = None,
    still_mine: Callable[[], object] = lambda: None,
) -> None:
    """Train the job's runs and store each; runs that the store already has are left alone.

    Resumes from the job's checkpoint if there is one. A failure is stored with each of its runs, data
    so far included, and raised again; one of a full disk is only raised. When `stop` asks for it, a
    checkpoint is saved and `Stopped` raised. Raises `CodeChanged` where the code would train another.
    `still_mine` is called before what others could have written is replaced, and may raise `ClaimLost`.
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
        JobRun(cell, job, tracking, store, attempts, stop or Stop(), still_mine).run()


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
        still_mine: Callable[[], object],
    ) -> None:
        self._cell, self._job, self._store = cell, job, store
        self._attempts, self._stop, self._still_mine = attempts, stop, still_mine
        self._seeds = list(attempts)
        self._started, self._began = datetime.now(UTC), time.perf_counter()
        self._directory = store.job_directory(job.name)
        self._env_step = self._gradient_steps = self._began_at = self._saved_at = 0
        self._training: LaneTraining | None = None
        self._asked = time.perf_counter()
        self._arithmetic: str | None = None
        self._records = Records(len(self._seeds))
        self._policy: Callable[[int], bytes | None] = lambda _: None
        self._sink = self._open_sink(tracking)

    def run(self) -> None:
        """Train and store every run as complete; on an error, store what is done as failed and raise."""
        self._write_progress()
        try:
            self._train()
        except (Stopped, ClaimLost, BdbQuit):
            # Leaving a debugger is no failure of the run.
            raise
        except BaseException as error:
            # Also `sys.exit` and `KeyboardInterrupt` of an environment: our own Ctrl-C is `Stopped`.
            if not is_disk_full(error, self._store.root):
                self._store_runs("failed", traceback.format_exc())
            raise
        self._store_runs("complete", None)
        if self._training is not None:
            self._training.remove_checkpoint()
        # A run may end before its last step; what it did not need does not remain to be done.
        self._env_step = self._cell.schedule.env_steps
        self._write_progress()
        for record in self._records.lanes:
            if record.ended and record.ended.error:
                trace, _, last = record.ended.error.rpartition("\n")
                log.info("%s", trace or "An early end:")
                # The sweep names failed runs at its end, once for all of their attempts.
                log.log(logging.INFO if record.ended.status == FAILED else logging.WARNING, "%s", last)

    def _train(self) -> None:
        import torch

        from ablation.training.fingerprint import fingerprint

        # More threads than one make two concurrent jobs slower by an order of magnitude.
        torch.set_num_threads(1)
        self._arithmetic = fingerprint(self._cell.config, self._job.device)
        parts = self._arithmetic, self._stop, self._still_mine, self._watch
        context = TrainingContext(self._job, self._seeds, self._store, *parts)
        training = self._training = LaneTraining(self._cell, self._directory, context)
        training.start()
        try:
            for step in self._job.fork_steps:
                training.run(step)
                training.leave(step)
            training.run()
            self._policy = training.trainer.policy
        finally:
            trainer = training.trainer
            self._env_step, self._gradient_steps = trainer.env_step, trainer.gradient_steps
            trainer.close()

    def _watch(self, training: LaneTraining) -> None:
        """Show how far the training is, and ask now and then whether the runs are still this job's."""
        self._records, self._env_step = training.trainer.records, training.trainer.env_step
        self._began_at, self._saved_at = training.began_at, training.saved_at
        if time.perf_counter() - self._asked > ASK_SECONDS:
            self._still_mine()
            self._asked = time.perf_counter()
        self._sink.log(self._records)
        self._write_progress()

    def _write_progress(self) -> None:
        progress = {
            "arm": self._job.arm,
            "lanes": len(self._seeds),
            "env_step": self._env_step,
            "env_steps": self._cell.schedule.env_steps,
            "shared_steps": self._cell.shared_steps,
            "resumed_at": self._began_at,
            "saved_at": self._saved_at,
        }
        write_json(self._directory / "progress.json", progress, durable=False)

    def _open_sink(self, tracking: TrackingConfig) -> Sink:
        spec, config = self._job, self._cell.canonical
        plan = stored_plan(self._store, spec.study)
        self._primary_score = plan.study.primary_score if plan else ""
        other = Filing(spec.study, spec.question, config["env"]["id"], spec.arm, spec.levels)
        plans, keys = [plan] if plan else [], [RunKey(spec.cell, seed) for seed in self._seeds]
        runs = [tracked_run(key, config, list(filings(plans, key)) or [other]) for key in keys]
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
                self._store.write_run(record, records.tables(), policy, self._still_mine)
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
        return f"{end.error.rstrip()}; log: {self._directory / 'job.log'}"

    def _shared_record(self) -> RunRecord:
        """Return what all runs of the job have in common, when it ended included."""
        seconds = time.perf_counter() - self._began
        trained = (self._env_step - self._began_at) * len(self._seeds)
        return replace(
            record_of(self._cell, self._job, self._started),
            steps_per_second=trained / seconds,
            peak_rss_bytes=peak_rss_bytes(),
            failed_diagnostics=self._records.failed_diagnostics,
            arithmetic=self._arithmetic,
        )

    def _scores(self, records: LaneRecords) -> dict[str, float]:
        own = Reference.of(self._job.references) if self._job.references else None
        env_id, env_steps = self._cell.config.env.id, self._cell.schedule.env_steps
        return summary_scores(records, env_id, env_steps, own, self._primary_score)
