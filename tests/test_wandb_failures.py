"""Whatever the server does, the training ends as it would have, and nothing secret is written."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.store.runs import RunKey, Store
from ablation.tracking.client import FINGERPRINT
from ablation.tracking.mirrors import directories
from ablation.tracking.runs import wandb_id
from analysis.wandb.upload import ended_run

from . import tracked
from .conftest import values
from .wandb_server import KEY, Fault, LoopbackServer

SEEDS = [0, 1, 2]
SLOW = pytest.mark.slow

JOB = """
import json, sys, time
from pathlib import Path
from ablation.config.parse import parse
from ablation.config.identity import cell_name
from ablation.sweep.queue import JobSpec
from ablation.sweep.job import run_job
from ablation.store.runs import Store
from ablation.tracking import TrackingConfig, client, sink
# The bounds in small, so that the test need not wait for the real ones.
client.OPEN_SECONDS, client.FINISH_SECONDS, sink.CLOSE_SECONDS = 4, 6, 14
root, plain, seeds = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
config = parse(plain)
job = JobSpec("job", cell_name(config), seeds, "arm", {}, "s", "?", "cpu", 1e9)
run_job(config, job, TrackingConfig("online", "p", None), Store(root))
print(json.dumps({"ended": time.time()}))
"""


@dataclass
class Case:
    """How the server behaves, the key, and what the one warning says; None for no warning."""

    fault: Callable[[str], Fault | None] = lambda _: None
    key: str | None = KEY
    warning: str | None = None
    reachable: bool = True
    dies: bool = False


def _stream(fault: Fault) -> Callable[[str], Fault | None]:
    return lambda path: fault if path.endswith("file_stream") else None


CASES = {
    "none": Case(),
    "no key": Case(key=None, warning="No API key configured"),
    "wrong key": Case(key="f" * 40, warning="invalid API key"),
    "refused": Case(reachable=False, warning="W&B cannot be used"),
    "500": Case(lambda _: Fault(500), warning="W&B cannot be used"),
    "dies in mid-run": Case(dies=True, warning="W&B does not have 3 of 3 runs"),
    "429": Case(lambda _: Fault(429), warning="W&B cannot be used"),
    "500 while it trains": Case(_stream(Fault(500)), warning="W&B does not have 3 of 3 runs"),
    # The client gives such a run up in silence: only `replay-ablation sync` finds that it is not there.
    "404 while it trains": Case(_stream(Fault(404))),
    "slow": Case(lambda _: Fault(delay=0.4)),
    "too slow": Case(lambda _: Fault(delay=20), warning="W&B cannot be used"),
}
IN_A_MINUTE = ("none", "no key", "wrong key", "refused", "dies in mid-run")
PARAMETERS = [pytest.param(name, marks=[] if name in IN_A_MINUTE else [SLOW]) for name in CASES]


def _die_in_mid_run(server: LoopbackServer) -> None:
    while not any(run.summary or run.lines for run in server.runs.values()):
        time.sleep(0.01)
    server.stop()


@pytest.mark.parametrize("name", PARAMETERS)
def test_training_ends_as_if_there_were_no_server(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    plain = values(train__env_steps=1500, train__evaluate_every=50)
    with LoopbackServer(case.fault) as server:
        environment = {"WANDB_BASE_URL": server.url}
        if case.key:
            environment["WANDB_API_KEY"] = case.key
        if not case.reachable:
            server.stop()
        if case.dies:
            threading.Thread(target=_die_in_mid_run, args=[server], daemon=True).start()
        words = [str(tmp_path), json.dumps(plain), json.dumps(SEEDS)]
        done = tracked.python("tests.run_code", JOB, *words, environment=environment)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    store, cell = Store(tmp_path), cell_name(parse(plain))
    for seed in SEEDS:
        assert store.read_record(RunKey(cell, seed)).status == "complete"
    warnings = [line for line in output.splitlines() if "replay-ablation sync" in line]
    assert len(warnings) == (case.warning is not None), output
    if case.warning is not None:
        assert case.warning in warnings[0]
    assert "Traceback" not in output
    _assert_local_directories_have_first_lines(tmp_path, cell, offline=case.warning is not None)
    _assert_no_secret(tmp_path, output, case.key)


def _assert_local_directories_have_first_lines(root: Path, cell: str, offline: bool) -> None:
    """Each run has one directory with its own lines: all of them, but where its server went."""
    store = Store(root)
    for seed in SEEDS:
        key = RunKey(cell, seed)
        (directory,) = (path for id, path in directories(root) if id == wandb_id(key))
        wanted = ended_run(store, key).rows()
        rows = tracked.offline_rows(directory)
        assert rows == wanted[: len(rows)]
        assert offline or len(rows) == len(wanted)


def _assert_no_secret(root: Path, output: str, key: str | None) -> None:
    secret = (key or KEY).encode()
    assert secret not in output.encode()
    found = [path for path in root.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert found == []
    assert any(root.rglob("*.wandb")), "there was something to look through"


def test_a_run_that_is_trained_again_online_goes_on_behind_the_rows_that_are_there(
    tmp_path: Path,
) -> None:
    plain = values(train__evaluate_every=50)
    cell = cell_name(parse(plain))
    with LoopbackServer() as server:
        for root in (tmp_path / "first", tmp_path / "second"):
            words = [str(root), json.dumps(plain), json.dumps(SEEDS)]
            done = tracked.python("tests.run_code", JOB, *words, environment=server.environment)
            assert done.returncode == 0, done.stderr
        for seed in SEEDS:
            key = RunKey(cell, seed)
            run, ended = server.run(wandb_id(key), "p"), ended_run(Store(root), key)
            assert run.uploads == 2
            assert [row["_step"] for row in run.history] == list(range(len(ended.rows())))
            shown = [{name: row[name] for name in row if name[0] != "_"} for row in run.history]
            assert shown == ended.rows()
            assert run.summary["attempt"] == ended.record.attempt
            assert FINGERPRINT in run.summary


def test_the_marker_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "run.wandb").write_bytes(b"..." + KEY.encode() + b"...")
    with pytest.raises(AssertionError):
        _assert_no_secret(tmp_path, "", KEY)
