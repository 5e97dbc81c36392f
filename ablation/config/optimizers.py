"""The optimizers that an agent can have; each backend implements them under the same names."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.config.registry import Registry


@dataclass(frozen=True)
class Optimizer:
    """An optimizer, and the keys of `agent` that it reads: others leave them out of the identity."""

    name: str
    reads: frozenset[str]


ADAM = frozenset({"adam_epsilon", "adam_betas"})

OPTIMIZERS = Registry(
    "agent.optimizer",
    [
        Optimizer("adam", ADAM),
        Optimizer("adamw", ADAM),
        Optimizer("rmsprop", frozenset({"rmsprop_decay", "rmsprop_epsilon", "rmsprop_epsilon_enters"})),
        Optimizer("sgd", frozenset({"sgd_momentum"})),
    ],
)
