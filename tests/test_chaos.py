"""Two sweeps struck at random moments: what is stored in the end is as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ablation.store.runs import Store
from ablation.tracking.runs import wandb_id
from analysis.wandb.upload import ended_run

from . import tracked
from .chaos import ROOT, Victims, remove_foreign, small_disk
from .sweeps import stored_bytes
from .wandb_server import LoopbackServer

STRIKES = int(os.environ.get("STRIKES", "100"))
LONGEST = 1 / 6
"""Of the time of an undisturbed sweep: the longest wait before a strike."""
KINDS = {
    "worker": 30,
    "supervisor": 5,
    "sweep": 10,
    "start": 15,
    "pause": 20,
    "clock": 5,
    "disk": 5,
    "foreign": 5,
    "syncs": 5,
}
"""What is done, and how often."""
RUNS = 40
WORDS = [
    "-m",
    "replay=recent,uniform,proportional,rank",
    "agent.batch_size=16,32",
    # Restored by repeating its actions, as any Gymnasium environment.
    "env.backend=gymnasium",
    "study.seeds=5",
    "train.env_steps=2400",
    "train.evaluate_every=120",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[32]",
    "replay.n_step=3",
    "replay.min_replay_size=100",
    "launch.jobs=2",
    "launch.lanes_per_job=3",
    "launch.checkpoint_seconds=0",
    # Nothing is wrong with the runs that are hit.
    "launch.max_attempts=1000",
    "tracking=disabled",
]


@pytest.mark.slow
def test_sweeps_struck_a_hundred_times_store_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "ablation",
        "sweep",
        *WORDS,
        f"results_dir={tmp_path / 'undisturbed'}",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=1200)
    length = time.monotonic() - began
    say(f"\nundisturbed: {length:.0f} s")
    expected = stored_bytes(tmp_path / "undisturbed")
    assert len(expected) == RUNS
    moments, strikes, counts, rounds = random.Random(0), Counter[str](), Counter[str](), 0
    while strikes.total() < STRIKES or rounds == 0:
        with small_disk(tmp_path / f"disk{rounds}") as mounted, LoopbackServer() as server:
            results = tmp_path / f"disk{rounds}" / "results"
            victims = Victims(WORDS, results, tmp_path / f"tools{rounds}", mounted)
            disturb(victims, moments, strikes, length, server)
            victims.finish_syncs()
            assert victims.left_behind() == []
            remove_foreign(results)
            assert stored_bytes(results) == expected
            counts += logged(results)
            assert_each_is_served_once(server, results)
        rounds += 1
    if victims.lacks:
        say(f"not here, for want of rights or libraries: {', '.join(victims.lacks)}")
    say(
        f"\n{strikes.total()} strikes ({dict(strikes)}) over {rounds} times two sweeps of {RUNS} runs "
        f"({length:.0f} s undisturbed, {time.monotonic() - began:.0f} s in all):"
        f"\n{counts['jobs']} jobs, {counts['begun']} times begun, {counts['resumed']} of them from a "
        f"checkpoint; {rounds * RUNS} runs, 0 lost, {counts['twice']} stored twice, all files "
        "bit-equal, nothing left behind"
    )
    assert counts["twice"] == 0
    assert counts["resumed"] > STRIKES / 20, "strikes must hit runs that go on from a checkpoint"


def disturb(
    victims: Victims,
    moments: random.Random,
    strikes: Counter[str],
    length: float,
    server: LoopbackServer,
) -> None:
    """Strike the sweeps until they have ended well or there were enough strikes, then let them end."""
    complete: dict[Path, int] = {}
    while not victims.restart(again=True):
        if strikes.total() < STRIKES:
            (kind,) = moments.choices(list(KINDS), list(KINDS.values()))
            # The first seconds of a sweep: imports, plan, workers that have just begun.
            time.sleep(moments.uniform(0, 2 if kind == "start" else LONGEST * length))
            strikes[victims.strike(kind, moments, server.environment)] += 1
            say(f"{strikes.total()} strikes, {kind}")
        else:
            time.sleep(0.5)
        watch(victims.results, complete)


def say(text: str) -> None:
    print(text, flush=True)


def watch(results: Path, complete: dict[Path, int]) -> None:
    """Note when each complete run was written, and that none was written again."""
    for path in results.glob("runs/*-*/[0-9]*/run.json"):
        if json.loads(path.read_text())["status"] == "complete":
            written = path.stat().st_mtime_ns
            assert complete.setdefault(path, written) == written, f"{path} was written again"


def logged(results: Path) -> Counter[str]:
    """Return what a sweep's job logs count: jobs, how often they were begun, runs stored twice."""
    logs = [path.read_text() for path in results.glob("jobs/*/job.log")]
    stores = Counter(re.findall(r"Stored (\S+ seed \d+): complete", "".join(logs)))
    return Counter(
        jobs=len(logs),
        begun=sum(log.count("trains seeds") for log in logs),
        resumed=sum(log.count("Resumes from") for log in logs),
        twice=sum(times > 1 for times in stores.values()),
    )


def assert_each_is_served_once(server: LoopbackServer, results: Path) -> None:
    """After one more sync the server has each run once, with as many lines as are right."""
    done = tracked.analysis("sync", "--results", str(results), environment=server.environment)
    assert done.returncode == 0, done.stderr
    store = Store(results)
    served = {id.partition("~")[0]: run for (_, id), run in server.runs.items()}
    assert len(served) == len(server.runs)
    for key in store.run_keys():
        assert len(served[wandb_id(key)].history) == len(ended_run(store, key).rows())
