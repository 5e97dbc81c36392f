"""Progress of a sweep on the terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table

from ablation.cli.messages import print_choices, print_undecided
from ablation.cli.terminal import console, plural
from ablation.store.files import read_json
from ablation.store.runs import Store
from ablation.study.plan import Arm, Choice
from ablation.sweep.scheduling import ScheduledJob

LIVE_SECONDS = 0.5
PLAIN_SECONDS = 15.0
COMPILING = "No steps yet: starting, and compiling code (once on a machine: about 40 s, longer if busy)."
MEASURED_SECONDS = 5.0
"""How long steps must have been counted before a speed and an end are told."""


class TerminalObserver:
    """Prints what a sweep tells its observer."""

    def training(self, jobs: Sequence[ScheduledJob], store: Store, state: Callable[[], str]) -> Progress:
        """Show the jobs' progress within the returned context."""
        return Progress(jobs, store, state)

    def waiting_for(self, owners: Sequence[str]) -> None:
        """Print whose runs the sweep waits for."""
        console.print(f"Waiting for runs of {', '.join(owners)}.")

    def stopping(self, note: str) -> None:
        """Print that the sweep ends."""
        console.print("\n".join(["\nStopping after the current write.", *([note] if note else [])]))

    def ended_at_once(self) -> None:
        """Print what is kept."""
        console.print("\nEnded: complete runs and checkpoints are kept; the same command continues.")

    def tuned(self, choices: Sequence[Choice], undecided: Sequence[Arm], seeds: int) -> None:
        """Print what the tuning stage chose."""
        print_choices(choices)
        print_undecided(undecided, seeds)


class Progress:
    """A context in which the jobs' progress files are read and shown.

    On a terminal as a live table, elsewhere as a line every `PLAIN_SECONDS`.
    """

    def __init__(
        self, jobs: Sequence[ScheduledJob], store: Store, state: Callable[[], str] = str
    ) -> None:
        self._jobs, self._state = jobs, state
        self._paths = [store.job_directory(job.spec.name) / "progress.json" for job in jobs]
        self._runs = sum(len(job.spec.seeds) for job in jobs)
        self._steps = sum(job.own_steps * len(job.spec.seeds) for job in jobs)
        self._started = time.perf_counter()
        self._since = time.time()
        self._earlier = [self._saved(path) for path in self._paths]
        self._first: tuple[float, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4) as live:
                while not self._stop.wait(LIVE_SECONDS):
                    live.update(self._table(self._read()))
                live.update(self._table(self._read()))
            return
        told = False
        while not self._stop.wait(PLAIN_SECONDS):
            print(self._summary(self._read(), explained=told), file=sys.stderr, flush=True)
            told = True
        print(self._summary(self._read(), explained=told), file=sys.stderr, flush=True)

    def _read(self) -> list[dict[str, Any]]:
        """Return the progress of the jobs that have begun, or go on from a checkpoint."""
        read = zip(self._paths, self._earlier, strict=True)
        # A job that has begun and not read its checkpoint yet stands at step 0.
        known = (
            max(earlier, self._read_one(path), key=lambda job: job.get("env_step", -1))
            for path, earlier in read
        )
        return [job for job in known if job]

    def _read_one(self, path: Path) -> dict[str, Any]:
        """Return a job's progress, unless it is that of an earlier launch."""
        try:
            return (read_json(path) or {}) if path.stat().st_mtime >= self._since else {}
        except OSError:
            return {}

    def _saved(self, path: Path) -> dict[str, Any]:
        """Return the progress of an earlier launch as far as it is kept in a checkpoint."""
        earlier = read_json(path) or {}
        if not (path.parent / "checkpoint.pt").exists():
            return {}
        step = earlier.get("saved_at", 0)
        return {**earlier, "env_step": step, "resumed_at": step} if step else {}

    def _summary(self, begun: Sequence[dict[str, Any]], explained: bool = False) -> str:
        elapsed = time.perf_counter() - self._started
        steps = sum(_own_steps(job) * job["lanes"] for job in begun)
        new = sum(_new_steps(job) for job in begun)
        ended = [job for job in begun if job["env_step"] == job["env_steps"]]
        rate = self._rate(elapsed, new)
        speed = f"{rate:,.0f} env steps/s, " if rate else ""
        left = clock((self._steps - steps) / rate) if rate else "unknown"
        left = clock(0) if steps == self._steps else left
        return (
            f"{len(ended)}/{plural(len(self._jobs), 'job')}, "
            f"{sum(job['lanes'] for job in ended)}/{plural(self._runs, 'run')}, "
            f"{steps / self._steps:.0%}, {speed}elapsed {clock(elapsed)}, ETA {left}"
        ) + "".join(
            f"\n{note}" for note in ("" if new or explained else COMPILING, self._state()) if note
        )

    def _rate(self, elapsed: float, new: int) -> float | None:
        """Return the steps a second since the first ones; None while there are too few to tell.

        What comes before the first steps is starting and compiling, which happens once.
        """
        if self._first is None and new:
            self._first = elapsed, new
        since, before = self._first or (elapsed, new)
        if elapsed - since < MEASURED_SECONDS or new <= before:
            return None
        return (new - before) / (elapsed - since)

    def _table(self, begun: Sequence[dict[str, Any]]) -> Group:
        table = Table(box=None)
        for heading in ("arm", "seeds", "done"):
            table.add_column(heading, justify="left" if heading == "arm" else "right")
        for job in begun:
            if job["env_step"] < job["env_steps"]:
                share = job["env_step"] / job["env_steps"]
                table.add_row(job["arm"], str(job["lanes"]), f"{share:.0%}")
        return Group(table, self._summary(begun))


def _own_steps(job: dict[str, Any]) -> int:
    """Return the environment steps of each seed of a job, a fork's from where its parent was trained."""
    return max(0, int(job["env_step"]) - int(job.get("shared_steps", 0)))


def _new_steps(job: dict[str, Any]) -> int:
    """Return the environment steps of a job since it was begun or resumed, over all of its seeds."""
    return int((job["env_step"] - job["resumed_at"]) * job["lanes"])


def clock(seconds: float) -> str:
    """Return a time as `minutes:seconds`, with hours in front where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
