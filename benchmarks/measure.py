"""Runs a measurement in fresh single-threaded processes, interleaved, several times over."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ablation.numerics.library_settings import library_settings

SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FIRST_CORE = 0


def in_process(code: str) -> dict[str, Any]:
    """Run Python code in a process of its own on one core; it prints its result as a line of JSON.

    Libraries are set as every command of this project sets them.
    """
    return _run_python("-c", code)


def in_module(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module like `in_process` runs code."""
    return _run_python("-m", module, *map(str, arguments))


def _run_python(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | library_settings() | SINGLE_THREAD,
        preexec_fn=_one_core,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def repeat(codes: Mapping[str, str], repetitions: int) -> dict[str, list[dict[str, Any]]]:
    """Return every code's results, run in turn so that a drift of the machine hits all alike."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in codes}
    for _ in range(repetitions):
        for name, code in codes.items():
            results[name].append(in_process(code))
    return results


def microseconds(step: Callable[[], object], count: int) -> float:
    """Return the processor's microseconds of a step, the mean of so many."""
    began = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - began) / count * 1e6


def of_command(*words: str) -> tuple[float, float, float]:
    """Return seconds, processor seconds and peak bytes of a command of ours in its own process."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "ablation", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def median(values: Sequence[float]) -> float:
    """Return the median of some measurements."""
    return statistics.median(values)


def _one_core() -> None:
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[FIRST_CORE]})
