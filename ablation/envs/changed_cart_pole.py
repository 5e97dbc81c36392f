"""Gymnasium's CartPole with another pole, another force or other start states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

ATTRIBUTES = {"half_length": "length", "mass_pole": "masspole", "force": "force_mag"}
"""Gymnasium's names of the fields of `classic_control.CartPole`."""


class ChangedCartPole(gymnasium.Wrapper[Any, Any, Any, Any]):
    """CartPole with `physics`: fields of `classic_control.CartPole` and their values."""

    def __init__(self, environment: gymnasium.Env[Any, Any], physics: Mapping[str, float]) -> None:
        super().__init__(environment)
        inner: Any = environment.unwrapped
        for field, name in ATTRIBUTES.items():
            setattr(inner, name, physics.get(field, getattr(inner, name)))
        # What Gymnasium derives from them once.
        inner.total_mass = inner.masspole + inner.masscart
        inner.polemass_length = inner.masspole * inner.length
        start = physics.get("start_range")
        self._bounds = None if start is None else {"low": -start, "high": start}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, within the start range if one is given."""
        return self.env.reset(seed=seed, options=options or self._bounds)
