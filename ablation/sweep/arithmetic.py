"""Whether training runs again on this machine would give them the arithmetic of the others."""

from __future__ import annotations

from collections.abc import Mapping

from ablation.config.validation import ConfigError
from ablation.results.arithmetic import Arithmetic
from ablation.store.runs import RunKey
from ablation.study.plan import Plan


def check_arithmetic(plan: Plan, wanted: Mapping[RunKey, Arithmetic], device: str) -> None:
    """Raise `ConfigError` where this machine does not compute as most stored runs were computed."""
    if not wanted:
        return
    from ablation.training.fingerprint import fingerprint

    for cell, kept in {key.cell: kept for key, kept in wanted.items()}.items():
        mine = fingerprint(plan.configured[cell].config, device)
        if mine != kept.fingerprint:
            allowed = (
                f"most runs were trained by the arithmetic {kept.fingerprint or 'unknown'} and this "
                f"machine has {mine}: run the same command on a machine that has theirs"
            )
            raise ConfigError("retry", "arithmetic", allowed)
