"""Starts the workers of a sweep and waits for them: on this machine, or by one of Hydra's launchers.

A launcher is given names of workers and returns how each ended (`WorkerExit`). Another kind of cluster
is another class with these two methods.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher

from ablation.sweep.hydra_words import as_word
from ablation.sweep.ray_cluster import connect
from ablation.sweep.supervisor import WorkerExit, keep_working


class WorkerLauncher(Protocol):
    """Runs supervised workers to their end."""

    def run(self, root: Path, sweep: str, names: Sequence[str]) -> list[WorkerExit]:
        """Run a worker of each name; raise what keeps them from being started."""

    def stop(self) -> None:
        """Ask supervisors that do not see the sweep's stop file to end; called by a signal's handler."""


class LocalLauncher:
    """Workers of this machine: each a process, watched by a thread of the sweep's own process."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def run(self, root: Path, sweep: str, names: Sequence[str]) -> list[WorkerExit]:
        """Run a worker of each name."""
        with ThreadPoolExecutor(len(names)) as pool:
            ends = [pool.submit(keep_working, root, sweep, name, self._asked) for name in names]
            wait(ends)
            return [end.result() for end in ends]

    def stop(self) -> None:
        """Ask the supervisors to end."""
        self._asked.set()


class HydraLauncher:
    """Workers started by a launcher of Hydra's, with the settings of the command line in `words`."""

    def __init__(self, launcher: Launcher, words: Sequence[str]) -> None:
        self._launcher, self._words = launcher, words

    def run(self, root: Path, sweep: str, names: Sequence[str]) -> list[WorkerExit]:
        """Run a worker of each name."""
        connect(self._launcher)
        returned = self._launcher.launch([self._settings(root, sweep, name) for name in names], 0)
        return [job.return_value for job in returned]

    def stop(self) -> None:
        """Do nothing: the supervisors see the stop file."""

    def _settings(self, root: Path, sweep: str, name: str) -> list[str]:
        own = {"results_dir": str(root), "worker.name": name, "worker.sweep": sweep}
        own["worker.project"] = str(Path.cwd())
        return [*self._words, *(as_word(key, value) for key, value in own.items())]


def launcher_of(configured: Launcher, words: Sequence[str]) -> WorkerLauncher:
    """Return our own local launcher, unless another than Hydra's default is configured."""
    if isinstance(configured, BasicLauncher):
        return LocalLauncher()
    return HydraLauncher(configured, words)
