"""Compares the runs that a plan expects with those on disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ablation.results.arithmetic import Arithmetic, arithmetic_of
from ablation.results.integrity import inspect
from ablation.store.run_record import CORRUPT, ENDED, MISSING, RUNNING, has_attempts_left
from ablation.store.runs import RunKey, Store


@dataclass(frozen=True)
class RunInventory:
    """The status of every expected run: one of the store's, or `missing`, `running`, `corrupt`.

    `errors` has the runs that have one, `damage` the corrupt ones, `attempts` those that ended;
    `arithmetic` has the runs with data that counts.
    """

    statuses: dict[RunKey, str]
    errors: dict[RunKey, str] = field(default_factory=dict)
    damage: dict[RunKey, str] = field(default_factory=dict)
    attempts: dict[RunKey, int] = field(default_factory=dict)
    arithmetic: dict[RunKey, Arithmetic] = field(default_factory=dict)
    failed_diagnostics: dict[RunKey, dict[str, str]] = field(default_factory=dict)
    """The exceptions of the diagnostics that stored runs lack."""
    same_failures: set[RunKey] = field(default_factory=set)
    """The runs whose last two attempts failed at the same step in the same way."""

    @property
    def to_do(self) -> list[RunKey]:
        """Return the runs that are neither complete nor diverged, in their order."""
        return [key for key, status in self.statuses.items() if status not in ENDED]

    def due(self, allowed: Callable[[RunKey], int], max_attempts: int = 1) -> list[RunKey]:
        """Return the runs to train: those to do with attempts left; see `has_attempts_left`."""
        return [
            key
            for key in self.to_do
            if has_attempts_left(
                self.attempts.get(key, 0), key in self.same_failures, allowed(key), max_attempts
            )
        ]

    def with_status(self, status: str) -> list[RunKey]:
        """Return the runs that have this status, in their order."""
        return [key for key, own in self.statuses.items() if own == status]


def read_inventory(
    store: Store, expected: Iterable[RunKey], claimed: Collection[RunKey] = ()
) -> RunInventory:
    """Return the inventory of the expected runs, read from the store.

    `claimed` are the runs that a living process trains: they count as running until they have ended.
    """
    inventory = RunInventory({})
    for key in expected:
        record, damage = inspect(store, key)
        status = record.status if record else MISSING
        if damage is not None:
            status, inventory.damage[key] = CORRUPT, damage
        elif record is not None:
            inventory.attempts[key] = record.attempt
            if record.same_failure:
                inventory.same_failures.add(key)
            if status in ENDED:
                inventory.arithmetic[key] = arithmetic_of(record)
            if record.failed_diagnostics:
                inventory.failed_diagnostics[key] = record.failed_diagnostics
            if record.error:
                inventory.errors[key] = record.error
        running = key in claimed and status not in ENDED
        inventory.statuses[key] = RUNNING if running else status
    return inventory
