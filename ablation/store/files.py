"""Files that are written whole or not at all, and safely on the disk before they have their name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4


def temporary(path: Path) -> Path:
    """Return a name next to a path that no other process on any host has, at any time."""
    return path.with_name(f".{path.name}.{uuid4().hex}")


def write_json(path: Path, values: Any, durable: bool = True) -> None:
    """Write values as JSON such that the file is either the old or the new one, never a part.

    One that is not `durable`, such as progress, may be lost with the power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = temporary(path)
    try:
        tmp.write_text(json.dumps(values, indent=1, sort_keys=False) + "\n", encoding="utf-8")
        if durable:
            put_in_place(tmp, path)
        else:
            tmp.replace(path)
    except BaseException:
        tmp.unlink(missing_ok=True)
        raise


def read_json(path: Path | str) -> Any:
    """Return a JSON file's values, or None where there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    # A file that is not ours may be nested without end.
    except (OSError, ValueError, RecursionError):
        return None


def put_in_place(tmp: Path, path: Path, check: Callable[[], object] = lambda: None) -> None:
    """Rename a file, or a directory of files, once it is on the disk; then its new name is, too.

    It takes the place of what has the name. `check` is called right before, and may raise.
    """
    for part in (*(tmp.iterdir() if tmp.is_dir() else ()), tmp):
        flush(part)
    check()
    earlier = temporary(path)
    if tmp.is_dir() and path.exists():
        path.rename(earlier)
    tmp.replace(path)
    flush(path.parent)
    shutil.rmtree(earlier, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until a file is on the disk, or a directory where its file system can tell."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)
