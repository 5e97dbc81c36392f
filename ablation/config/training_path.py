"""Which of the two backends trains a cell, and whether its numbers depend on the processor."""

from __future__ import annotations

from typing import Literal

from ablation.config.schema import AgentConfig, CellConfig
from ablation.config.source_modules import is_component
from ablation.config.tasks import stepped_by, task_of

TrainedBy = Literal["compiled", "torch"]

COMPILED = {"backend": "auto", "network": None, "activation": "relu", "layer_norm": False}
"""Keys of `agent` that compiled loops know at one value only."""


def trained_by(agent: AgentConfig, device: str = "cpu") -> TrainedBy:
    """Return the backend that trains an agent: compiled loops, on the processor only, or PyTorch."""
    return "compiled" if why_torch(agent, device) is None else "torch"


def why_torch(agent: AgentConfig, device: str = "cpu") -> str | None:
    """Return what keeps compiled loops from training an agent, None where they do."""
    if device != "cpu":
        return f"device={device}"
    for key, compiled in COMPILED.items():
        value = getattr(agent, key)
        if value != compiled:
            return f"agent.{key}={value}"
    for key in ("loss", "optimizer"):
        value = getattr(agent, key)
        if is_component(value):
            return f"agent.{key}={value}"
    return None


def is_portable(config: CellConfig, device: str = "cpu") -> bool:
    """Return whether a cell computes by our compiled loops alone, additions in one fixed order.

    Such a cell has the same numbers on every x86-64 processor with fused multiply-add. Other
    environments, and PyTorch, use libraries that choose their instructions by the processor: there the
    numbers are the same on one machine with the same versions.
    """
    return why_not_portable(config, device) is None


def why_not_portable(config: CellConfig, device: str = "cpu") -> str | None:
    """Return which library's arithmetic a cell's numbers depend on, None for a portable one."""
    reason = why_torch(config.agent, device)
    if reason is not None:
        return f"trained by PyTorch ({reason})"
    if stepped_by(config.env) != "tensor" and not task_of(config.env.id).portable:
        return f"{config.env.id} computes by other libraries"
    own = [path for path in (config.replay.kind, config.replay.eviction) if is_component(path)]
    if own:
        return f"{own[0]} computes by code of your own"
    return None
