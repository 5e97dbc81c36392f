"""Numbers of short runs: a hash of the stored rows of each, and one `run.json`.

The libraries' kernels are set to the plainest that any x86-64 machine has, so that the numbers do not
depend on the processor.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from numpy._core._multiarray_umath import __cpu_dispatch__

from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.store.files import read_json
from ablation.store.runs import TABLES, RunKey, Store
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig
from tests.conftest import values

KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
    "NUMBA_CPU_NAME": "x86-64",
    "NUMBA_CPU_FEATURES": "",
    "OPENBLAS_CORETYPE": "Prescott",
}

DQN = {"agent__double_q": True, "agent__max_gradient_norm": 1.0}
PRIORITIZED = DQN | {"replay__kind": "proportional"}
CHAIN = {"env__id": "BlindCliffwalk-4", "agent__batch_size": 1, "replay__min_replay_size": 1}
MINATAR = DQN | {
    "env__id": "MinAtar/Breakout",
    "agent__convolutions": [{"filters": 4, "kernel_size": 3}],
}

CELLS: dict[str, dict[str, Any]] = {
    **{
        kind: DQN | {"replay__kind": kind}
        for kind in ("none", "recent", "uniform", "proportional", "rank")
    },
    "greedy": DQN | {"replay__kind": "greedy"},
    "oracle": CHAIN | {"replay__kind": "oracle"},
    "n_step_3": PRIORITIZED | {"replay__n_step": 3},
    "combined": DQN | {"replay__combined": True},
    "without_replacement": PRIORITIZED | {"replay__stratified": False, "replay__replacement": False},
    "pool_max": PRIORITIZED | {"replay__weight_normalisation": "pool_max"},
    "uniform_share": PRIORITIZED | {"replay__uniform_share": 0.25},
    "rmsprop": DQN | {"agent__optimizer": "rmsprop", "agent__rmsprop_epsilon_enters": "variance"},
    "convolutions": MINATAR,
    "digits": DQN | {"env__id": "digits"},
    "cliffwalk": CHAIN,
    "gymnasium": DQN | {"env__id": "Acrobot-v1", "env__backend": "gymnasium"},
    "random_eviction": PRIORITIZED | {"replay__eviction": "random"},
    "moving_exponent": DQN
    | {"replay__kind": "rank", "replay__priority_exponent": {"start": 0.9, "end": 0.4}},
    "replay_ratio": DQN | {"agent__learn_period": None, "agent__replay_ratio": 2.0},
    "gradient_steps": DQN
    | {"train__hold_fixed": "gradient_steps", "train__env_steps": None, "train__gradient_steps": 100},
}
"""What each run changes of the tests' small configuration."""

COMMON = ("torch", "numpy", "scipy", "numba")
LIBRARIES = {
    "convolutions": (*COMMON, "gymnasium", "minatar"),
    "digits": (*COMMON, "scikit-learn"),
    "gymnasium": (*COMMON, "gymnasium"),
}
"""The libraries whose versions a run's numbers depend on, where they are not just the common ones."""

VARYING = (
    "started",
    "ended",
    "steps_per_second",
    "peak_rss_bytes",
    "arithmetic",
    "portable",
    "git_commit",
    "git_dirty",
)
"""Keys of `run.json` that depend on when and where a run is trained."""


def releases(name: str) -> str:
    """Return the versions of the libraries that a run's numbers depend on, as they are installed."""
    return ", ".join(f"{library} {_release(library)}" for library in LIBRARIES.get(name, COMMON))


def row_hash(name: str) -> str:
    """Return a hash over the rows of one run, as they are read from its files."""
    with tempfile.TemporaryDirectory() as root:
        store, cell = _trained(name, root)
        rows = [store.read_table(RunKey(cell, 1), table).to_pylist() for table in TABLES]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def hashes() -> dict[str, dict[str, str]]:
    """Return the hash of each run whose libraries are installed, by those libraries' versions."""
    return {name: {releases(name): row_hash(name)} for name in CELLS if "missing" not in releases(name)}


def record() -> dict[str, Any]:
    """Return a run's `run.json`, with types in the place of values that depend on when and where."""
    with tempfile.TemporaryDirectory() as root:
        store, cell = _trained("uniform", root)
        stored: dict[str, Any] = read_json(store.run_directory(RunKey(cell, 1)) / "run.json")
    git = {"git_commit": str, "git_dirty": bool}
    for key in VARYING:
        # Outside of a git checkout there is no commit.
        kind = git.get(key, type(stored[key])) if stored[key] is None else type(stored[key])
        stored[key] = kind.__name__
    types = {key: _types(stored[key]) for key in ("versions", "processor", "checksums")}
    return stored | types


def _types(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in values.items()}


def _release(library: str) -> str:
    try:
        return version(library).split("+")[0]
    except PackageNotFoundError:
        return "missing"


def _trained(name: str, root: str) -> tuple[Store, str]:
    config = parse(values(**CELLS[name]))
    cell, store = cell_name(config), Store(root)
    job = JobSpec("golden", cell, [0, 1, 2], "golden", {}, "golden", "?", "cpu", 1e9)
    run_job(config, job, TrackingConfig("disabled", "golden", None), store)
    return store, cell
