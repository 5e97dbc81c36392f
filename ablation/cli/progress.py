"""Progress of a sweep on the terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table

from ablation.cli.console import console
from ablation.store.files import read_json
from ablation.store.runs import Store
from ablation.sweep.scheduling import ScheduledJob

LIVE_SECONDS = 0.5


PLAIN_SECONDS = 15.0


class Progress:
    """A context in which the jobs' progress files are watched and shown.

    A live table on a terminal, a line now and then elsewhere.
    """

    def __init__(self, jobs: Sequence[ScheduledJob], store: Store) -> None:
        self._jobs = jobs
        self._paths = [store.job_directory(planned.job.name) / "progress.json" for planned in jobs]
        self._started = time.perf_counter()
        self._since = time.time()
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
        while not self._stop.wait(PLAIN_SECONDS):
            print(self._summary(self._read()), file=sys.stderr, flush=True)
        print(self._summary(self._read()), file=sys.stderr, flush=True)

    def _read(self) -> list[dict[str, Any]]:
        return [self._read_one(path) for path in self._paths]

    def _read_one(self, path: Path) -> dict[str, Any]:
        """Return a job's progress, unless it is that of an earlier sweep."""
        try:
            return (read_json(path) or {}) if path.stat().st_mtime >= self._since else {}
        except OSError:
            return {}

    def _summary(self, progress: Sequence[dict[str, Any]]) -> str:
        total = sum(job.env_steps * len(job.job.seeds) for job in self._jobs)
        done = sum(found["env_step"] * found["lanes"] for found in progress if found)
        ended = [found for found in progress if found and found["env_step"] == found["env_steps"]]
        elapsed = time.perf_counter() - self._started
        rate = done / elapsed
        left = duration((total - done) / rate) if done else "unknown"
        return (
            f"{len(ended)}/{len(self._jobs)} jobs, "
            f"{sum(found['lanes'] for found in ended)}/{sum(len(j.job.seeds) for j in self._jobs)} "
            f"runs, {done / total:.0%}, {rate:,.0f} lane steps/s, "
            f"{duration(elapsed)} passed, {left} left"
        )

    def _table(self, progress: Sequence[dict[str, Any]]) -> Group:
        table = Table(box=None)
        for heading in ("arm", "seeds", "done", "lane steps/s"):
            table.add_column(heading, justify="left" if heading == "arm" else "right")
        for found in progress:
            if found and found["env_step"] < found["env_steps"]:
                rate = found["env_step"] * found["lanes"] / max(found["seconds"], 1e-9)
                share = found["env_step"] / found["env_steps"]
                table.add_row(found["arm"], str(found["lanes"]), f"{share:.0%}", f"{rate:,.0f}")
        return Group(table, self._summary(progress))


def duration(seconds: float) -> str:
    """Return a time in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
