"""A run has one living owner at a time; what a dead one held is taken over, by one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablation.store.runs import RunKey
from ablation.sweep import claims as module
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.processes import machine_id, start_time

KEYS = [RunKey("cell-1.5", seed) for seed in range(3)]


@pytest.fixture
def other() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def owned_by(root: Path, process: subprocess.Popen[bytes], sweep: str = "other") -> RunClaims:
    pid = process.pid
    return RunClaims(root, ClaimOwner(sweep, machine_id(), pid, start_time(pid) or ""))


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
    earlier = RunClaims(tmp_path, ClaimOwner("earlier", machine_id(), os.getpid(), "1"))
    assert earlier.claim(KEYS)
    assert mine(tmp_path).claim(KEYS)


def test_a_claim_from_another_machine_lives_as_long_as_it_is_touched(tmp_path: Path) -> None:
    far = RunClaims(tmp_path, ClaimOwner("far", "node7", 1, "1"))
    assert far.claim(KEYS)
    own = mine(tmp_path)
    assert not own.claim(KEYS)
    old = time.time() - module.STALE_SECONDS - 1
    for path in (tmp_path / "locks").glob("cell*"):
        os.utime(path, (old, old))
    assert own.claim(KEYS)


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
        assert RunClaims(tmp_path, ClaimOwner("dead", machine_id(), os.getpid(), "1")).claim(key)
        takers = [
            RunClaims(
                tmp_path,
                ClaimOwner(f"taker{n}", machine_id(), os.getpid(), start_time(os.getpid()) or ""),
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
