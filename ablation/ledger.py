"""Which of the expected runs are there: the cells of a plan against the runs on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ablation.store import ENDED, RunKey, Store

MISSING = "missing"


@dataclass(frozen=True)
class Ledger:
    """The status of every expected run: one of the store's statuses, or `missing`."""

    statuses: dict[RunKey, str]
    errors: dict[RunKey, str] = field(default_factory=dict)

    @property
    def to_do(self) -> list[RunKey]:
        """Return the runs that have not ended with data that counts, in their order."""
        return [key for key, status in self.statuses.items() if status not in ENDED]

    def with_status(self, status: str) -> list[RunKey]:
        """Return the runs that have this status, in their order."""
        return [key for key, found in self.statuses.items() if found == status]


def take_stock(store: Store, expected: Iterable[RunKey]) -> Ledger:
    """Return the ledger of the expected runs, read from the store."""
    statuses: dict[RunKey, str] = {}
    errors: dict[RunKey, str] = {}
    for key in expected:
        record = store.read_record(key) or {}
        statuses[key] = record.get("status", MISSING)
        if record.get("error"):
            errors[key] = record["error"]
    return Ledger(statuses, errors)
