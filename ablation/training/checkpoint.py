"""Saves a job's training such that it goes on, after any kill, as if nothing had happened."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ablation.config.identity import CORE_VERSION
from ablation.store.files import put_in_place, temporary

log = logging.getLogger(__name__)

SCHEMA = 6
"""Version of a checkpoint's layout."""

NAME = "checkpoint.pt"
SET_ASIDE = "unusable-checkpoint"


def save(
    directory: Path,
    cell: str,
    seeds: Sequence[int],
    state: dict[str, Any],
    arithmetic: str | None = None,
    check: Callable[[], object] = lambda: None,
) -> None:
    """Write a checkpoint such that the file is either the old or the new one, never a part.

    It ends with the SHA-256 of its bytes. `check` is called right before it is in place, and may raise.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tmp = temporary(directory / NAME)
    header = _header(cell, seeds, arithmetic)
    try:
        torch.save({"header": header, "state": _without_views(state)}, tmp)
        with tmp.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(digest)
        put_in_place(tmp, directory / NAME, check)
    finally:
        tmp.unlink(missing_ok=True)


def load(
    directory: Path, cell: str, seeds: Sequence[int], arithmetic: str | None = None
) -> dict[str, Any] | None:
    """Return the state of a job's checkpoint, or None if there is none that can be used.

    One that is damaged, or of another version, arithmetic, cell or list of seeds, is named in a warning
    and set aside: the job begins again.
    """
    path = directory / NAME
    if not path.exists():
        return None
    try:
        _check_digest(path)
        # What follows the archive, the hash, is not read.
        saved = torch.load(path, map_location="cpu", weights_only=True)
        header = saved["header"]
    except Exception as error:
        reason = f"cannot be read ({type(error).__name__}: {error})"
    else:
        if header == _header(cell, seeds, arithmetic):
            state: dict[str, Any] = saved["state"]
            return state
        reason = f"is of another version or job: {header}"
    set_aside(directory, reason)
    return None


def set_aside(directory: Path, reason: str) -> None:
    """Rename a checkpoint that cannot be used, and say why."""
    path = directory / NAME
    log.warning("Checkpoint %s %s; it is set aside, its runs start again from zero.", path, reason)
    path.replace(directory / SET_ASIDE)


def remove(directory: Path) -> None:
    """Remove a job's checkpoint, if there is one, and what killed saves left with it."""
    for path in (directory / NAME, *directory.glob(f".{NAME}.*")):
        path.unlink(missing_ok=True)


def _check_digest(path: Path) -> None:
    digest, left = hashlib.sha256(), path.stat().st_size - hashlib.sha256().digest_size
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        if file.read() != digest.digest():
            raise ValueError("its bytes are not those of its hash")


def _without_views(value: Any) -> Any:
    """Clone the tensors that are views: `torch.save` would write their whole storage."""
    if isinstance(value, dict):
        return {key: _without_views(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_views(part) for part in value)
    if isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes:
        return value.clone()
    return value


def _header(cell: str, seeds: Sequence[int], arithmetic: str | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "core_version": CORE_VERSION,
        "torch": str(torch.__version__),
        "arithmetic": arithmetic,
        "cell": cell,
        "seeds": list(seeds),
    }
