"""Whether the results directory can be written to: before a sweep, and after a failed write."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_PROBE_BYTES = 1 << 20


class DiskFull(Exception):
    """The disk of the results directory is full; complete runs are intact, the rest can be resumed."""


class ResultsRemoved(Exception):
    """The results directory was removed while a sweep wrote to it."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"results_dir = {root}: was removed during the sweep; start the sweep again")


def check_writable(directory: Path) -> None:
    """Make the directory and write a little into it; raises `OSError` where that fails."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def write_error(directory: Path) -> str:
    """Return what the system says of writes to a directory in which one has failed."""
    try:
        check_writable(directory)
    except OSError as error:
        return error.strerror or str(error)
    return "a write failed"


def free_bytes(directory: Path) -> int:
    """Return the bytes that can still be written below a directory that exists."""
    return shutil.disk_usage(directory).free


def means_disk_full(error: BaseException) -> bool:
    """Return whether an error says itself that a disk is full or cannot be written to."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def is_disk_full(error: BaseException, directory: Path) -> bool:
    """Return whether an error comes from a full disk, or one that cannot be written to (any more)."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DiskFull) or means_disk_full(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    try:
        check_writable(directory)
    except OSError:
        return True
    return False
