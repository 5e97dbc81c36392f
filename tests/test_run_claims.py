"""A run has one living owner at a time; what a dead one held is taken over, by one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablation.config.identity import cell_name
from ablation.store.runs import RunKey, Store
from ablation.sweep import claims as module
from ablation.sweep.claims import ClaimLost, ClaimOwner, RunClaims
from ablation.sweep.interrupts import Stop
from ablation.sweep.processes import Process, machine_id, start_time
from ablation.sweep.queue import JobQueue, JobSpec, write_job
from ablation.sweep.worker import Worker
from ablation.tracking import TrackingConfig

from .conftest import Configure

ROOT = Path(__file__).parent.parent
KEYS = [RunKey("cell-1.5", seed) for seed in range(3)]


@pytest.fixture
def other() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def owned_by(root: Path, process: subprocess.Popen[bytes], sweep: str = "other") -> RunClaims:
    pid = process.pid
    return RunClaims(root, ClaimOwner(sweep, Process.of(pid)))


def mine(root: Path) -> RunClaims:
    return RunClaims(root, ClaimOwner.this_process("mine"))


def test_what_a_living_process_holds_is_refused_until_it_is_released(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    theirs, own = owned_by(tmp_path, other), mine(tmp_path)
    assert theirs.claim(KEYS[:2])
    assert not own.claim(KEYS)
    assert own.living() == dict.fromkeys(KEYS[:2], theirs.owner), "nothing is held by halves"
    theirs.release_all()
    assert own.claim(KEYS)
    assert set(own.living()) == set(KEYS)


def test_what_a_killed_process_held_is_taken_over(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    theirs, own = owned_by(tmp_path, other), mine(tmp_path)
    assert theirs.claim(KEYS)
    other.kill()
    # Not yet waited for: a zombie is dead too.
    while start_time(other.pid) is not None:
        time.sleep(0.01)
    assert own.living() == {}
    assert own.claim(KEYS)
    theirs.release_all()
    assert set(own.living()) == set(KEYS), "the former owner cannot give away what is not its own"


def test_a_process_number_that_was_given_out_again_is_not_the_owner(tmp_path: Path) -> None:
    earlier = RunClaims(tmp_path, ClaimOwner("earlier", Process(machine_id(), os.getpid(), "1")))
    assert earlier.claim(KEYS)
    assert mine(tmp_path).claim(KEYS)


def test_a_claim_from_another_machine_lives_as_long_as_it_is_touched(tmp_path: Path) -> None:
    far = RunClaims(tmp_path, ClaimOwner("far", Process("node7", 1, "1")))
    assert far.claim(KEYS)
    own = mine(tmp_path)
    assert not own.claim(KEYS)
    old = time.time() - module.STALE_SECONDS - 1
    for path in (tmp_path / "locks").glob("cell*"):
        os.utime(path, (old, old))
    assert own.claim(KEYS[:1])
    # It was only paused, and wakes up.
    for keys in (KEYS, KEYS[:1], KEYS[1:]):
        with pytest.raises(ClaimLost, match="is claimed by another process or by none"):
            far.require(keys)
    with far.heartbeats():
        assert not far.claim(KEYS[:1])
    far.release_all()
    own.require(KEYS[:1])
    assert set(own.living()) == {KEYS[0]}
    own.release_all()
    assert not [
        path.name for path in (tmp_path / "locks").glob(".?????????*") if path.name != ".takeover"
    ]


def test_held_claims_are_touched_and_given_up_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    own = mine(tmp_path)
    path = tmp_path / "locks" / "cell-1.5.0000"
    with own.heartbeats():
        assert own.claim(KEYS)
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not path.exists()


def test_of_many_that_find_a_dead_owner_one_takes_over(tmp_path: Path) -> None:
    for round_ in range(20):
        key = [RunKey("c", round_)]
        assert RunClaims(tmp_path, ClaimOwner("dead", Process(machine_id(), os.getpid(), "1"))).claim(
            key
        )
        takers = [
            RunClaims(
                tmp_path,
                ClaimOwner(f"taker{n}", Process.of(os.getpid())),
            )
            for n in range(8)
        ]
        with ThreadPoolExecutor(8) as pool:
            took = list(pool.map(lambda taker, key=key: taker.claim(key), takers))
        assert sum(took) == 1


def test_a_claim_cut_short_by_a_full_disk_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "cell-1.5.0000").write_text('{"sweep": "x"')
    assert mine(tmp_path).claim(KEYS)


def test_a_claim_is_held_within_its_context_and_only_if_it_can_be_had(tmp_path: Path) -> None:
    key, mine = RunKey("cell", 3), RunClaims(tmp_path, ClaimOwner.this_process("one"))
    other = RunClaims(tmp_path, ClaimOwner.this_process("two"))
    with mine.claimed(key) as held:
        assert held
        with other.claimed(key) as also:
            assert not also
        assert key in mine.living(), "who could not have it must not give it up"
    assert not mine.living()


CONTAINER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ablation.config.identity import cell_name
from ablation.store.runs import RunKey, Store
from ablation.sweep.claims import ClaimOwner, RunClaims

root, first, claims = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def claim(thread):
    mine = RunClaims(root, ClaimOwner.this_process("the same sweep"))
    keys = [RunKey("c", seed) for seed in range(first + thread, first + claims, 5)]
    for key in keys:
        assert mine.claim([key]), key
    mine.require(keys)
    wrong = [key for key, owner in mine.living().items() if key in keys and owner != mine.owner]
    assert not wrong, wrong
    mine.release_all()

with ThreadPoolExecutor(5) as pool:
    list(pool.map(claim, range(5)))
print(os.getpid())
"""


def test_two_containers_with_equal_process_numbers_claim_thousands_of_runs(tmp_path: Path) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a new space of process numbers needs the rights of root")
    command = [*unshare, sys.executable, "-c", CONTAINER, str(tmp_path)]
    pair = [
        subprocess.Popen([*command, str(first), "5000"], stdout=subprocess.PIPE, cwd=ROOT)
        for first in (0, 5000)
    ]
    numbers = {process.communicate()[0] for process in pair}
    assert [process.returncode for process in pair] == [0, 0]
    assert numbers == {b"1\n"}
    left = {path.name for path in (tmp_path / "locks").iterdir()}
    assert left <= {".clock", ".takeover"}


def test_a_job_whose_runs_were_taken_over_writes_nothing_and_costs_no_attempt(
    configure: Configure,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ablation.sweep.job.ASK_SECONDS", 0)
    config, store = configure(), Store(tmp_path)
    cell = cell_name(config)
    job = JobSpec("job", cell, [0, 1], "arm", {}, "s", "?", "cpu", 0.0)
    write_job(store, job, config)
    (tmp_path / "jobs" / "workers").mkdir()
    tracking = TrackingConfig("disabled", "p", None)
    queue = JobQueue("s", ["job"], tracking, None, {"job": 3}, "")
    claims = mine(tmp_path)
    worker = Worker(store, queue, "w", claims, Stop())

    def taken_over(*_: object) -> None:
        for path in (tmp_path / "locks").glob("CartPole*"):
            path.unlink()
        assert mine(tmp_path).claim([RunKey(cell, 0), RunKey(cell, 1)])

    monkeypatch.setattr(claims, "require", lambda keys: [taken_over(), RunClaims.require(claims, keys)])
    with caplog.at_level("WARNING"):
        assert worker._train("job") is True
    assert "Job job is left to another process" in caplog.text
    assert "Traceback" not in caplog.text
    assert list(store.run_keys()) == []
    assert not list(tmp_path.glob("jobs/job/*checkpoint*"))
