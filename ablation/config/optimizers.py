"""The optimizers that an agent can have; each backend implements them under the same names."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.config.registry import Registry


@dataclass(frozen=True)
class Optimizer:
    """An optimizer, and the keys of `agent` that it reads: others leave them out of the identity."""

    name: str
    reads: frozenset[str]


OPTIMIZERS = Registry(
    "agent.optimizer",
    [
        Optimizer("adam", frozenset({"adam_epsilon"})),
        Optimizer("rmsprop", frozenset({"rmsprop_decay", "rmsprop_epsilon", "rmsprop_epsilon_enters"})),
    ],
)
