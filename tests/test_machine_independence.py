"""Short runs trained as other processors and libraries would: every stored column keeps every bit.

A child process is told to use other kernels than this machine's best: libraries choose among theirs by
processor, and these variables decide for them. `python -m tests.test_machine_independence RUN...` prints
the hash of each column of the runs, as the children do.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from functools import cache
from typing import Any

import pytest
import torch

from ablation.config.parse import parse
from ablation.tasks.registry import make_trainer

from .conftest import values
from .golden import rows
from .processes import python

DQN = rows.CELLS["uniform"]
RUNS: dict[str, dict[str, Any]] = {
    **{
        name: rows.CELLS[name]
        for name in ("none", "recent", "uniform", "proportional", "rank", "greedy")
    },
    **{
        name: rows.CELLS[name]
        for name in ("combined", "without_replacement", "pool_max", "uniform_share")
    },
    **{name: rows.CELLS[name] for name in ("n_step_3", "rmsprop", "random_eviction", "moving_exponent")},
    "acrobot": DQN | {"env__id": "Acrobot-v1"},
    "mountain_car": DQN | {"env__id": "MountainCar-v0"},
    "grid_world": DQN | {"env__id": "ablation/GridWorld-v0"},
    "digits": rows.CELLS["digits"],
}
QUICK_RUNS = ("n_step_3", "acrobot", "digits")

LEAST = {"digits": 8}

PLAINEST = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4,-AVX",
    "NPY_DISABLE_CPU_FEATURES": rows.KERNELS["NPY_DISABLE_CPU_FEATURES"],
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
}
LIBRARIES: dict[str, dict[str, str]] = {
    "all plainest": PLAINEST,
    "glibc": {"GLIBC_TUNABLES": PLAINEST["GLIBC_TUNABLES"]},
    "glibc with AVX2": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F"},
    "NumPy": {"NPY_DISABLE_CPU_FEATURES": PLAINEST["NPY_DISABLE_CPU_FEATURES"]},
    "PyTorch default": {"ATEN_CPU_CAPABILITY": "default"},
    "PyTorch AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "MKL": {"MKL_CBWR": "COMPATIBLE"},
    "two threads": dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2"),
}
"""What libraries choose by processor, and the number of threads."""

OPENBLAS = {name: {"OPENBLAS_CORETYPE": name} for name in ("Sandybridge", "Prescott")}
NUMBA = {
    name: {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    for name in ("haswell", "skylake", "znver3", "x86-64-v3")
}
"""Processors that compiled loops are compiled for."""


def columns(name: str) -> dict[str, str]:
    """Return the hash of each column of a run of three seeds: every bit of every value counts."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    trainer = make_trainer(parse(values(**RUNS[name])), [3, 1, 2], torch.device("cpu"))
    trainer.run()
    hashes = {}
    for table in ("episodes", "evaluations", "learner"):
        found = [row for lane in trainer.records.lanes for row in getattr(lane, table)]
        for column in sorted({key for row in found for key in row}):
            bits = json.dumps([row.get(column) for row in found])
            hashes[f"{name}: {table}.{column}"] = hashlib.sha256(bits.encode()).hexdigest()[:12]
    trainer.close()
    return hashes


@cache
def trained(names: tuple[str, ...], changed: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """Return the columns of runs that a child process trained with environment variables changed."""
    ours = {
        *PLAINEST,
        *(key for one in (*LIBRARIES.values(), *OPENBLAS.values(), *NUMBA.values()) for key in one),
    }
    plain = {key: value for key, value in os.environ.items() if key not in ours}
    printed = python("-m", "tests.test_machine_independence", *names, variables=plain | dict(changed))
    found: dict[str, str] = json.loads(printed)
    return found


def differing(names: tuple[str, ...], changed: dict[str, str]) -> list[str]:
    """Return the columns that differ from those of this machine's own choices."""
    expected, found = trained(names), trained(names, tuple(sorted(changed.items())))
    assert found.keys() == expected.keys()
    # Digits have few diagnostics.
    assert all(sum(key.startswith(f"{name}:") for key in found) > LEAST.get(name, 40) for name in names)
    return [column for column, bits in expected.items() if found[column] != bits]


def test_the_plainest_libraries_and_threads_change_no_bit_of_a_run() -> None:
    assert differing(QUICK_RUNS, PLAINEST | LIBRARIES["two threads"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_no_library_changes_a_bit_of_any_run(name: str) -> None:
    assert differing(tuple(RUNS), LIBRARIES[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBA)
def test_no_processor_changes_a_bit_of_any_run(name: str) -> None:
    assert differing(tuple(RUNS), NUMBA[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", OPENBLAS)
def test_openblas_changes_no_bit_of_any_run(name: str) -> None:
    assert differing(tuple(RUNS), OPENBLAS[name]) == []


if __name__ == "__main__":
    print(json.dumps({key: bits for name in sys.argv[1:] for key, bits in columns(name).items()}))
