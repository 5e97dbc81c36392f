"""A study of four arms, as study files declare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablation.study.declaration import parse_study
from ablation.sweep.config import SweepConfig, parse_sweep_config

STUDY: dict[str, Any] = {
    "name": "s",
    "question": "?",
    "environments": ["CartPole-v1"],
    "baseline": {"replay.capacity": 64},
    "factors": {
        "capacity": {"key": "replay.capacity", "levels": [16, 64, 500, 1000]},
        "kind": {"levels": {"off": {"replay.kind": "none"}, "small": {"replay.capacity": 16}}},
    },
    "design": "one_factor_at_a_time",
    "seeds": 3,
    "primary_score": "final",
}


def study(**changes: Any) -> Any:
    return parse_study(STUDY | changes)


def sweep_settings(
    results: Path = Path("r"), jobs: int = 2, lanes: int = 4, **changes: Any
) -> SweepConfig:
    """Return the settings of a sweep of some workers with so many parallel seeds a job."""
    launch = {
        "jobs": jobs,
        "lanes_per_job": lanes,
        "checkpoint_seconds": 60,
        "max_attempts": 3,
        "timeout_minutes": None,
        "memory_gb": None,
    }
    tracking = {"mode": "disabled", "project": "p", "entity": None}
    values = {"device": "cpu", "results_dir": results, "tracking": tracking, "launch": launch}
    return parse_sweep_config(values | changes)
