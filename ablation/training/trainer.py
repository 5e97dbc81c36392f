"""The interface of everything that trains the runs of a job: agents, classifiers, tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ablation.store.records import Records

OnPeriod = Callable[[], object]
"""Called after every evaluation, at every step that logs, and at the end."""


def nothing() -> None:
    """Do nothing, as an `OnPeriod`."""


class Trainer(Protocol):
    """All lanes of one job between two environment steps.

    It is made from (configuration, seeds, device, threads) at the beginning of its runs; threads, where
    it uses them, share its lanes and make no difference to the numbers.
    """

    env_step: int
    """Environment steps that every lane has taken."""
    records: Records
    """What the runs have yielded so far."""

    @property
    def gradient_steps(self) -> int:
        """Gradient steps that every lane has taken."""

    @property
    def done(self) -> bool:
        """Whether the run is at its end, or every lane has ended early."""

    def run(self, until: int | None = None, on_period: OnPeriod = nothing) -> Records:
        """Train to the end of the run, or `until` an environment step, and return its records."""

    def advance(self, steps: int) -> None:
        """Take environment steps, learning and logging as configured, without evaluation."""

    def state(self) -> dict[str, Any]:
        """Return the state from which `restore` goes on bit by bit as this trainer would."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned, in a trainer of the same cell and seeds."""

    def policy(self, lane: int) -> bytes | None:
        """Return the file of a lane's trained network, None where there is nothing to act by."""

    def close(self) -> None:
        """Release what the trainer holds."""
