"""Measures of batches, networks and gradients, for all lanes at once.

`docs/diagnostics.md` has the formulas. Every function maps arrays whose first axis is the lane to
`[L]`, float64. An undefined measure, such as a correlation within a batch of one, is NaN. Sums are
compiled loops with one order of additions; NumPy only sorts and counts, which rounds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.diagnostics import kernels

Doubles = NDArray[np.float64]

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
DORMANT = 0.025
"""Share of its layer's mean activation up to which a unit counts as dormant (Sokar et al. 2023)."""


def mean(values: ArrayLike) -> Doubles:
    """Return the mean over everything that a lane has in `[L, ...]`."""
    return _by_lane(kernels.means, _rows(values))


def quantiles(values: ArrayLike) -> dict[str, Doubles]:
    """Return the 10, 50 and 90 % quantiles of `values [L, N]`, interpolated, by name."""
    ordered = np.sort(_rows(values), axis=1)
    result = np.empty((len(QUANTILES), len(ordered)))
    kernels.quantiles(ordered, np.array(list(QUANTILES.values())), result)
    return dict(zip(QUANTILES, result, strict=True))


def duplicate_share(slots: ArrayLike) -> Doubles:
    """Return the share of a batch's draws `[L, B]` that repeat another draw of the batch."""
    ordered = np.sort(np.asarray(slots), axis=1)
    repeated: Doubles = (ordered[:, 1:] == ordered[:, :-1]).sum(axis=1) / ordered.shape[1]
    return repeated


def adjacent_share(stored: ArrayLike) -> Doubles:
    """Return the share of a batch's items whose successor in time is in it, by `stored [L, B]`."""
    return _by_lane(kernels.adjacent_share, np.sort(np.asarray(stored), axis=1))


def autocorrelation(observation: ArrayLike, stored: ArrayLike) -> Doubles:
    """Return the lag-1 autocorrelation of a batch's observations `[L, B, O]` in order of `stored`.

    The mean over the components that vary in the batch.
    """
    order = np.argsort(np.asarray(stored), axis=1, kind="stable")
    return _by_lane(kernels.autocorrelation, np.ascontiguousarray(observation), order)


def distance(batch: ArrayLike, reference: ArrayLike) -> Doubles:
    """Return how far the observations `[L, B, O]` lie from the reference's `[L, R, O]`.

    Wasserstein's distance between the marginals in standard deviations of the reference, the mean
    over the components that vary in it; exact where B divides R or R divides B.
    """
    return _by_lane(kernels.distance, *(_sorted_marginals(values) for values in (batch, reference)))


def effective_share(weights: ArrayLike) -> Doubles:
    """Return the effective size of a batch weighted by `[L, B]`, over B (Kish 1965)."""
    return _by_lane(kernels.effective_share, _rows(weights))


def norm(values: ArrayLike) -> Doubles:
    """Return the Euclidean norm of all of a lane's numbers in `[L, ...]`."""
    return _by_lane(kernels.norms, _rows(values))


def cosine(first: ArrayLike, second: ArrayLike) -> Doubles:
    """Return the cosine of the angle between vectors `[L, P]`; NaN where one of them is zero."""
    return _by_lane(kernels.cosines, _rows(first), _rows(second))


def drift(online: ArrayLike, target: ArrayLike) -> Doubles:
    """Return the distance of parameters `[L, P]` from the target's, over the norm of the target's."""
    return _by_lane(kernels.drifts, _rows(online), _rows(target))


def action_gap(values: ArrayLike) -> Doubles:
    """Return the mean difference of the best action's value `[L, N, A]` and the second best's."""
    return _by_lane(kernels.action_gaps, np.ascontiguousarray(values))


def churn(before: ArrayLike, after: ArrayLike) -> Doubles:
    """Return the share of states whose greedy action differs between values `[L, N, A]`."""
    differs = np.asarray(before).argmax(axis=2) != np.asarray(after).argmax(axis=2)
    share: Doubles = differs.sum(axis=1) / differs.shape[1]
    return share


def dormant_share(hidden: Sequence[ArrayLike]) -> Doubles:
    """Return the share of hidden units, of activations `[L, N, H]` each, that hardly ever fire."""
    layers = [np.ascontiguousarray(activations) for activations in hidden]
    dormant = np.zeros(len(layers[0]))
    for layer in layers:
        kernels.count_dormant(layer, DORMANT, dormant)
    share: Doubles = dormant / sum(layer.shape[2] for layer in layers)
    return share


def _by_lane(kernel: Callable[..., None], *arrays: NDArray[Any]) -> Doubles:
    result = np.empty(len(arrays[0]))
    kernel(*arrays, result)
    return result


def _rows(values: ArrayLike) -> NDArray[Any]:
    """Return a matrix `[L, N]` of everything that each lane has, contiguous for the kernels."""
    array = np.ascontiguousarray(values)
    return array.reshape(len(array), -1)


def _sorted_marginals(values: ArrayLike) -> NDArray[Any]:
    """Return `[L, O, N]`, each row in rising order, of `[L, N, O]`."""
    return np.sort(np.ascontiguousarray(np.asarray(values).swapaxes(1, 2)), axis=2)
