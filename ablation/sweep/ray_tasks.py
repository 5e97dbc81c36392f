"""The process that is connected to a Ray cluster: starts a task for each worker and tells how they end.

It says what happens as JSON, a line each, on its standard output: `refused`, `state` and `ends`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ablation.sweep.processes import exit_when_orphaned
from ablation.sweep.supervisor import WorkerExit, supervise

POLL_SECONDS = 2.0
CONNECTION_SECONDS = 30.0


def main() -> None:
    """Run the tasks that the first argument describes."""
    asked = json.loads(sys.argv[1])
    exit_when_orphaned(asked["parent"])
    # Nothing is sent to Ray's makers unless the user has asked for it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        with _limited(None if asked["address"] is None else CONNECTION_SECONDS):
            ray.init(address=asked["address"], log_to_driver=False)
    except Exception as error:
        _say(refused=_why(error))
        return
    _say(state="")
    _say(ends=[asdict(end) for end in _run(ray, asked)])


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """End this process unless the context is left in time: Ray tries for many minutes to connect."""

    def give_up() -> None:
        _say(refused=f"no Ray cluster answers within {seconds:g} s")
        os._exit(1)

    timer = threading.Timer(seconds or 0, give_up)
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return "no Ray cluster here; `ray start --head` starts one, null one for this sweep alone"
    return _first_line(error)


def _run(ray: Any, asked: Mapping[str, Any]) -> Sequence[WorkerExit]:
    needed = {name: asked[name] for name in ("num_cpus", "num_gpus", "memory")}
    # One call for each of Ray's processes: none shall keep what a worker has imported.
    remote = ray.remote(max_calls=1, max_retries=asked["max_retries"], **needed)(supervise)
    fixed = (Path(asked["root"]), asked["sweep"])
    tasks = [remote.remote(*fixed, name, Path(asked["project"])) for name in asked["names"]]
    running = tasks
    while running:
        _, running = ray.wait(running, num_returns=len(running), timeout=POLL_SECONDS)
        _say(state=_missing(ray.nodes(), needed) if running else "")
    return [_end_of(ray, task) for task in tasks]


def _missing(nodes: Sequence[Mapping[str, Any]], needed: Mapping[str, float]) -> str:
    """Return what no node has, however idle; tasks would wait for such a node for ever."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    for has in alive:
        if all(has.get(names[key], 0) >= amount for key, amount in needed.items()):
            return ""
    wanted = f"{needed['num_cpus']:g} CPU, {needed['num_gpus']:g} GPU, {needed['memory'] / 1e9:.2f} GB"
    return f"Ray: tasks wait for a node with {wanted}; none of {len(alive)} has that"


def _end_of(ray: Any, task: Any) -> WorkerExit:
    try:
        end: WorkerExit = ray.get(task)
    except Exception as error:
        return WorkerExit("broken", "", f"a Ray task broke off: {_first_line(error)}")
    return end


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
