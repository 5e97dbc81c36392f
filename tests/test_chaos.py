"""SIGKILL at random moments of a sweep: what is stored in the end is as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from .sweeps import stored_bytes

ROOT = Path(__file__).parent.parent
KILLS = 100
LONGEST = 1 / 6
"""Of the time of an undisturbed sweep: the longest wait before a kill."""
STARTING = 0.4
"""Of the kills: the share that does not wait until something is being trained."""
RUNS = 40
WORDS = [
    "-m",
    "replay=recent,uniform,proportional,rank",
    "agent.batch_size=16,32",
    # Restored by repeating its actions, as any Gymnasium environment.
    "env.backend=gymnasium",
    "study.seeds=5",
    "train.env_steps=600",
    "train.evaluate_every=30",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[32]",
    "replay.n_step=3",
    "replay.min_replay_size=100",
    "launch.jobs=2",
    "launch.lanes_per_job=3",
    "launch.checkpoint_seconds=0",
    # Nothing is wrong with the runs that are hit.
    f"launch.max_attempts={KILLS}",
    "tracking=disabled",
]


def sweep(results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ablation", "sweep", *WORDS, f"results_dir={results}"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True)


def victims(session: int) -> dict[str, list[int]]:
    """Return the processes of a sweep by what they are: workers, supervisors that started them."""
    parents, workers = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            parents[int(path.name)] = int(fields[1])
            if b"work" in words:
                workers.append(int(path.name))
    return {"worker": workers, "supervisor": sorted({parents[pid] for pid in workers} & set(parents))}


def strike(process: subprocess.Popen[bytes], moments: random.Random) -> str:
    """Kill a worker, a supervisor or everything; return which."""
    kind = moments.choices(["worker", "supervisor", "sweep"], [8, 1, 1])[0]
    found = victims(process.pid).get(kind)
    if not found:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "sweep"
    with suppress(ProcessLookupError):
        os.kill(moments.choice(found), signal.SIGKILL)
    return kind


@pytest.mark.slow
def test_a_sweep_killed_a_hundred_times_stores_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    began = time.monotonic()
    assert sweep(tmp_path / "undisturbed").wait(1200) == 0
    length = time.monotonic() - began
    say(f"\nundisturbed: {length:.0f} s")
    expected = stored_bytes(tmp_path / "undisturbed")
    assert len(expected) == RUNS
    moments, kills, counts, rounds = random.Random(0), Counter[str](), Counter[str](), 0
    while kills.total() < KILLS or rounds == 0:
        results = tmp_path / f"disturbed{rounds}"
        complete: dict[Path, int] = {}
        status = None
        while status is None:
            process = sweep(results)
            while process.poll() is None:
                if kills.total() < KILLS:
                    if moments.random() > STARTING:
                        wait_until_training(process, results)
                    time.sleep(moments.uniform(0, LONGEST * length))
                    if process.poll() is None:
                        kills[strike(process, moments)] += 1
                        say(f"{kills.total()} kills, {time.monotonic() - began:.0f} s")
                else:
                    process.wait()
                watch(results, complete)
            # 1: it gave up after several launches in a row broke off before anything was trained.
            assert process.returncode <= 0 or kills.total() < KILLS
            status = None if process.returncode else 0
        assert stored_bytes(results) == expected
        counts += logged(results)
        rounds += 1
    say(
        f"\n{kills.total()} SIGKILLs ({dict(kills)}) over {rounds} sweeps of {RUNS} runs "
        f"({length:.0f} s undisturbed, {time.monotonic() - began:.0f} s in all):"
        f"\n{counts['jobs']} jobs, {counts['begun']} times begun, {counts['resumed']} of them from a "
        f"checkpoint; {rounds * RUNS} runs, 0 lost, {counts['twice']} trained twice, all files bit-equal"
    )
    assert counts["twice"] == 0
    assert counts["resumed"] > KILLS / 10, "the kills must hit runs that go on from a checkpoint"


def say(text: str) -> None:
    print(text, flush=True)


def wait_until_training(process: subprocess.Popen[bytes], results: Path) -> None:
    """Return when a worker of the sweep has begun a job, or the sweep has ended."""
    while process.poll() is None:
        for pid in victims(process.pid)["worker"]:
            for path in results.glob("jobs/*/job.log"):
                if f"Process {pid} trains" in path.read_text():
                    return
        time.sleep(0.1)


def watch(results: Path, complete: dict[Path, int]) -> None:
    """Note when each complete run was written, and that none was written again."""
    for path in results.glob("runs/*/[0-9]*/run.json"):
        if json.loads(path.read_text())["status"] == "complete":
            written = path.stat().st_mtime_ns
            assert complete.setdefault(path, written) == written, f"{path} was written again"


def logged(results: Path) -> Counter[str]:
    """Return what a sweep's job logs count: jobs, how often they were begun, runs stored twice."""
    assert not list(results.glob("jobs/*/*checkpoint.pt*")), "checkpoints go with their runs"
    logs = [path.read_text() for path in results.glob("jobs/*/job.log")]
    stores = Counter(re.findall(r"Stored (\S+ seed \d+): complete", "".join(logs)))
    return Counter(
        jobs=len(logs),
        begun=sum(log.count("trains seeds") for log in logs),
        resumed=sum(log.count("Resumes from") for log in logs),
        twice=sum(times > 1 for times in stores.values()),
    )
