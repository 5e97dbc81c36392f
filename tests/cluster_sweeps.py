"""Sweeps on a cluster, interrupted in every way that users know, and what is left of them."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablation.store.runs import Store

from .sweeps import ROOT, WITHOUT_REPORT, stored_bytes

WORDS = [
    "replay=uniform,rank,proportional",
    "env.backend=gymnasium",
    "study.seeds=4",
    "train.env_steps=800",
    "train.evaluate_every=100",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[16]",
    "replay.min_replay_size=64",
    "launch.lanes_per_job=2",
    "launch.checkpoint_seconds=0",
    "tracking=disabled",
]
RUNS = 12
SECONDS = 900.0
"""Long enough to compile every loop on a busy machine."""


class Sweep:
    """A sweep in a process of its own."""

    def __init__(self, results: Path, *words: str, variables: Mapping[str, str] | None = None) -> None:
        self.results = results
        self._began = time.time()
        self._errors = results.parent / f"{results.name}-{time.monotonic_ns()}.err"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", WITHOUT_REPORT, "-m", *WORDS, *words, f"results_dir={results}"],
                cwd=ROOT,
                stdout=errors,
                stderr=errors,
                env=os.environ | dict(variables or {}),
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Return what the sweep has printed so far."""
        return self._errors.read_text()

    def wait_for(self, condition: Callable[[], object]) -> bool:
        """Wait until a condition holds; return False if the sweep ends before."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return True

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        try:
            return self.process.wait(SECONDS)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """Press Ctrl-C: every process of the terminal's group gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints that this sweep has saved."""
        return self._written("jobs/*/checkpoint.pt")

    def workers(self) -> list[Path]:
        """Return the files of this sweep's workers that have begun a job."""
        return self._written("jobs/workers/*.json")

    def _written(self, pattern: str) -> list[Path]:
        found = []
        for path in self.results.glob(pattern):
            # Another process may have removed it meanwhile.
            with suppress(OSError):
                if path.stat().st_mtime > self._began:
                    found.append(path)
        return found


def attempts(results: Path) -> Counter[tuple[str, int]]:
    """Return how many runs have each status and number of attempts."""
    store = Store(results)
    records = [record for key in store.run_keys() if (record := store.read_record(key))]
    return Counter((record.status, record.attempt) for record in records)


def times_stored(results: Path) -> Counter[str]:
    """Return how many times each run was stored as complete, by the jobs' logs."""
    logs = "".join(path.read_text() for path in results.glob("jobs/*/job.log"))
    return Counter(re.findall(r"Stored (\S+ seed \d+): complete", logs))


class Interrupts:
    """Ways to interrupt a sweep; each returns once the sweep is over."""

    def __init__(self, start: Callable[..., Sweep]) -> None:
        self._start, self._moments = start, random.Random(0)

    def early(self, sweep: Sweep) -> None:
        sweep.wait_for(lambda: list(sweep.results.glob("jobs/sweeps/*.json")))
        time.sleep(self._moments.uniform(0, 8))
        self._ctrl_c(sweep)

    def as_a_worker_starts(self, sweep: Sweep) -> None:
        sweep.wait_for(sweep.workers)
        time.sleep(self._moments.uniform(0, 2))
        self._ctrl_c(sweep)

    def late(self, sweep: Sweep) -> None:
        self._training(sweep)
        self._ctrl_c(sweep)

    def twice(self, sweep: Sweep) -> None:
        self._training(sweep)
        if sweep.process.poll() is None:
            sweep.interrupt()
            time.sleep(0.1)
        self._ctrl_c(sweep)

    def _training(self, sweep: Sweep) -> None:
        sweep.wait_for(sweep.checkpoints)
        time.sleep(self._moments.uniform(0, 2))

    def _ctrl_c(self, sweep: Sweep) -> None:
        if sweep.process.poll() is None:
            sweep.interrupt()
        assert sweep.end() in (0, 130), sweep.said


def interrupted_sweeps(
    number: int,
    ways: Sequence[Callable[[Sweep], None]],
    start: Callable[..., Sweep],
    is_empty: Callable[[], bool],
    folder: Path,
) -> list[Path]:
    """Interrupt sweeps in every way, one after the other; return the results directories, all complete.

    A sweep goes on from the one before until all of its runs are stored. No run may count an attempt
    for it, and no job may be left.
    """
    began, results = time.monotonic(), folder / "00"
    for count in range(number):
        if results.exists() and len(stored_bytes(results)) == RUNS:
            results = folder / f"{count:02d}"
        way = ways[count % len(ways)]
        sweep = start(results=results)
        way(sweep)
        assert is_empty(), way.__name__
        assert set(attempts(results)) <= {("complete", 1)}, (way.__name__, attempts(results))
        stored, passed = len(stored_bytes(results)), time.monotonic() - began
        status = sweep.process.returncode
        print(f"{way.__name__}: exit status {status}, {stored} runs, {passed:.0f} s", flush=True)
    for one in (found := sorted(folder.glob("[0-9][0-9]"))):
        last = start(results=one)
        assert last.end() == 0, last.said
    return found


def runs_of_a_local_sweep(results: Path) -> dict[Any, Any]:
    """Return the runs that an undisturbed sweep on this machine stores."""
    sweep = Sweep(results, "launch.jobs=2")
    assert sweep.end() == 0, sweep.said
    found = stored_bytes(results)
    assert len(found) == RUNS
    return found


def assert_equal_to(local: dict[Any, Any], results: Path) -> None:
    """Check that results are those of an undisturbed sweep, every run stored once."""
    assert stored_bytes(results) == local
    assert set(times_stored(results).values()) == {1}
