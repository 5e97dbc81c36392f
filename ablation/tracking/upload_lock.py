"""Who may upload from a results directory: one `make sync` alone, or the jobs of online sweeps.

Whoever uploads holds a lock of the system on `results/wandb/.upload`, which ends with the process. Jobs
share it: claims keep two of them from one run.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

LOCK = ".upload"


class Busy(Exception):
    """Another process uploads from the same results directory."""


def lock_upload(root: Path, alone: bool) -> IO[bytes]:
    """Return an open file that holds the lock until it is closed; raises `Busy` at once."""
    directory = root / "wandb"
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / LOCK).open("ab")
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy(f"another process uploads the runs of {root} now") from None
    return file
