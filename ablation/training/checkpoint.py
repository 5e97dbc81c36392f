"""Saves a job's training such that it goes on, after any kill, as if nothing had happened."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ablation.config.identity import CORE_VERSION

log = logging.getLogger(__name__)

SCHEMA = 5
"""Version of a checkpoint's layout."""

NAME = "checkpoint.pt"


def save(
    directory: Path,
    cell: str,
    seeds: Sequence[int],
    state: dict[str, Any],
    arithmetic: str | None = None,
) -> None:
    """Write a checkpoint such that the file is either the old or the new one, never a part."""
    directory.mkdir(parents=True, exist_ok=True)
    tmp = directory / f".{NAME}.{os.getpid()}"
    header = _header(cell, seeds, arithmetic)
    try:
        with tmp.open("wb") as file:
            torch.save({"header": header, "state": _without_views(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        tmp.replace(directory / NAME)
    finally:
        tmp.unlink(missing_ok=True)


def load(
    directory: Path, cell: str, seeds: Sequence[int], arithmetic: str | None = None
) -> dict[str, Any] | None:
    """Return the state of a job's checkpoint, or None if there is none that can be used.

    One that is damaged, or of another version, arithmetic, cell or list of seeds, is named in a warning
    and removed: the job begins again.
    """
    path = directory / NAME
    if not path.exists():
        return None
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        header = saved["header"]
    except Exception as error:
        reason = f"cannot be read ({type(error).__name__})"
    else:
        if header == _header(cell, seeds, arithmetic):
            state: dict[str, Any] = saved["state"]
            return state
        reason = f"is of another version or job: {header}"
    log.warning("Checkpoint %s %s; its runs start again from zero.", path, reason)
    path.unlink()
    return None


def remove(directory: Path) -> None:
    """Remove a job's checkpoint, if there is one, and what killed saves left with it."""
    for path in (directory / NAME, *directory.glob(f".{NAME}.*")):
        path.unlink(missing_ok=True)


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
