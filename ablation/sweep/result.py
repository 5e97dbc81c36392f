"""How a sweep ended."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.sweep.inventory import RunInventory


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended: `stopped` by Ctrl-C, `broken` says why nothing could be trained.

    `given_up` says why no more workers were launched, `detached` which jobs go on without the sweep.
    """

    inventory: RunInventory
    stopped: bool = False
    broken: str | None = None
    given_up: str | None = None
    detached: str | None = None
