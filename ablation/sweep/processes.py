"""Identifies processes although their numbers are reused, and ends them with their parents."""

from __future__ import annotations

import math
import os
import platform
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

EXIT_ORPHANED = 4
_POLL_SECONDS = 0.3


@cache
def machine_id() -> str:
    """Return a name for this machine since its last boot, and for its space of process numbers."""
    parts = [platform.node()]
    # psutil knows neither; its boot time moves with the clock.
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def start_time(pid: int) -> str | None:
    """Return when a process of this machine was started, in seconds since boot; None if it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        # The clock may be set between two calls; the time since boot stays.
        return f"{process.create_time() - psutil.boot_time():.2f}"
    except psutil.Error:
        return None


@dataclass(frozen=True)
class Process:
    """A process of some machine, told apart from later ones of its number by when it was started."""

    machine: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return a process of this machine."""
        return cls(machine_id(), pid, start_time(pid) or "")

    @property
    def is_here(self) -> bool:
        """Return whether it is one of this machine, in this space of process numbers."""
        return self.machine == machine_id()

    @property
    def runs(self) -> bool:
        """Return whether a process of this machine has not ended."""
        return self.started != "" and start_time(self.pid) == self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.partition(' ')[0]}"


def usable_cores(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many cores this process may use: its affinity, less where a container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        # Its first word is "max" where there is no quota.
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(cores, 1)


@cache
def exit_when_orphaned(parent: int | None = None) -> None:
    """End this process, now or at any later time, soon after the one that started it is gone.

    `parent` is what that one was: it may be gone by now.
    """
    started_by = os.getppid() if parent is None else parent

    def watch() -> None:
        while os.getppid() == started_by:
            time.sleep(_POLL_SECONDS)
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def end_group(leader: int) -> None:
    """End what a process that led a group has started, itself included, whatever it is."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_with_parent(parent: int) -> None:
    """End this process and its group when `parent`, at the other end of its standard input, is gone."""

    def watch() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter ends.
        while os.getppid() == parent and os.read(0, 1):
            pass
        end_group(os.getpid())
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
