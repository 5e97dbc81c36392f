"""The losses that an agent can minimize; each backend implements them under the same names."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.config.registry import Registry


@dataclass(frozen=True)
class Loss:
    """A loss, and the keys of `agent` that it alone reads: others leave them out of the identity."""

    name: str
    reads: frozenset[str] = frozenset()


LOSSES = Registry(
    "agent.loss", [Loss("huber", frozenset({"huber_threshold"})), Loss("squared"), Loss("next_value")]
)
