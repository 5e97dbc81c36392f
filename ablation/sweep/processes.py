"""Identifies processes although their numbers are reused, and ends them with their parents."""

from __future__ import annotations

import math
import os
import platform
import threading
import time
from contextlib import suppress
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


def usable_cores(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many cores this process may use: its affinity, less where a container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        # Its first word is "max" where there is no quota.
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(cores, 1)


@cache
def exit_when_orphaned() -> None:
    """End this process, now or at any later time, soon after the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def exit_with_parent(parent: int) -> None:
    """End this process at once when `parent`, at the other end of its standard input, is gone."""
    if os.getppid() != parent:
        os._exit(EXIT_ORPHANED)

    def watch() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
