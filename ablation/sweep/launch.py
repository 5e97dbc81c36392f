"""What every launcher is: given names of workers, it returns how each ended (`WorkerExit`).

Another kind of cluster is another class with these methods, and a line in `launchers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ablation.sweep.supervisor import WorkerExit


@dataclass(frozen=True)
class Launch:
    """What workers are started for: a store, a sweep, their names, and the memory of each in bytes."""

    root: Path
    sweep: str
    names: Sequence[str]
    worker_bytes: int


class WorkerLauncher(Protocol):
    """Runs supervised workers to their end."""

    def run(self, launch: Launch) -> list[WorkerExit]:
        """Run a worker of each name; raise what keeps them from being started."""

    def stop(self) -> str:
        """Ask workers that do not see the sweep's stop file to end; called by a signal's handler.

        Returns a line for the user, if there is something to say.
        """

    def state(self) -> str:
        """Return a line that says where workers stand, such as jobs that wait for a node."""
