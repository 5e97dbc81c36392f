"""Makes the golden runs: one short run per replay kind, hashed. `python -m tests.golden` prints them.

The libraries' kernels are set to the plainest that any x86-64 machine has, so that the numbers do not
depend on the processor.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from numpy._core._multiarray_umath import __cpu_dispatch__

KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
    "NUMBA_CPU_NAME": "x86-64",
    "NUMBA_CPU_FEATURES": "",
    "OPENBLAS_CORETYPE": "Prescott",
}
FILE = Path(__file__).parent / "golden.json"
LIBRARIES = ("torch", "numpy", "scipy", "numba")
KINDS = ("none", "recent", "uniform", "proportional", "rank")


def releases() -> str:
    """Return the versions of the libraries that the numbers come from."""
    return ", ".join(f"{name} {version(name).split('+')[0]}" for name in LIBRARIES)


def hashes() -> dict[str, str]:
    """Return a hash over the rows of a short run of each kind, as they are read from its files."""
    from ablation.config.identity import cell_name
    from ablation.config.parse import parse
    from ablation.store.runs import TABLES, RunKey, Store
    from ablation.sweep.job import run_job
    from ablation.sweep.queue import JobSpec
    from ablation.tracking import TrackingConfig

    from .conftest import values

    found = {}
    for kind in KINDS:
        config = parse(values(replay__kind=kind, agent__double_q=True, agent__max_gradient_norm=1.0))
        cell = cell_name(config)
        job = JobSpec("golden", cell, [0, 1, 2], "golden", {}, "golden", "?", "cpu", 1e9)
        with tempfile.TemporaryDirectory() as root:
            store = Store(root)
            run_job(config, job, TrackingConfig("disabled", "golden", None), store, lambda _: {})
            rows = [store.read_table(RunKey(cell, 1), name).to_pylist() for name in TABLES]
        found[kind] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    return found


if __name__ == "__main__":
    missing = {name: value for name, value in KERNELS.items() if os.environ.get(name) != value}
    if missing:
        os.execve(sys.executable, [sys.executable, "-m", "tests.golden"], os.environ | KERNELS)
    print(json.dumps({releases(): hashes()}))
