"""Which process is which: names that outlive a reused process number, and the end of a parent."""

from __future__ import annotations

import os
import platform
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_STATE, _STARTED = 0, 19
"""Fields of /proc/<pid>/stat after the name, which may itself hold spaces: state, start time."""

EXIT_ORPHANED = 4
_POLL_SECONDS = 0.3


@cache
def machine() -> str:
    """Return a name for this machine since it was started, and for its space of process numbers."""
    parts = [platform.node(), _read(Path("/proc/sys/kernel/random/boot_id"))]
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(part for part in parts if part)


def started(pid: int) -> str | None:
    """Return when a process of this machine was started, or None if it is not running (any more).

    The unit is the system's own; where the system does not tell, it is empty for a running process.
    """
    text = _read(Path(f"/proc/{pid}/stat"))
    if text:
        fields = text.rpartition(")")[2].split()
        return None if fields[_STATE] in "ZX" else fields[_STARTED]
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


@cache
def exit_when_orphaned() -> None:
    """End this process, now or at any later time, soon after the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def exit_with_parent() -> None:
    """End this process at once when the one at the other end of its standard input is gone."""

    def watch() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, daemon=True).start()


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
