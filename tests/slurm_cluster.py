"""A Slurm cluster of three nodes on this machine, all in one folder, from Debian's slurm-wlm."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel")
NODES = ("n1", "n2", "n3")
SETTINGS = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=5
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0
{nodes}
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=60 State=UP
PartitionName=strict Nodes=n[1-3] MaxTime=1 State=UP
"""


def can_run() -> bool:
    """Return whether this machine has what a cluster is made of."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in PROGRAMS)


class SlurmCluster:
    """A running cluster; commands find it by `variables`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Start authentication, controller and nodes, and wait until the nodes take jobs."""
        (self._folder / "state").mkdir(parents=True)
        self._folder.chmod(0o755)
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        ports = _free_ports(4)
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=4000"
            for name, port in zip(NODES, ports[1:], strict=True)
        )
        text = SETTINGS.format(folder=self._folder, host=f"{host}(127.0.0.1)", ports=ports, nodes=nodes)
        (self._folder / "slurm.conf").write_text(text)
        words = [f"--{name}={self._folder}/munge.{name}" for name in ("socket", "pid-file", "log-file")]
        words += [
            f"--key-file={key}",
            f"--seed-file={self._folder}/munge.seed",
            "--foreground",
            "--force",
        ]
        self._start("munged", "munged", *words)
        _wait_for((self._folder / "munge.socket").exists)
        self._start("slurmctld", "slurmctld", "-D", "-i")
        for name in NODES:
            self.start_node(name)
        _wait_for(lambda: self.run("sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D").strip() == "3")

    def start_node(self, name: str) -> None:
        """Start a node."""
        self._start(name, "slurmd", "-D", "-N", name)

    def kill_node(self, name: str) -> None:
        """Kill a node with all that runs on it."""
        self._daemons[name].kill()
        for step in _step_daemons(self._folder / f"slurmd.{name}.log"):
            for process in [*step.children(recursive=True), step]:
                with suppress(psutil.Error):
                    process.kill()
        self._daemons.pop(name).wait()

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        variables = os.environ | self.variables
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env=variables
        ).stdout

    def jobs(self) -> list[str]:
        """Return the jobs that are queued, running or ending."""
        return self.run("squeue", "-h", "-r", "-o", "%i %T %R").splitlines()

    def cancel_all(self) -> None:
        """Cancel every job, as a user does by its id."""
        if ids := {line.split("_")[0].split()[0] for line in self.jobs()}:
            self.run("scancel", *ids)

    def wait_until_empty(self) -> bool:
        """Return whether all jobs end within a time that Slurm takes at most."""
        with suppress(TimeoutError):
            _wait_for(lambda: not self.jobs(), 20)
        return not self.jobs()

    def drain(self) -> None:
        """Let no node take new jobs."""
        self.run("scontrol", "update", f"NodeName={','.join(NODES)}", "State=DRAIN", "Reason=test")

    def resume(self) -> None:
        """Let all nodes take jobs again."""
        self.run("scontrol", "update", f"NodeName={','.join(NODES)}", "State=RESUME")

    def stop(self) -> None:
        """End every job and daemon."""
        self.cancel_all()
        self.wait_until_empty()
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def _start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.out").open("wb") as out:
            self._daemons[name] = subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | self.variables
            )


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[SlurmCluster]:
    """Run a cluster within the context."""
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _free_ports(number: int) -> Sequence[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _step_daemons(log: Path) -> list[psutil.Process]:
    """Return the processes that Slurm runs jobs in on a node: they keep its log open."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            links = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
            if str(log) in links and "slurmstepd" in " ".join(process.cmdline()):
                found.append(process)
    return found


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the Slurm cluster did not get there")
        time.sleep(0.2)
