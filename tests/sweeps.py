"""The command line in a process of its own, as users have it, and what it stored."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.store.runs import TABLES, RunKey, Store

from . import processes
from .processes import ROOT

WITHOUT_REPORT = "tests.sweep_without_report"
SHORT = [
    "train.env_steps=400",
    "train.evaluate_every=100",
    "train.log_every=100",
    "replay.min_replay_size=64",
    "agent.hidden_sizes=[16]",
    "launch.jobs=2",
]


def run(*arguments: str, module: str = "ablation") -> subprocess.CompletedProcess[str]:
    """Run a command, by default `sweep`, to its end, without W&B settings of the environment."""
    if module == "ablation" and "=" in arguments[0]:  # no command: a sweep
        arguments = ("sweep", *arguments)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return processes.run(sys.executable, "-m", module, *arguments, variables=variables)


def start(results: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Begin a sweep without its report in a process group of its own, with these variables set."""
    return subprocess.Popen(
        [sys.executable, "-m", WITHOUT_REPORT, "-m", *words, f"results_dir={results}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a sweep that `start` began; return its exit status and what it said of errors."""
    try:
        _, error = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, error


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[str], may_end: bool = False
) -> None:
    """Wait until a condition holds, or a sweep that `start` began ends if it `may_end`."""
    # Long enough to compile every loop on a busy machine.
    deadline = time.monotonic() + 300
    while not condition():
        if process.poll() is not None:
            assert may_end, process.communicate()
            return
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"waited in vain: {process.communicate()}")
        time.sleep(0.02)


def stored_bytes(results: Path) -> dict[RunKey, list[Any]]:
    """Return what each run is: its tables byte by byte, and what its record says of the training."""
    store = Store(results)
    found = {}
    for key in store.run_keys():
        record = store.read_record(key)
        said = [
            getattr(record, name)
            for name in ("status", "error", "config", "env_steps", "gradient_steps")
        ]
        tables = [store.run_directory(key) / f"{name}.parquet" for name in TABLES]
        found[key] = [*said, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in tables)]
    return found
