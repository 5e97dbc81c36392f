"""However foreign code ends a worker it is an attempt of its run; Ctrl-C is none, whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.code_version import CodeChanged, code_version
from ablation.sweep.dispatcher import MAX_FRUITLESS_LAUNCHES, SweepDispatcher
from ablation.sweep.interrupts import EndRequests
from ablation.sweep.launch import Launch
from ablation.sweep.observer import SweepObserver
from ablation.sweep.processes import usable_cores
from ablation.sweep.queue import JobQueue, stop_path, write_queue
from ablation.sweep.supervisor import WorkerExit, keep_working
from ablation.sweep.worker_end import EndPipe

from .analysis_helpers import resolve
from .studies import study, sweep_settings
from .sweeps import ROOT, WITHOUT_REPORT, finish, start, wait_for

SHORT = [
    "train.evaluate_every=100",
    "train.log_every=100",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[16]",
    "replay.min_replay_size=64",
    "tracking=disabled",
    "launch.checkpoint_seconds=0",
]
LONG = [*SHORT, "env=acrobot", "train.env_steps=400000", "study.seeds=1"]

FOREIGN = """
import os, signal, sys
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

ENDS = {
    "Exits": lambda: sys.exit("simulator: no licence"),
    "ExitsWell": lambda: sys.exit(0),
    "Leaves": lambda: os._exit(0),
    "LeavesByFive": lambda: os._exit(5),
    "LeavesByStopped": lambda: os._exit(130),
    "Interrupts": lambda: (_ for _ in ()).throw(KeyboardInterrupt("from the simulator")),
    "Signals": lambda: os.kill(os.getpid(), signal.SIGINT),
}

class Foreign(CartPoleEnv):
    steps = 0

    def __init__(self, end):
        super().__init__()
        self.end = end

    def step(self, action):
        type(self).steps += 1
        if type(self).steps >= 150:
            ENDS[self.end]()
        return super().step(action)

for name in ENDS:
    gymnasium.register(f"{name}-v0", Foreign, kwargs={"end": name}, max_episode_steps=50)
