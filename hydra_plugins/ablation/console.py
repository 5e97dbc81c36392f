"""What a sweep says: what it will do, how it goes on, and how it ended."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from ablation.ledger import Ledger
from ablation.store import Store, read_json
from ablation.study import Plan
from hydra_plugins.ablation.jobs import PlannedJob

LIVE_SECONDS = 0.5
PLAIN_SECONDS = 15.0

console = Console(stderr=True, highlight=False)
if not console.is_terminal:
    # Nothing to fit into: better long lines than cut ones.
    console = Console(stderr=True, highlight=False, width=160)


def announce(plan: Plan, ledger: Ledger) -> None:
    """Print the size of the study and how much of it is already there."""
    runs = len(ledger.statuses)
    console.print(
        f"Study [bold]{plan.study.name}[/]: {len(plan.arms)} arms x {len(plan.study.seeds)} seeds, "
        f"{len(plan.cells)} cells, {runs} runs (plan {plan.hash})"
    )
    for merged in plan.merged:
        console.print(f"  merged: {merged.name} {merged.reason}", style="dim")
    if ledger.to_do:
        console.print(f"{runs - len(ledger.to_do)} complete, {len(ledger.to_do)} to train")
    else:
        console.print(f"All {runs} runs are complete: nothing to train.")


def conclude(plan: Plan, ledger: Ledger, store: Store) -> int:
    """Name what did not complete, write the report, and return the exit status."""
    from analysis.comparability import ASPECTS
    from analysis.report import write_report

    for cell in dict.fromkeys(key.cell for key in ledger.to_do):
        keys = [key for key in ledger.to_do if key.cell == cell]
        for status in dict.fromkeys(ledger.statuses[key] for key in keys):
            hit = [key for key in keys if ledger.statuses[key] == status]
            error = (ledger.errors.get(hit[0]) or "did not end").strip().splitlines()[-1]
            seeds = ", ".join(str(key.seed) for key in hit)
            console.print(f"[red]{status}[/] {cell} seeds {seeds}: {error}", soft_wrap=True)
    if ledger.to_do:
        console.print(f"Logs: {store.root / 'jobs'}", soft_wrap=True)
    # What differs between stored runs is said in the report; it must not keep a sweep from ending well.
    report = write_report(store.root, plan.study.name, allowed=ASPECTS)
    console.print(f"Report: {report}", soft_wrap=True)
    return 1 if ledger.to_do else 0


class Progress:
    """A context in which the jobs' progress files are watched and shown.

    A live table on a terminal, a line now and then elsewhere.
    """

    def __init__(self, jobs: Sequence[PlannedJob], store: Store) -> None:
        self._jobs = jobs
        self._paths = [store.job_directory(planned.job.name) / "progress.json" for planned in jobs]
        self._started = time.perf_counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)
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
        return [read_json(path) or {} for path in self._paths]

    def _summary(self, progress: Sequence[dict[str, Any]]) -> str:
        total = sum(job.env_steps * len(job.job.seeds) for job in self._jobs)
        done = sum(found["env_step"] * found["lanes"] for found in progress if found)
        ended = [found for found in progress if found and found["env_step"] == found["env_steps"]]
        elapsed = time.perf_counter() - self._started
        rate = done / elapsed
        left = _duration((total - done) / rate) if done else "unknown"
        return (
            f"{len(ended)}/{len(self._jobs)} jobs, "
            f"{sum(found['lanes'] for found in ended)}/{sum(len(j.job.seeds) for j in self._jobs)} "
            f"runs, {done / total:.0%}, {rate:,.0f} lane steps/s, "
            f"{_duration(elapsed)} passed, {left} left"
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
