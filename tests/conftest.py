"""Shared helpers: a small valid configuration and ways to change it."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from ablation.numerics.library_settings import library_settings

os.environ.update(library_settings())

import torch

from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.diagnostics import probe

# A measure that fails is a fault of ours; only in a user's sweep does the run go on without it.
probe.RAISES = True

SMALL: dict[str, Any] = {
    "env": {"id": "CartPole-v1", "backend": "auto"},
    "agent": {
        "hidden_sizes": [16, 16],
        "batch_size": 8,
        "learning_rate": 1e-3,
        "adam_epsilon": 1e-8,
        "discount": 0.99,
        "time_limit_bootstrap": True,
        "loss": "huber",
        "double_q": False,
        "max_gradient_norm": None,
        "target_network": True,
        "target_update_period": 20,
        "target_update_unit": "env_steps",
        "learn_period": 1,
        "replay_ratio": None,
        "exploration_epsilon": {"start": 1.0, "end": 0.1, "steps": 100},
    },
    "replay": {
        "kind": "uniform",
        "capacity": 64,
        "oldest_policy": None,
        "min_replay_size": 16,
        "eviction": "fifo",
        "replacement": True,
        "combined": False,
        "n_step": 1,
        "priority_exponent": 0.6,
        "priority_epsilon": 1e-6,
        "priority_epsilon_enters": "error",
        "new_priority": "max_seen",
        "stratified": True,
        "uniform_share": 0.0,
        "importance_sampling_exponent": {"start": 0.4, "end": 1.0},
        "weight_normalisation": "batch_max",
        "priority_refresh_period": 10,
    },
    "train": {
        "hold_fixed": "env_steps",
        "gradient_steps": None,
        "env_steps": 200,
        "evaluate_every": 50,
        "evaluation_episodes": 2,
        "log_every": 25,
    },
}

Configure = Callable[..., CellConfig]
Command = Callable[..., str]


def values(**changes: Any) -> dict[str, Any]:
    """Return the small configuration with dotted keys (`replay__kind="none"`) changed."""
    plain = deepcopy(SMALL)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        plain[section][key] = value
    return plain


@pytest.fixture
def configure() -> Configure:
    return lambda **changes: parse(values(**changes))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command in this process, checks its exit status, and returns what it printed.

    Of one that fails that is what it printed of errors.
    """

    def run(*words: str, status: int = 0) -> str:
        # Importing it sets environment variables.
        from ablation.__main__ import main

        monkeypatch.setattr("sys.argv", ["replay-ablation", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert int(ended.value.code or 0) == status, printed
        assert "Traceback" not in printed.err
        return printed.err if status else printed.out

    return run


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


LONGEST = (
    "test_recovery",
    "test_tuning",
    "test_sweep",
    "test_wandb_server",
    "test_wandb_failures",
    "test_golden",
    "test_first_pages",
)
"""Files that take longest: a worker that got one last would keep the others waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; workers take the tests of one file or class at a time."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