"""


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "work" in child.cmdline()
    ]


def outcomes(results: Path) -> dict[str, tuple[str, int, str]]:
    store = Store(results)
    records = [store.read_record(key) or RunRecord() for key in store.run_keys()]
    return {
        record.config["env"]["id"].removeprefix("foreign:"): (
            record.status,
            record.attempt,
            (record.error or "").strip().splitlines()[-1] if record.error else "",
        )
        for record in records
    }


def test_every_end_of_foreign_code_is_an_attempt_and_the_other_arms_train(tmp_path: Path) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    names = (
        "Exits",
        "ExitsWell",
        "Leaves",
        "LeavesByFive",
        "LeavesByStopped",
        "Interrupts",
        "Signals",
    )
    ids = ",".join(f"foreign:{name}-v0" for name in names)
    words = [*SHORT, f"env.id={ids},CartPole-v1", "train.env_steps=1000", "study.seeds=1"]
    results = tmp_path / "results"
    limits = ["launch.jobs=2", "launch.max_attempts=2"]
    status, error = finish(start(results, *words, *limits, PYTHONPATH=str(tmp_path)))
    assert status == 1, error
    found = outcomes(results)
    assert found.pop("CartPole-v1") == ("complete", 1, "")
    assert {name: (state, attempt) for name, (state, attempt, _) in found.items()} == dict.fromkeys(
        (f"{name}-v0" for name in names), ("failed", 2)
    )
    assert "SystemExit: simulator: no licence (" in found["Exits-v0"][2]
    assert "foreign.py, line 7)" in found["Exits-v0"][2]
    assert found["Interrupts-v0"][2] == "KeyboardInterrupt: from the simulator"
    assert found["Signals-v0"][2].startswith("was ended by SIGINT or SIGTERM from outside the sweep")
    assert found["LeavesByFive-v0"][2].startswith("ended with exit status 5 in the middle of its work")


@pytest.mark.parametrize("moment", ["early", "late", "stopped"])
def test_ctrl_c_costs_no_attempt_whenever_it_comes(tmp_path: Path, moment: str) -> None:
    process = start(tmp_path, *LONG, "launch.jobs=1")
    wait_for(lambda: workers_of(process), process)
    if moment != "early":
        wait_for(lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")), process)
    workers = workers_of(process)
    if moment == "stopped":
        workers[0].suspend()
    # To the sweep alone, as `kill -INT` does; a terminal's reaches the worker as well.
    process.send_signal(signal.SIGINT)
    status, error = finish(process)
    assert status == 130, error
    assert "Traceback" not in error
    assert outcomes(tmp_path) == {}, "nothing failed"
    assert not any(worker.is_running() for worker in workers), "nothing is left behind"
    assert RunClaims(tmp_path, ClaimOwner.this_process("test")).living() == {}


def test_ctrl_c_twice_leaves_no_worker_and_no_attempt(tmp_path: Path) -> None:
    process = start(tmp_path, *LONG, "launch.jobs=1")
    wait_for(lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")), process)
    workers = workers_of(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)
    assert outcomes(tmp_path) == {}


def test_one_job_in_the_background_lives_on_after_its_shell(tmp_path: Path) -> None:
    words = [*SHORT, "train.env_steps=400", "study.seeds=1", "launch.jobs=1", f"results_dir={tmp_path}"]
    command = f"{sys.executable} -m {WITHOUT_REPORT} -m {' '.join(words)} >/dev/null 2>&1 </dev/null &"
    subprocess.run(["nohup", "sh", "-c", command], cwd=ROOT, check=True, start_new_session=True)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("runs/*/0000/run.json")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert outcomes(tmp_path) == {"CartPole-v1": ("complete", 1, "")}


SUPERVISE = """
import signal, sys
from pathlib import Path
if sys.argv[1] == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
else:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from ablation.sweep.supervisor import supervise
print(supervise(Path(sys.argv[2]), sys.argv[3], "worker", Path()).kind)
"""


def test_a_warning_before_the_end_of_a_job_saves_a_checkpoint_and_costs_no_attempt(
    tmp_path: Path,
) -> None:
    process = start(tmp_path, *LONG, "launch.jobs=1", "launch.checkpoint_seconds=600")
    wait_for(lambda: list(tmp_path.glob("jobs/workers/*.json")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (queue,) = tmp_path.glob("jobs/sweeps/*.json")
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, "ignored", str(tmp_path), queue.stem],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = next(tmp_path.glob("jobs/*/job.log"))
    wait_for(lambda: log.read_text().count("trains seeds") > 1, supervisor)
    # As Slurm does it: every process of the job gets the signal.
    os.killpg(supervisor.pid, signal.SIGUSR2)
    assert supervisor.communicate(timeout=120)[0].split() == ["warned"]
    assert list(tmp_path.glob("jobs/*/checkpoint.pt"))
    assert outcomes(tmp_path) == {}


@pytest.mark.parametrize("inherited", ["blocked", "ignored"])
def test_a_worker_hears_ctrl_c_although_its_launcher_blocks_or_ignores_it(
    tmp_path: Path, inherited: str
) -> None:
    # As Ray's and Slurm's processes: blocked in one, ignored in the other.
    process = start(tmp_path, *LONG, "launch.jobs=1")
    wait_for(lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (queue,) = tmp_path.glob("jobs/sweeps/*.json")
    (checkpoint,) = tmp_path.glob("jobs/*/checkpoint.pt")
    saved = checkpoint.stat().st_mtime_ns
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, inherited, str(tmp_path), queue.stem],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: checkpoint.stat().st_mtime_ns > saved, supervisor)
    began = time.monotonic()
    stop_path(Store(tmp_path), queue.stem).touch()
    assert supervisor.communicate(timeout=60)[0].split() == ["stopped"]
    assert time.monotonic() - began < 10
    assert outcomes(tmp_path) == {}
    # Once more: with the stop file there, no worker starts.
    assert keep_working(tmp_path, queue.stem, "late", EndRequests()).kind == "stopped"
    assert not list(tmp_path.glob("jobs/workers/late*"))


class Silent(SweepObserver):
    """Prints nothing, and keeps how many jobs it was to show."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def training(self, jobs: Sequence[object], *_: object) -> threading.Lock:
        self.shown.append(len(jobs))
        return threading.Lock()


class Ending:
    """A launcher whose workers all end in one way, at once."""

    def __init__(self, kind: str) -> None:
        self.kind, self.launches = kind, 0

    def run(self, launch: Launch) -> list[WorkerExit]:
        self.launches += 1
        return [WorkerExit(self.kind, "host", "why") for _ in launch.names]

    def stop(self) -> str:
        return ""

    def state(self) -> str:
        return ""


