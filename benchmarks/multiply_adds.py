"""Compiled loops that `benchmarks.gradient_step` times: a core's peak, and products of two kinds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ablation.agent.kernels import Batch, LaneState, StepOutput, learn_lane
from ablation.agent.network_kernels import Network, Workspace
from ablation.agent.optimizer_kernels import StepConstants
from ablation.numerics.compiled import borrowing, compiled, intrinsic
from ablation.numerics.products import I32, I64, NOTHING, Matrix, Vectors, product, tile_shape
from ablation.numerics.scalars import address_of

SUMS = 12
"""Sums that do not wait for one another: more than the multiply-adds that are under way at once."""


@intrinsic
def _multiply_adds(typingctx: Any, times: Any, x: Any, y: Any) -> Any:
    """Repeat `s = x * s + y` for SUMS vectors in registers; return one of their numbers."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        times, x, y = arguments
        bits = signature.args[1].bitwidth
        vectors = Vectors(builder, x.type, tile_shape(context.codegen()._tm_features, bits).width)
        factor, term = vectors.spread(x), vectors.spread(y)
        before, loop, done = builder.block, *(builder.append_basic_block(n) for n in ("loop", "done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        counter, *sums = builder.phi(I64), *(builder.phi(vectors.type) for _ in range(SUMS))
        left = builder.sub(counter, I64(1))
        new = [vectors.call("fma", vectors.type, factor, one, term) for one in sums]
        starts = times, *(vectors.constant(float(number)) for number in range(SUMS))
        for phi, first, later in zip((counter, *sums), starts, (left, *new), strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed(">", left, I64(0)), loop, done)
        builder.position_at_end(done)
        total = functools.reduce(builder.fadd, new)
        return builder.extract_element(total, I32(0))

    return x(types.intp, x, x), codegen


@intrinsic
def vector_width(typingctx: Any, number: Any) -> Any:
    """Return the numbers in a vector of this processor."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return I64(tile_shape(context.codegen()._tm_features, signature.args[0].bitwidth).width)

    return types.intp(number), codegen


@borrowing
def multiply_add_loop(times: int, x: np.float32, y: np.float32) -> tuple[float, int]:
    """Add up products in SUMS vectors, `times` over; return one of the sums and a vector's width."""
    return _multiply_adds(times, x, y), vector_width(x)


@borrowing
def gradient_steps(
    state: LaneState,
    network: Network,
    batch: Batch,
    constants: StepConstants,
    space: Workspace,
    output: StepOutput,
    steps: int,
) -> None:
    """Take gradient steps in one lane, on the batches `[steps, ...]` in turn."""
    for step in range(steps):
        one = Batch(
            batch.observation[step],
            batch.action[step],
            batch.reward[step],
            batch.discount[step],
            batch.next_observation[step],
            batch.weight[step],
        )
        learn_lane(state, network, one, constants, space, output)


@borrowing
def _matrix(array: NDArray[np.float32]) -> Matrix:
    return Matrix(address_of(array), *array.shape, *array.strides)


@borrowing
def ours(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32], times: int) -> None:
    """Multiply matrices so many times."""
    for _ in range(times):
        product(_matrix(a), _matrix(b), _matrix(c), NOTHING, NOTHING, False, c[0, 0])


@compiled
def openblas(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32], times: int) -> None:
    """Multiply matrices so many times by SciPy's OpenBLAS."""
    for _ in range(times):
        np.dot(a, b, c)
