"""Provenance of a run's numbers: versions, commit, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("replay-ablation", "torch", "numpy", "gymnasium", "hydra-core", "wandb", "pyarrow")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a run's numbers and files."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


@cache
def git_state() -> dict[str, Any]:
    """Return the commit of this code and whether it was changed since; None where git cannot say."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": None if changes is None else bool(changes)}


def peak_rss_bytes() -> int:
    """Return the largest memory this process has held, its earlier jobs included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
