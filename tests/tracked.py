"""Made-up runs to track: tables of odd numbers, and a store of a small study."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import wandb
from wandb.util import get_core_path

from ablation.store.files import write_json
from ablation.store.records import LaneRecords, Row
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import Plan

from .analysis_helpers import resolve
from .studies import STUDY

ROOT = Path(__file__).parent.parent
ODD = (0.1, 1 / 3, -0.0, 1e-310, 1.2345678901234567e300, 2.0, -5e-324, 123456789.123456789)
"""Numbers that a careless copy changes."""


def tables(seed: int, periods: int = 4, episodes: int = 3) -> dict[str, list[Row]]:
    """Return the rows of a run that stopped between two evaluations, no two runs alike."""
    random = np.random.default_rng(seed)
    record = LaneRecords()
    for period in range(1, periods + 1):
        step = 100 * period
        for number in range(episodes):
            clock = {"env_step": step - 50 + number, "gradient_step": step - 60}
            place = {"episode": len(record.episodes), "episode_return": float(random.choice(ODD))}
            end = {"episode_length": 9, "terminated": bool(number % 2), "truncated": not number % 2}
            record.episodes.append(clock | place | end)
        for at in (step - 50, step):
            values = dict(zip("abc", random.standard_normal(3).tolist(), strict=True))
            record.learner.append({"env_step": at, "gradient_step": at - 10} | values)
        if period < periods:
            for number in range(2):
                clock = {"env_step": step, "gradient_step": step - 10, "episode": number}
                value = {"episode_return": float(random.normal(seed)), "episode_length": 7}
                record.evaluations.append(clock | value)
    return record.tables()


KEY = RunKey("cell", 0)


def record(
    seed: int, status: str = "complete", attempt: int = 1, key: RunKey = KEY, **changes: Any
) -> RunRecord:
    values = {
        "cell": key.cell,
        "seed": key.seed,
        "status": status,
        "config": {"env": {"id": "CartPole-v1"}, "agent": {"learning_rate": 1e-3, "batch_size": seed}},
        "error": "Traceback\nValueError: the last line" if status == "failed" else None,
        "attempt": attempt,
        "env_steps": 400,
        "gradient_steps": 390,
        "steps_per_second": 1234.5678,
        "peak_rss_bytes": 200_000_000,
        "device": "cpu",
        "started": "2026-01-01T00:00:00+00:00",
        "ended": "2026-01-01T00:01:00+00:00",
    }
    return RunRecord(**values | changes)


def made_store(root: Path, seeds: int = 2) -> Plan:
    """Fill a store with a study of four arms, one of its runs failed and one missing."""
    store = Store(root)
    plan = expand(parse_study(STUDY | {"seeds": seeds}), resolve)
    write_json(store.study_directory("s") / "plan.json", plan.as_json())
    keys = list(plan.runs())
    for number, key in enumerate(keys[:-1]):
        status = "failed" if number == 1 else "complete"
        periods = 2 if status == "failed" else 4
        stored = record(number, status, key=key, config=plan.cells[key.cell])
        store.write_run(stored, tables(number, periods))
    return plan


def python(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a module of ours in a process of its own, with no W&B settings but the given ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    clean |= {"NETRC": os.devnull} | (environment or {})
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500, env=clean,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def begun_sync(results: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Begin to upload a results directory, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    command = [sys.executable, "-m", "ablation", "sync", "--results", str(results)]
    quiet, clean = subprocess.DEVNULL, clean | {"NETRC": os.devnull} | environment
    return subprocess.Popen(command, cwd=ROOT, env=clean, stdin=quiet, stdout=quiet, stderr=quiet)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def analysis(*words: str, environment: dict[str, str] | None = None) -> Done:
    """Run a command that reads the store in this process, with no W&B settings but the given ones."""
    from ablation.__main__ import main

    # Of a service that the client runs, nothing is left after `teardown`.
    before = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    out, err = io.StringIO(), io.StringIO()
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        del os.environ[name]
    os.environ |= {"NETRC": os.devnull} | (environment or {})
    # The client reads its settings once; it is to read these.
    wandb.teardown()
    try:
        with redirect_stdout(out), redirect_stderr(err), patch("sys.argv", ["replay-ablation", *words]):
            main()
    except SystemExit as end:
        return Done(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        wandb.teardown()
        os.environ.clear()
        os.environ |= before
    raise AssertionError("the command did not end")


def offline_rows(path: Path) -> list[dict[str, Any]]:
    """Return the history that a local W&B directory holds, read by W&B's own reader."""
    (log,) = path.glob("*.wandb")
    # What `wandb leet inspect` starts, without its start-up and without telemetry.
    command = [get_core_path(), "leet", "inspect", "-json", "-no-observability", "-run-file", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [found["history"]["item"] for found in records if found["type"] == "history"]
    return [{name: value for name, value in row.items() if name[0] != "_"} for row in rows]
