"""The jobs of a sweep as files that its workers read: a list of jobs, and a file for each job.

results/jobs/sweeps/<sweep>.json   the list, in the order to train in
results/jobs/sweeps/<sweep>.stop   exists once the sweep shall end
results/jobs/<job>/job.json        the job's cell and seeds; with its log and progress
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, field
from dataclasses import dataclass as plain_dataclass
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ablation.config.env_settings import References
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.config.validation import validate
from ablation.store.files import read_json, write_json
from ablation.store.keys import BadName, RunKey, check_name
from ablation.store.runs import Store
from ablation.sweep.code_version import CodeChanged, code_version
from ablation.tracking import TrackingConfig


@plain_dataclass(frozen=True)
class JobQueue:
    """A sweep's jobs by name, in the order to train in, and the settings that they share."""

    sweep: str
    jobs: list[str]
    tracking: TrackingConfig
    timeout_seconds: float | None
    allowed: dict[str, int]
    """Attempts that the runs of each job may reach."""
    code: str
    """Version of the source that the sweep began with."""
    max_attempts: int = 1
    """Attempts that runs have in this sweep."""


def queue_path(store: Store, sweep: str) -> Path:
    """Return where a sweep's list of jobs is."""
    return store.job_directory("sweeps") / f"{check_name('sweep', sweep)}.json"


def stop_path(store: Store, sweep: str) -> Path:
    """Return the file whose presence tells a sweep's workers to end."""
    return store.job_directory("sweeps") / f"{check_name('sweep', sweep)}.stop"


def write_queue(store: Store, queue: JobQueue) -> None:
    """Write a sweep's list of jobs."""
    write_json(queue_path(store, queue.sweep), asdict(queue), durable=False)


def read_queue(store: Store, sweep: str) -> JobQueue | None:
    """Return a sweep's list of jobs, or None where it cannot be seen.

    Raises `CodeChanged` where the source is not the one that the sweep began with.
    """
    values = read_json(queue_path(store, sweep))
    if not isinstance(values, Mapping):
        return None
    if values.get("code") != code_version():
        raise CodeChanged
    tracking = validate(TrackingConfig, values["tracking"], prefix="tracking.")
    return JobQueue(**{**values, "tracking": tracking})


def write_job(store: Store, job: JobSpec, config: CellConfig) -> None:
    """Write a job's file."""
    values = {"job": asdict(job), "config": asdict(config)}
    write_json(store.inside(store.job_directory(job.name)) / "job.json", values, durable=False)


def read_job(store: Store, name: str) -> tuple[JobSpec, CellConfig]:
    """Return a job and the configuration of its cell; raises `OSError` where there is none."""
    path = store.job_directory(name) / "job.json"
    try:
        values = read_json(path)
        job, config = validate(JobSpec, values["job"], prefix="job."), parse(values["config"])
    # Another owner may have removed the directory, or put anything there.
    except Exception as error:
        raise OSError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
    for seed in job.seeds:
        RunKey(job.cell, seed)
    return job, config


def resumable(store: Store) -> dict[str, list[list[int]]]:
    """Return, for each cell, the blocks of seeds that have a checkpoint to go on from."""
    blocks: dict[str, list[list[int]]] = {}
    directory = store.root / "jobs"
    for name in sorted(os.listdir(directory)) if directory.is_dir() else ():
        if (directory / name / "checkpoint.pt").exists():
            with suppress(OSError, BadName):
                job, _ = read_job(store, name)
                blocks.setdefault(job.cell, []).append(job.seeds)
    return blocks


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class JobSpec:
    """One cell and the seeds to train of it, with their arm, levels and study for tracking."""

    name: str
    cell: str
    seeds: list[int]
    arm: str
    levels: dict[str, str]
    study: str
    question: str
    device: str
    checkpoint_seconds: float
    threads: int = 1
    """Threads that share the seeds: more than one where there are fewer jobs than cores."""
    environment: str | None = None
    """The fingerprint of its environment's code; None for Gymnasium's and ours."""
    not_reproducible: str | None = None
    """Why its environment may give other numbers next time: nothing is resumed then."""
    references: References | None = None
    """Those of its environment's settings."""
    fork_steps: list[int] = field(default_factory=list)
    """Steps at which forks leave its runs, in order: the runs' states then are kept for them."""
