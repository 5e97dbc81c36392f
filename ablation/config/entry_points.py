"""Names that installed packages give to their components, by entry points in their metadata.

A package of samplers declares, for example:

    [project.entry-points."replay_ablation.samplers"]
    recency = "my_lab.samplers:Recency"

Then `replay.kind: recency` stands for the import path. Losses, networks and optimizers belong to
`replay_ablation.agents`. In `replay_ablation.envs` the name is the id, the value the module that
registers it: `"Maze-v0" = "my_lab.mazes"`. Names of ours come first.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from ablation.config.losses import LOSSES
from ablation.config.optimizers import OPTIMIZERS
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.tasks import BATCHED

SAMPLERS, AGENTS, ENVS = (f"replay_ablation.{kind}" for kind in ("samplers", "agents", "envs"))

_KEYS: tuple[tuple[str, str, str, Container[str]], ...] = (
    ("replay", "kind", SAMPLERS, REPLAY_KINDS),
    ("replay", "eviction", SAMPLERS, ("fifo", "random")),
    ("agent", "loss", AGENTS, LOSSES),
    ("agent", "optimizer", AGENTS, OPTIMIZERS),
    ("agent", "network", AGENTS, ()),
    ("env", "id", ENVS, BATCHED),
)
"""Section, key, group of entry points, and the names that are ours."""


def with_import_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a cell with names of installed packages replaced by import paths."""
    changed = dict(values)
    for section, key, group, ours in _KEYS:
        name = (values.get(section) or {}).get(key)
        if isinstance(name, str) and ":" not in name and name not in ours and name in _declared(group):
            path = _declared(group)[name]
            path = f"{path}:{name}" if group == ENVS else path
            changed[section] = {**changed[section], key: path}
    return changed


@cache
def _declared(group: str) -> dict[str, str]:
    return {entry.name: entry.value for entry in entry_points(group=group)}
