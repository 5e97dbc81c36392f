"""Whether a stored run is what its directory says: the checks of the store, and its configuration's."""

from __future__ import annotations

from ablation.config.identity import name_of
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store


def inspect(store: Store, key: RunKey) -> tuple[RunRecord | None, str | None]:
    """Return a run's record, if it has one, and what is wrong with it, if anything.

    Looks at names, types and sizes, not at the bytes of tables: `damage_of` does.
    """
    record, damage = store.inspect(key)
    if record is None or damage is not None or is_named(record, key):
        return record, damage
    return record, "the configuration in run.json is another one than its directory is named by"


def damage_of(store: Store, key: RunKey) -> str | None:
    """Return what is wrong with a stored run, its tables read in full; None for nothing."""
    _, damage = inspect(store, key)
    if damage is not None:
        return damage
    try:
        altered = store.altered_tables(key)
    except OSError as error:
        return f"its tables cannot be read ({error.strerror})"
    return f"{', '.join(altered)}: another checksum than in run.json" if altered else None


def is_named(record: RunRecord, key: RunKey) -> bool:
    """Return whether a record's configuration is the one that the run's cell is named by."""
    try:
        return name_of(record.config) == key.cell
    # The configuration may hold anything.
    except (KeyError, TypeError, AttributeError):
        return False
