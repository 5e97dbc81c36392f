"""Losses of the user's: of a network that has its own, or named by import path.

    def loss(online, target, batch, weights): return losses, errors

`online` and `target` are networks (`LaneNetwork`), `batch` maps `observation`, `next_observation`
`[B, *shape]`, `action`, `reward`, `discount` `[B]` and `next_action` (see `LaneBatch`). The loss has
multiplied `losses [B]` by `weights [B]`; their mean is minimized. Priorities are made of `errors [B]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.agent.backend import Update
from ablation.agent.stacked_module import StackedModule, over_lanes
from ablation.config.registry import load_component
from ablation.config.schema import AgentConfig
from ablation.config.source_modules import is_component

Network = Callable[[Tensor], Tensor]
OwnLoss = Callable[[Network, Network, Mapping[str, Tensor], Tensor], tuple[Tensor, Tensor]]

IMAGES = ("observation", "next_observation")


class LaneBatch(dict[str, Tensor]):
    """A lane's batch. `next_action [B]` is the greedy one in the next observation.

    The network that selects it is the online one with `agent.double_q`, else the target network. It is
    computed when it is asked for.
    """

    def __init__(self, values: Mapping[str, Tensor], selecting: Network) -> None:
        super().__init__(values)
        self._selecting = selecting

    def __missing__(self, name: str) -> Tensor:
        if name != "next_action":
            raise KeyError(name)
        with torch.no_grad():
            self[name] = self._selecting(self["next_observation"]).argmax(dim=-1)
        return self[name]


def own_loss(config: AgentConfig, network: Any) -> OwnLoss | None:
    """Return the loss that `agent.loss` names by import path, else the network's own, else None."""
    if is_component(config.loss):
        loss: OwnLoss = load_component(config.loss)
        return loss
    return getattr(network.module, "loss", None) if isinstance(network, StackedModule) else None


def losses_of_lanes(
    loss: OwnLoss,
    network: Any,
    double_q: bool,
    parameters: tuple[Tensor, Tensor],
    noise: list[Tensor],
    batch: Mapping[str, Tensor],
    weights: Tensor,
) -> Update:
    """Return errors, losses and values `[L, B]`, given online and target parameters `[L, P]`."""

    def of_lane(
        rows: tuple[Tensor, Tensor],
        constants: Mapping[str, Tensor],
        noise: list[Tensor],
        batch: Mapping[str, Tensor],
        weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        pairs = zip(rows, noise, strict=True)
        online, target = (network.lane(row, constants, drawn) for row, drawn in pairs)
        losses, errors = loss(online, target, LaneBatch(batch, online if double_q else target), weights)
        with torch.no_grad():
            values = online(batch["observation"]).gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        return errors, losses, values

    shaped = {
        name: values.view(*values.shape[:2], *network.shape) if name in IMAGES else values
        for name, values in batch.items()
    }
    return Update(*over_lanes(of_lane, parameters, network.constants, noise, shaped, weights))
