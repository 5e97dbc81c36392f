"""Provenance of a run's numbers: versions, commit, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "replay-ablation",
    "torch",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "gymnasium",
    "ale-py",
    "minatar",
    "hydra-core",
    "wandb",
    "pyarrow",
)

FEATURES = ("fma", "avx", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "asimd")
"""What decides which kernels numerical libraries choose, of a processor's features."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, packages and C library that decide a run's numbers and files."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    library, release = platform.libc_ver()
    return installed | ({library: release} if library else {})


@cache
def processor() -> dict[str, Any]:
    """Return the processor's `name`, its `architecture` and those of `FEATURES` that it has."""
    said = _cpuinfo()
    has = {*said.get("flags", "").split(), *said.get("Features", "").split()}
    return {
        "name": said.get("model name") or platform.processor() or "unknown",
        "architecture": platform.machine(),
        "features": [feature for feature in FEATURES if feature in has],
    }


def has_fused_multiply_add() -> bool:
    """Return whether this is an x86-64 processor with FMA, for which numbers are promised."""
    mine = processor()
    return mine["architecture"] in ("x86_64", "AMD64") and "fma" in mine["features"]


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first core; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = [line.partition(":") for line in lines]
    return {name.strip(): value.strip() for name, _, value in pairs}


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
