"""Measures of batches, networks and gradients, for all lanes at once.

`docs/diagnostics.md` has the formulas. Every function maps tensors whose first axis is the lane to
`[L]`, float64. An undefined measure, such as a correlation within a batch of one, is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
DORMANT = 0.025
"""Share of its layer's mean activation up to which a unit counts as dormant (Sokar et al. 2023)."""


def quantiles(values: Tensor) -> dict[str, Tensor]:
    """Return the 10, 50 and 90 % quantiles of `values [L, N]`, interpolated, by name."""
    values = values.double()
    fractions = torch.tensor(list(QUANTILES.values()), dtype=torch.float64)
    return dict(zip(QUANTILES, torch.quantile(values, fractions, dim=1), strict=True))


def duplicate_share(slots: Tensor) -> Tensor:
    """Return the share of a batch's draws `[L, B]` that repeat another draw of the batch."""
    ordered = slots.sort(dim=1).values
    return (ordered[:, 1:] == ordered[:, :-1]).sum(dim=1) / slots.shape[1]


def adjacent_share(stored: Tensor) -> Tensor:
    """Return the share of a batch's items whose successor in time is in it, by `stored [L, B]`."""
    ordered = stored.sort(dim=1).values
    after = stored + 1
    index = torch.searchsorted(ordered, after).clamp(max=stored.shape[1] - 1)
    return (ordered.gather(1, index) == after).double().mean(dim=1)


def autocorrelation(observation: Tensor, stored: Tensor) -> Tensor:
    """Return the lag-1 autocorrelation of a batch's observations `[L, B, O]` in order of `stored`.

    The mean over the components that vary in the batch.
    """
    order = stored.sort(dim=1, stable=True).indices.unsqueeze(-1)
    values = observation.double().gather(1, order.expand(observation.shape)).mT.contiguous()
    values = values - values.mean(dim=2, keepdim=True)
    products = (values[..., 1:] * values[..., :-1]).sum(dim=2)
    return (products / values.square().sum(dim=2)).nanmean(dim=1)


def distance(batch: Tensor, reference: Tensor) -> Tensor:
    """Return how far the observations `[L, B, O]` lie from the reference's `[L, R, O]`.

    Wasserstein's distance between the marginals in standard deviations of the reference, the mean
    over the components that vary in it; exact where B divides R or R divides B.
    """
    count = max(batch.shape[1], reference.shape[1])
    ours, theirs = (_quantiles_by_component(values, count) for values in (batch, reference))
    scale = theirs.std(dim=2, correction=0)
    varies = scale > 0
    apart = (ours - theirs).abs().mean(dim=2) / scale.where(varies, torch.ones_like(scale))
    return (apart * varies).sum(dim=1) / varies.sum(dim=1).clamp(min=1)


def effective_share(weights: Tensor) -> Tensor:
    """Return the effective size of a batch weighted by `[L, B]`, over B (Kish 1965)."""
    weights = weights.double()
    return weights.sum(dim=1).square() / weights.square().sum(dim=1) / weights.shape[1]


def norm(values: Tensor) -> Tensor:
    """Return the Euclidean norm of all of a lane's numbers in `[L, ...]`."""
    return values.double().flatten(1).square().sum(dim=1).sqrt()


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Return the cosine of the angle between vectors `[L, P]`; NaN where one of them is zero."""
    return (first.double() * second.double()).sum(dim=1) / (norm(first) * norm(second))


def drift(online: Tensor, target: Tensor) -> Tensor:
    """Return the distance of parameters `[L, P]` from the target's, over the norm of the target's."""
    return norm(online.double() - target.double()) / norm(target)


def action_gap(values: Tensor) -> Tensor:
    """Return the mean difference of the best action's value `[L, N, A]` and the second best's."""
    best = values.double().topk(2, dim=2).values
    return (best[..., 0] - best[..., 1]).mean(dim=1)


def churn(before: Tensor, after: Tensor) -> Tensor:
    """Return the share of states whose greedy action differs between values `[L, N, A]`."""
    return (before.argmax(dim=2) != after.argmax(dim=2)).double().mean(dim=1)


def dormant_share(hidden: Sequence[Tensor]) -> Tensor:
    """Return the share of hidden units, of activations `[L, N, H]` each, that hardly ever fire."""
    dormant = []
    for activations in hidden:
        means = activations.double().mT.contiguous().abs().mean(dim=2)
        dormant.append(means <= DORMANT * means.mean(dim=1, keepdim=True))
    return torch.cat(dormant, dim=1).double().mean(dim=1)


def _quantiles_by_component(values: Tensor, count: int) -> Tensor:
    """Return `count` quantiles `[L, O, count]` of `[L, N, O]`, at the middles of equal steps."""
    index = (torch.arange(count) + 0.5) / count * values.shape[1]
    ordered = values.mT.contiguous().sort(dim=2).values
    return ordered[..., index.long()].double()
