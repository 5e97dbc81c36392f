"""SIGKILL at random moments of a sweep: what is stored in the end is as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ablation.store import TABLES, Store

ROOT = Path(__file__).parent.parent
KILLS = 20
WORDS = [
    "-m",
    "replay=uniform,rank",
    "env=acrobot",
    "study.seeds=3",
    "train.env_steps=6000",
    "train.evaluate_every=300",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[32]",
    "replay.n_step=3",
    "launch.jobs=2",
    "launch.checkpoint_seconds=0",
    "tracking=disabled",
]


def _sweep(results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ablation", *WORDS, f"results_dir={results}"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True)


def _stored(results: Path) -> dict[Any, Any]:
    store = Store(results)
    return {
        key: [store.read_table(key, name).to_pylist() for name in TABLES] for key in store.run_keys()
    }


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_stores_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    began = time.monotonic()
    assert _sweep(undisturbed).wait(600) == 0
    length = time.monotonic() - began
    expected = _stored(undisturbed)
    assert len(expected) == 6
    moments, kills, resumed = random.Random(0), 0, 0
    while kills < KILLS:
        process = _sweep(disturbed)
        try:
            process.wait(moments.uniform(0.1, 0.9) * length)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            # It came to its end between two kills: look, and begin anew.
            assert _stored(disturbed) == expected
            shutil.rmtree(disturbed)
        resumed += any(
            json.loads(path.read_text())["resumed_at"] > 0
            for path in disturbed.glob("jobs/*/progress.json")
        )
    assert _sweep(disturbed).wait(600) == 0
    assert _stored(disturbed) == expected
    assert not list(disturbed.glob("jobs/*/*checkpoint.pt*"))
    assert resumed > KILLS / 4, "the kills must hit runs that go on from a checkpoint"
