"""A study of four arms, as study files declare them."""

from __future__ import annotations

from typing import Any

from ablation.study.declaration import parse_study

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
