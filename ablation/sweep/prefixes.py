"""The states that runs leave at the steps of their forks; each stays until its forks are stored.

    results/forks/<cell>/<step>/<seed>/checkpoint.pt   a parent's run after this step, one seed alone

Forks find them whatever the jobs were in which the seeds were trained together. One that is missing
costs time and nothing else: the fork's job trains its parent's steps once more.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ablation.store.run_record import ENDED
from ablation.store.runs import RunKey, Store
from ablation.study.plan import Plan
from ablation.sweep.interrupts import Stop, Stopped

log = logging.getLogger(__name__)

State = Mapping[str, Any]


def fork_steps(plan: Plan, cells: Sequence[str]) -> dict[str, list[int]]:
    """Return the steps at which some cells of a plan fork, by their parent's cell, in order."""
    steps: dict[str, set[int]] = {}
    for name in cells:
        if fork := plan.cells[name].get("fork"):
            steps.setdefault(fork["parent"], set()).add(fork["at"])
    return {parent: sorted(own) for parent, own in steps.items()}


def leave(
    store: Store,
    keys: Sequence[RunKey],
    state: State,
    arithmetic: str | None,
    check: Callable[[], object],
) -> None:
    """Keep the state of a parent's runs at the step of a fork, each run's apart."""
    from ablation.training import checkpoint
    from ablation.training.fork import can_be_split, lane_of

    if not can_be_split(state):
        return
    for lane, key in enumerate(keys):
        directory = _directory(store, key, state["env_step"])
        if not (directory / checkpoint.NAME).exists():
            alone = lane_of(state, lane)
            checkpoint.save(directory, key.cell, [key.seed], alone, arithmetic, check)


def latest(
    store: Store, keys: Sequence[RunKey], at: int, arithmetic: str | None
) -> dict[str, Any] | None:
    """Return the last state until a step that is kept of all these runs of one cell, if there is any."""
    steps = [int(path.name) for path in (store.root / "forks" / keys[0].cell).glob("[0-9]*")]
    for step in sorted((step for step in steps if step <= at), reverse=True):
        state = _kept(store, keys, step, arithmetic)
        if state is not None:
            return state
    return None


@contextmanager
def one_at_a_time(store: Store, key: RunKey, stop: Stop) -> Iterator[None]:
    """Let one process train the steps before forks of a run; others wait, and find what it left."""
    directory = store.inside(store.root / "locks")
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / f".fork.{key.cell}.{key.seed_name}")
    while not lock.is_locked:
        if stop.requested:
            raise Stopped
        with suppress(Timeout):
            lock.acquire(timeout=1)
    try:
        yield
    finally:
        lock.release()


def remove_used(store: Store, plan: Plan) -> None:
    """Remove the states that no fork of a plan needs any more: all of their forks have ended."""
    needed: dict[tuple[str, int, int], bool] = {}
    for arm in plan.arms:
        fork = plan.cells[arm.cell].get("fork", {})
        for seed in arm.seeds if fork else ():
            record = store.read_record(RunKey(arm.cell, seed))
            place = fork["parent"], fork["at"], seed
            waits = record is None or record.status not in ENDED
            needed[place] = needed.get(place, False) or waits
    for (parent, at, seed), still in needed.items():
        if not still:
            directory = _directory(store, RunKey(parent, seed), at)
            shutil.rmtree(directory, ignore_errors=True)
            with suppress(OSError):
                for above in list(directory.parents)[:3]:
                    above.rmdir()


def _kept(
    store: Store, keys: Sequence[RunKey], step: int, arithmetic: str | None
) -> dict[str, Any] | None:
    from ablation.training import checkpoint
    from ablation.training.fork import joined

    states: list[State] = []
    for key in keys:
        directory, state = _directory(store, key, step), None
        # Another sweep may remove it meanwhile.
        with suppress(OSError):
            state = checkpoint.load(directory, key.cell, [key.seed], arithmetic)
        if state is None:
            return None
        states.append(state)
    try:
        return dict(joined(states))
    except (ValueError, KeyError) as error:
        log.warning("States of %s at step %d are not used together: %s", keys[0].cell, step, error)
        return None


def _directory(store: Store, key: RunKey, step: int) -> Path:
    return store.inside(store.root / "forks" / key.cell / str(step) / key.seed_name)
