"""The memory and disk that jobs need, and whether this machine has them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.validation import ConfigError
from ablation.store.disk import free_bytes

JOB_BYTES = 500_000_000
"""Peak memory of a job beside buffers, diagnostics and networks, W&B included: docs/performance.md."""

SUPERVISOR_BYTES = 200_000_000
"""Memory for the process that supervises a worker, which a cluster counts too.

Twice the most that was measured, 90 MB in a task of Ray.
"""

RUN_BYTES = 300_000
"""Disk space of a run's tables and its offline W&B files, as measured: docs/scaling.md."""


@dataclass(frozen=True)
class JobSize:
    """A job's number of seeds, and the bytes of its buffers, diagnostics and networks."""

    lanes: int
    replay_bytes: int
    diagnostics_bytes: int = 0
    network_bytes: int = 0

    @property
    def policy_bytes(self) -> int:
        """Return the disk space of its final and best networks, at most: 2 of 8 rows of parameters."""
        return self.network_bytes // 4

    @property
    def peak_bytes(self) -> int:
        """Return the memory that the job is expected to take at most."""
        return self.replay_bytes + self.diagnostics_bytes + self.network_bytes + JOB_BYTES


def machine_bytes() -> int:
    """Return the memory of this machine in bytes, or the limit of the cgroup if that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return min(limits)


def peak_bytes(jobs: Sequence[JobSize], workers: int) -> int:
    """Return the memory of the largest jobs together, one for each worker, in bytes."""
    return sum(sorted((job.peak_bytes for job in jobs), reverse=True)[:workers])


def check_memory(jobs: Sequence[JobSize], workers: int, available: int) -> None:
    """Raise `ConfigError` for jobs that do not fit into memory together; it names a number that fits."""
    if peak_bytes(jobs, workers) <= available:
        return
    job = max(jobs, key=lambda job: job.peak_bytes)
    fit = available // job.peak_bytes
    has = f"{available / 1e9:.1f} GB are there"
    if fit:
        allowed = f"jobs of {job.peak_bytes / 1e9:.1f} GB: {has}; at most {fit} fit"
        raise ConfigError("launch.jobs", workers, allowed)
    lanes = int((available - JOB_BYTES) // ((job.peak_bytes - JOB_BYTES) / job.lanes))
    advice = f"at most {lanes} fit" if lanes > 0 else "not even one fits: lower replay.capacity"
    allowed = f"a job would take {job.peak_bytes / 1e9:.1f} GB: {has}; {advice}"
    raise ConfigError("launch.lanes_per_job", job.lanes, allowed)


def check_disk(directory: Path, runs: int, jobs: Sequence[JobSize], workers: int) -> None:
    """Raise `ConfigError` if the disk is too small for the runs and the checkpoints of their jobs."""
    largest = sorted((job.replay_bytes for job in jobs), reverse=True)[:workers]
    # A checkpoint is written beside the one that it replaces.
    needed = runs * RUN_BYTES + 2 * sum(largest) + sum(job.policy_bytes for job in jobs)
    free = free_bytes(directory)
    if needed > free:
        allowed = f"has {free / 1e6:,.0f} MB free; {runs} runs need about {needed / 1e6:,.0f} MB"
        raise ConfigError("results_dir", directory, allowed)
