"""Workers as tasks of a Ray cluster.

Ray ends the process that is connected to a cluster when the cluster is gone. So a process of its own
is connected (`ray_tasks`), and the sweep outlives it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ablation.config.validation import ConfigError
from ablation.sweep.config import LaunchConfig
from ablation.sweep.launch import Launch
from ablation.sweep.supervisor import WorkerExit


class RayLauncher:
    """Tasks of a Ray cluster, each with one supervisor and its worker."""

    def __init__(self, config: LaunchConfig) -> None:
        """Raise `ConfigError` where Ray is not installed."""
        if find_spec("ray") is None:
            hint = "needs a package that is not installed; pip install -e '.[ray]' installs it"
            raise ConfigError("launch", "ray", hint)
        self._options, self._state = config.ray, ""
        self._was_connected = False

    def run(self, launch: Launch) -> list[WorkerExit]:
        """Run a task for each name; raises `ConfigError` where there is no cluster to begin with."""
        asked = asdict(self._options) | {
            "memory": launch.worker_bytes,
            "root": str(launch.root),
            "sweep": launch.sweep,
            "names": list(launch.names),
            "project": str(Path.cwd()),
            "parent": os.getpid(),
        }
        log = launch.root / "jobs" / "ray" / f"{launch.sweep}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            # In a session of its own: Ctrl-C is for the sweep, which asks workers by its stop file.
            tasks = subprocess.Popen(
                [sys.executable, "-P", "-m", "ablation.sweep.ray_tasks", json.dumps(asked)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        with tasks:
            ends = self._listen(tasks)
        self._state = ""
        if ends is not None:
            return ends
        if not self._was_connected:
            raise ConfigError(
                "launch.ray.address", self._options.address, f"no answer; the log is {log}"
            )
        return [WorkerExit("given_up", "", f"the Ray cluster is gone; the log is {log}")]

    def stop(self) -> str:
        """Do nothing: supervisors see the stop file."""
        return ""

    def state(self) -> str:
        """Return what tasks wait for."""
        return self._state

    def _listen(self, tasks: subprocess.Popen[str]) -> list[WorkerExit] | None:
        """Follow what the connected process says; return its tasks' ends, None if it broke off."""
        ends = None
        for line in tasks.stdout or ():
            told = _read(line)
            if "refused" in told:
                if self._was_connected:
                    return [WorkerExit("given_up", "", f"the Ray cluster is gone ({told['refused']})")]
                raise ConfigError("launch.ray.address", self._options.address, told["refused"])
            self._was_connected |= bool(told)
            self._state = told.get("state", self._state)
            if "ends" in told:
                ends = [WorkerExit(**end) for end in told["ends"]]
        return ends


def _read(line: str) -> Mapping[str, Any]:
    """Return a message of the connected process; nothing for what Ray itself printed."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
