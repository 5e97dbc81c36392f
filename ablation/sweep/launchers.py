"""Which launcher starts the workers of a sweep, and the one for those of this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

from ablation.sweep.config import LaunchConfig
from ablation.sweep.interrupts import EndRequests
from ablation.sweep.launch import Launch, WorkerLauncher
from ablation.sweep.supervisor import WorkerExit, keep_working


class LocalLauncher:
    """Workers of this machine: each a process, watched by a thread of the sweep's own process."""

    def __init__(self) -> None:
        self._requests = EndRequests()

    def run(self, launch: Launch) -> list[WorkerExit]:
        """Run a worker of each name."""
        with ThreadPoolExecutor(len(launch.names)) as pool:
            ends = [
                pool.submit(keep_working, launch.root, launch.sweep, name, self._requests)
                for name in launch.names
            ]
            wait(ends)
            return [end.result() for end in ends]

    def stop(self) -> str:
        """Ask the supervisors to end."""
        self._requests.asked.set()
        return ""

    def state(self) -> str:
        """Return nothing: the progress of jobs says it all."""
        return ""


def launcher_of(config: LaunchConfig) -> WorkerLauncher:
    """Return the launcher that is configured; raises `ConfigError` where one cannot be used."""
    if config.kind == "slurm":
        from ablation.sweep.slurm import SlurmLauncher

        return SlurmLauncher(config)
    if config.kind == "ray":
        from ablation.sweep.ray_cluster import RayLauncher

        return RayLauncher(config)
    return LocalLauncher()
