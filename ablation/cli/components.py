"""Tries the samplers and eviction rules of a plan before it is trained, each in a process of its own.

A trial takes a few seconds and is remembered below the results, by the class's code and options.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ablation.checks.trial import ANSWER, small
from ablation.config.cell import Cell
from ablation.config.source import fingerprints
from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError
from ablation.store.files import write_json

SECONDS = 120.0
"""Time after which a component that has not come through is refused."""


def try_components(cells: Iterable[Cell], results_dir: Path) -> None:
    """Raise `ConfigError` for the first component of a cell that does not come through its trial."""
    for cell in cells:
        replay = cell.config.replay
        chosen = {"replay.kind": replay.kind, "replay.eviction": replay.eviction}
        own = {key: path for key, path in chosen.items() if is_component(path)}
        if not own:
            continue
        options = [replay.options, replay.eviction_options, replay.n_step, replay.combined]
        parts = json.dumps([own, fingerprints(own), options], sort_keys=True, default=str)
        known = results_dir / "components" / hashlib.sha256(parts.encode()).hexdigest()[:16]
        if known.exists():
            continue
        said = _try(cell)
        if said:
            key, path = next(iter(own.items()))
            raise ConfigError(key, path, said)
        with suppress(OSError):
            write_json(known, own)


def _try(cell: Cell) -> str:
    """Return what is wrong with a cell's component, nothing if it came through."""
    paths = [path for path in sys.path if path]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ablation.checks.trial"],
            input=pickle.dumps(small(cell.config)),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    except subprocess.TimeoutExpired:
        return f"hangs (no answer within {SECONDS:g} s)"
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return f"ends the process (exit status {done.returncode}): {last}"
    return done.stdout.decode(errors="replace").rpartition(ANSWER)[2].strip()
