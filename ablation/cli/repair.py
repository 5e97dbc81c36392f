"""`replay-ablation repair`: reads every stored run in full and sets the damaged ones aside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ablation.cli.messages import plural
from ablation.cli.open_study import open_study
from ablation.results.integrity import damage_of
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.repair import set_aside_damaged, set_aside_half_written


def repair(config_directory: str, arguments: Sequence[str]) -> None:
    """Quarantine what is damaged below `results_dir`, of whichever study; print a line for each run."""
    store = open_study(config_directory, arguments).store
    claims = RunClaims(store.root, ClaimOwner.this_process("repair"))
    # Directories that are not named by us are not ours to move.
    keys = [key for key in store.run_keys() if key.ends_in_hash]
    lines = list(set_aside_damaged(store, claims, keys, partial(damage_of, store)))
    lines += set_aside_half_written(store, claims)
    print(*lines, sep="\n", end="\n" if lines else "")
    after = "; the next sweep trains them again" if lines else ""
    print(f"{plural(len(keys), 'run')} checked, {len(lines)} set aside{after}.")
