"""Which runs of a comparison were computed by another arithmetic: they are not mixed with the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ablation.config.source_modules import is_component
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey
from ablation.study.plan import Plan

OTHER_ARITHMETIC = "other arithmetic"
"""The status of a run that ended but is left out of comparisons."""


class Arithmetic(NamedTuple):
    """The fingerprint of a run's arithmetic, and what computes in its cell.

    Fingerprints are only compared where the rest is equal: a study may compare backends, or a sampler
    of one's own, whose fingerprint has results of NumPy and PyTorch as well, with built-in ones.
    """

    fingerprint: str | None
    trained_by: str | None
    stepped_by: str | None
    own_code: bool = False


def arithmetic_of(record: RunRecord) -> Arithmetic:
    """Return the arithmetic that a record names."""
    backends = record.setting("agent", "backend"), record.setting("env", "backend")
    own_code = any(is_component(record.setting("replay", part)) for part in ("kind", "eviction"))
    return Arithmetic(record.arithmetic, *backends, own_code)


def other_arithmetic(
    plan: Plan, arithmetic: Mapping[RunKey, Arithmetic]
) -> dict[RunKey, tuple[Arithmetic, Arithmetic]]:
    """Return the runs that are left out, each with its own arithmetic and that of the runs that stay.

    Of the runs of an environment those of the larger group stay, among equal ones the group whose run
    comes first in the plan. `arithmetic` has the runs that ended.
    """
    environments = {arm.cell: arm.environment for arm in plan.arms}
    keys = [key for key in plan.runs() if key in arithmetic]
    groups: dict[tuple[object, ...], Counter[Arithmetic]] = {}
    for key in keys:
        own = arithmetic[key]
        groups.setdefault((environments[key.cell], *own[1:]), Counter())[own] += 1
    largest = {name: group.most_common(1)[0][0] for name, group in groups.items()}
    left_out = {}
    for key in keys:
        own = arithmetic[key]
        kept = largest[(environments[key.cell], *own[1:])]
        if own != kept:
            left_out[key] = own, kept
    return left_out