def dispatcher(results: Path, launcher: Ending, observer: Silent | None = None) -> SweepDispatcher:
    config, own = sweep_settings(results), Silent() if observer is None else observer
    found = SweepDispatcher(expand(study(), resolve), config, Store(results), launcher, own)
    found.prepare()
    return found


@pytest.mark.parametrize("kind", ["done", "stopped", "broken"])
def test_launches_without_progress_are_counted_whatever_workers_say(tmp_path: Path, kind: str) -> None:
    launcher = Ending(kind)
    result = dispatcher(tmp_path, launcher).run()
    assert launcher.launches == MAX_FRUITLESS_LAUNCHES
    assert result.broken
    assert not result.stopped


def test_progress_is_that_of_all_jobs_over_all_launches(tmp_path: Path) -> None:
    launcher, observer = Ending("done"), Silent()
    found = dispatcher(tmp_path, launcher, observer)
    jobs = len(found.jobs(found.prepare()))
    found.run()
    assert launcher.launches > 1
    assert observer.shown == [jobs]


def test_a_second_ctrl_c_ends_a_sweep_with_its_last_words() -> None:
    script = """
        import os, signal
        from ablation.sweep.interrupts import stoppable
        with stoppable(lambda: print("asked", flush=True), lambda: print("ended", flush=True)):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
            print("goes on")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "asked\nended\n", "")


def test_what_another_launch_would_not_mend_is_launched_once(tmp_path: Path) -> None:
    launcher = Ending("given_up")
    result = dispatcher(tmp_path, launcher).run()
    assert launcher.launches == 1
    assert result.given_up == "why"


def test_code_that_changed_under_a_sweep_ends_it_with_one_line(tmp_path: Path) -> None:
    launcher = Ending("code_changed")
    with pytest.raises(CodeChanged, match="code changed since this sweep began: start it again"):
        dispatcher(tmp_path, launcher).run()
    assert launcher.launches == 1


def test_no_worker_of_other_code_begins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    queue = JobQueue("s", [], {"mode": "disabled", "project": "p", "entity": None}, None, {}, "other")
    write_queue(store, queue)
    assert keep_working(tmp_path, "s", "worker", EndRequests()).kind == "code_changed"


def test_the_version_of_code_changes_with_any_source_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.py").write_text("1")
    versions = {code_version(tmp_path)}
    (tmp_path / "deep" / "b.py").write_text("2")
    versions.add(code_version(tmp_path))
    (tmp_path / "deep" / "b.py").write_text("3")
    versions.add(code_version(tmp_path))
    (tmp_path / "notes.txt").write_text("no source")
    assert len(versions | {code_version(tmp_path)}) == 3


def test_the_pipe_tells_what_was_reported_first_and_nothing_else() -> None:
    for written, read in (
        (b"", None),
        (b"done\n", "done"),
        (b"what\n", None),
        (b"done\nstopped", "done"),
    ):
        with EndPipe() as pipe:
            os.write(pipe.descriptor, written)
            assert pipe.read() == read


def test_cores_are_those_of_the_container(tmp_path: Path) -> None:
    everything = usable_cores(tmp_path)
    assert everything >= 1
    for quota, cores in (
        ("max 100000", everything),
        ("50000 100000", 1),
        ("100000000 100000", everything),
    ):
        (tmp_path / "cpu.max").write_text(quota)
        assert usable_cores(tmp_path) == cores


def test_what_a_dead_worker_held_waits_for_its_supervisor(tmp_path: Path) -> None:
    """Else another worker goes on with the run, and the attempt of the dead one is never counted."""
    script = "import os, sys; from pathlib import Path\n"
    script += "from ablation.sweep.claims import *; from ablation.store.runs import RunKey\n"
    script += "owner = ClaimOwner.this_process('sweep', os.getppid())\n"
    script += (
        "assert RunClaims(Path(sys.argv[1]), owner).claim([RunKey('cell', 1), RunKey('cell', 2)])\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    assert worker.wait() == 0
    supervisor = RunClaims(tmp_path, ClaimOwner.this_process("sweep"))
    other = RunClaims(tmp_path, ClaimOwner.this_process("another sweep"))
    assert not other.claim([RunKey("cell", 1)])
    assert supervisor.inherit(worker.pid + 1) == []
    assert supervisor.inherit(worker.pid) == [RunKey("cell", 1), RunKey("cell", 2)]
    supervisor.release_all()
    assert other.claim([RunKey("cell", 1)])
