"""The compiled measures against the same formulas as PyTorch operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablation.diagnostics import measures
from ablation.replay import kernels
from ablation.replay.kernels import FAN_OUT, MAX, MIN, SUM
from ablation.replay.segment_tree import SegmentTree

LANES, BATCH, SIZE, ACTIONS = 3, 33, 5, 4


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return normal numbers `[L, ...]`, the same at every call."""
    return torch.randn((LANES, *shape), generator=torch.Generator().manual_seed(len(shape)), dtype=dtype)


OBSERVATION = torch.cat((drawn(BATCH, SIZE), torch.full((LANES, BATCH, 1), 0.1)), dim=2)
REFERENCE = torch.cat((drawn(4 * BATCH, SIZE), torch.full((LANES, 4 * BATCH, 1), 0.1)), dim=2)
STORED = torch.randint(40, (LANES, BATCH), generator=torch.Generator().manual_seed(0))
FIRST, SECOND = drawn(1000), drawn(1000, 1)[..., 0]
VALUES, HIDDEN = drawn(BATCH, ACTIONS), drawn(BATCH, 50) * (torch.arange(50) % 7 > 1)


def adjacent_share(stored: Tensor) -> Tensor:
    after = (stored.unsqueeze(2) + 1 == stored.unsqueeze(1)).any(dim=2)
    return after.double().mean(dim=1)


def autocorrelation(observation: Tensor, stored: Tensor) -> Tensor:
    order = stored.sort(dim=1, stable=True).indices.unsqueeze(-1)
    values = observation.double().gather(1, order.expand(observation.shape)).mT
    values = (values - values.mean(dim=2, keepdim=True))[:, :SIZE]
    products = (values[..., 1:] * values[..., :-1]).sum(dim=2)
    return (products / values.square().sum(dim=2)).mean(dim=1)


def distance(batch: Tensor, reference: Tensor) -> Tensor:
    ordered = batch.double().mT.sort(dim=2).values.repeat_interleave(4, dim=2)[:, :SIZE]
    others = reference.double().mT.sort(dim=2).values[:, :SIZE]
    return ((ordered - others).abs().mean(dim=2) / others.std(dim=2, correction=0)).mean(dim=1)


def effective_share(weights: Tensor) -> Tensor:
    weights = weights.double()
    return weights.sum(dim=1).square() / weights.square().sum(dim=1) / weights.shape[1]


def cosine(first: Tensor, second: Tensor) -> Tensor:
    return torch.cosine_similarity(first.double(), second.double(), dim=1)


def drift(online: Tensor, target: Tensor) -> Tensor:
    apart: Tensor = (online.double() - target.double()).norm(dim=1)
    norm: Tensor = target.double().norm(dim=1)
    return apart / norm


def action_gap(values: Tensor) -> Tensor:
    best = values.double().topk(2, dim=2).values
    return (best[..., 0] - best[..., 1]).mean(dim=1)


def dormant_share(hidden: list[Tensor]) -> Tensor:
    means = [layer.double().abs().mean(dim=1) for layer in hidden]
    return (
        torch.cat([m <= 0.025 * m.mean(dim=1, keepdim=True) for m in means], dim=1).double().mean(dim=1)
    )


CASES: list[tuple[Callable[..., Tensor], tuple[Any, ...]]] = [
    (adjacent_share, (STORED,)),
    (autocorrelation, (OBSERVATION, STORED)),
    (distance, (OBSERVATION, REFERENCE)),
    (effective_share, (VALUES[..., 0].abs(),)),
    (cosine, (FIRST, SECOND)),
    (drift, (FIRST, SECOND)),
    (action_gap, (VALUES,)),
    (dormant_share, ([HIDDEN, VALUES],)),
]


@pytest.mark.parametrize(("formula", "given"), CASES, ids=[case[0].__name__ for case in CASES])
def test_measures_are_their_formulas(formula: Callable[..., Tensor], given: tuple[Any, ...]) -> None:
    found = getattr(measures, formula.__name__)(*given)
    np.testing.assert_allclose(found, formula(*given).numpy(), rtol=1e-12)


def test_means_norms_and_quantiles_are_pytorchs() -> None:
    values = VALUES.double().flatten(1)
    np.testing.assert_allclose(measures.mean(VALUES), values.mean(dim=1).numpy(), rtol=1e-12)
    np.testing.assert_allclose(measures.norm(VALUES), values.norm(dim=1).numpy(), rtol=1e-12)
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    expected = torch.quantile(values, levels, dim=1).numpy()
    np.testing.assert_allclose(list(measures.quantiles(values).values()), expected, rtol=1e-12)
    values[1, 3] = torch.nan
    assert np.isnan(measures.quantiles(values)["p50"]).tolist() == [False, True, False]


def test_entropy_and_effective_size_are_pytorchs() -> None:
    priorities, size = drawn(40, dtype=torch.float64).abs(), torch.tensor([40, 1, 17])
    result = np.empty((2, LANES))
    stored = priorities * (torch.arange(40) < size.unsqueeze(1))
    stored[0, 3] = 0
    roots = stored.sum(dim=1)
    for share in (0.0, 0.3):
        kernels.entropies(stored.numpy(), size.numpy(), roots.numpy(), share, result)
        mixed = (1 - share) * stored / roots.unsqueeze(1) + share / size.double().unsqueeze(1)
        chances = mixed * (torch.arange(40) < size.unsqueeze(1))
        entropy = torch.special.entr(chances).sum(dim=1)
        np.testing.assert_allclose(result[0], entropy.numpy(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(result[1], 1 / chances.square().sum(dim=1).numpy(), rtol=1e-12)


@pytest.mark.parametrize("operation", [SUM, MIN, MAX])
def test_a_tree_is_the_same_filled_at_once_and_leaf_by_leaf(operation: int) -> None:
    leaves = FAN_OUT**2 + 3
    filled, written = (SegmentTree(LANES, leaves, operation) for _ in range(2))
    values = drawn(leaves, dtype=torch.float64).abs()
    filled.fill(values)
    written.set(torch.arange(leaves).expand(LANES, leaves), values)
    assert torch.equal(filled.values, written.values)
