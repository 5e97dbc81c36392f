"""What Slurm says of the jobs of a sweep: by `squeue`, which also knows jobs where accounting is off.

All Slurm jobs of a sweep have one name, which is known before the first is submitted:
results/jobs/sweeps/<sweep>.slurm exists from then until none of them is left.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.store.runs import Store

COMMAND_SECONDS = 30.0
_ENDED = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
}


class SlurmSilent(Exception):
    """Slurm's controller did not answer."""


@dataclass(frozen=True)
class ClusterJob:
    """A job of a cluster: its id, its state, and the reason why it waits or the node that it is on."""

    id: str
    state: str
    reason: str = ""

    @property
    def has_ended(self) -> bool:
        """Return whether the job is over."""
        return self.state in _ENDED


def job_name(sweep: str) -> str:
    """Return the name of a sweep's Slurm jobs."""
    return f"replay-{sweep}"


def cancel_command(names: Iterable[str]) -> list[str]:
    """Return the command that cancels all jobs of some names."""
    return ["scancel", f"--name={','.join(names)}"]


def read_jobs(names: Iterable[str]) -> list[ClusterJob]:
    """Return the jobs of some names that Slurm still knows, those that ended a while ago excepted.

    Raises `SlurmSilent`.
    """
    command = ["squeue", "--noheader", "--array", "--states=all", f"--name={','.join(names)}"]
    try:
        answer = subprocess.run(
            [*command, "--format=%i|%T|%R"],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmSilent(str(error)) from None
    if answer.returncode:
        raise SlurmSilent(slurm_line(answer.stderr) or f"squeue ended with {answer.returncode}")
    fields = [line.split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    return [
        ClusterJob(id_, state, reason.removeprefix("(").rstrip(")")) for id_, state, reason in fields
    ]


def slurm_line(text: str) -> str:
    """Return the last line of what one of Slurm's commands printed as an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if re.match(r"s\w+: ", line)]
    return (said or lines or [""])[-1]


def as_line(jobs: Sequence[ClusterJob]) -> str:
    """Return jobs in one line: `7_0 RUNNING (n1); 7_[2-15] PENDING (Resources)`."""
    alike: dict[tuple[str, str, str], list[int | None]] = {}
    for job in jobs:
        array, _, task = job.id.partition("_")
        alike.setdefault((array, job.state, job.reason), []).append(int(task) if task else None)
    parts = []
    for (array, state, reason), tasks in alike.items():
        numbers = sorted(task for task in tasks if task is not None)
        name = f"{array}_{_ranges(numbers)}" if numbers else array
        parts.append(f"{name} {state}" + (f" ({reason})" if reason not in ("", "None") else ""))
    return "; ".join(parts)


def _ranges(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = (str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    return f"[{','.join(texts)}]"


def mark_path(store: Store, sweep: str) -> Path:
    """Return the file that exists while a sweep may have Slurm jobs."""
    return store.job_directory("sweeps") / f"{sweep}.slurm"


def left_behind(store: Store) -> tuple[list[str], list[ClusterJob]]:
    """Return the names of earlier sweeps' Slurm jobs that are still queued or run, and these jobs.

    Forgets sweeps that have none. Raises `SlurmSilent`.
    """
    marks = sorted(store.job_directory("sweeps").glob("*.slurm"))
    names, left = [], []
    for mark in marks:
        jobs = [job for job in read_jobs([job_name(mark.stem)]) if not job.has_ended]
        if jobs:
            names.append(job_name(mark.stem))
            left += jobs
        else:
            mark.unlink(missing_ok=True)
    return names, left
