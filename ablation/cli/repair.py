"""`replay-ablation repair`: reads every stored run in full and sets the damaged ones aside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hydra.types import RunMode

from ablation.cli.compose import CONFIG_NAME, Composer, to_plain
from ablation.cli.config_errors import config_loader
from ablation.cli.terminal import plural
from ablation.results.integrity import damage_of
from ablation.store.runs import Store
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.config import parse_sweep_config
from ablation.sweep.repair import set_aside_damaged, set_aside_half_written


def repair(config_directory: str, arguments: Sequence[str]) -> None:
    """Quarantine what is damaged below `results_dir`, of whichever study; print a line for each run."""
    with config_loader(config_directory) as loader:
        words = Composer(loader).read(arguments).rest
        values = to_plain(loader.load_configuration(CONFIG_NAME, words, RunMode.RUN))
    store = Store(parse_sweep_config(values).results_dir)
    claims = RunClaims(store.root, ClaimOwner.this_process("repair"))
    # Directories that are not named by us are not ours to move.
    keys = [key for key in store.run_keys() if key.ends_in_hash]
    lines = list(set_aside_damaged(store, claims, keys, partial(damage_of, store)))
    lines += set_aside_half_written(store, claims)
    print(*lines, sep="\n", end="\n" if lines else "")
    after = "; the next sweep trains them again" if lines else ""
    print(f"{plural(len(keys), 'run')} checked, {len(lines)} set aside{after}.")
