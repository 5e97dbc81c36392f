"""Sets aside what is damaged in a store, so that the next sweep trains it again; deletes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ablation.results.integrity import inspect
from ablation.store.runs import RunKey, Store
from ablation.sweep.claims import RunClaims


def damage_at_a_glance(store: Store, key: RunKey) -> str | None:
    """Return what is wrong with a run, the bytes of its tables left aside."""
    return inspect(store, key)[1]


def set_aside_damaged(
    store: Store, claims: RunClaims, keys: Iterable[RunKey], damage_of: Callable[[RunKey], str | None]
) -> Iterator[str]:
    """Quarantine the runs that are damaged and that nobody trains; yield a line for each."""
    for key in keys:
        if damage_of(key) is None:
            continue
        with claims.claimed(key) as is_mine:
            # Another owner may have trained it again meanwhile.
            damage = damage_of(key)
            if is_mine and damage:
                yield f"{key.cell} seed {key.seed}: {damage}; moved to {store.quarantine(key)}"


def remove_claims_of_the_dead(claims: RunClaims) -> None:
    """Remove the claims that killed processes left on runs."""
    for key in claims.living(alive=False):
        with claims.claimed(key):
            # Taken over, and given up.
            pass


def set_aside_half_written(store: Store, claims: RunClaims) -> Iterator[str]:
    """Quarantine what killed writers left of runs that nobody trains; yield a line for each."""
    for key, directory in store.half_written():
        with claims.claimed(key) as is_mine:
            if is_mine and directory.exists():
                moved = store.quarantine(key, directory)
                yield f"{key.cell} seed {key.seed}: half written; moved to {moved}"
