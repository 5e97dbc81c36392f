"""Products and gradient steps have the bits that a scalar loop has, on every kind of processor."""

from __future__ import annotations

import functools
import hashlib
import os

import numpy as np
import pytest
import torch
from llvmlite.binding import get_host_cpu_features
from numpy.typing import NDArray

from ablation.agent.learner import Learner
from ablation.config.parse import parse
from ablation.numerics.compiled import borrowing
from ablation.numerics.products import (
    NOTHING,
    Matrix,
    clear_where_not_positive,
    product,
    repeated,
)
from ablation.numerics.scalars import address_of, fma
from ablation.numerics.transposes import transpose
from benchmarks.setting import cell_values, young_values

from .processes import python

Array = NDArray[np.floating]


@borrowing
def matrix(array: Array) -> Matrix:
    return Matrix(address_of(array), *array.shape, *array.strides)


@borrowing
def scalar_product(a: Array, b: Array, c: Array, start: Array, gate: Array, relu: bool) -> None:
    """What `product` has to equal: one fused multiply-add after another, element by element."""
    for row in range(c.shape[0]):
        for column in range(c.shape[1]):
            value = start[row, column]
            for k in range(a.shape[1]):
                value = fma(a[row, k], b[k, column], value)
            cut = (relu and value < 0) or gate[row, column] <= 0
            c[row, column] = 0 if cut else value


@borrowing
def multiply(a: Array, b: Array, c: Array, start: Array, gate: Array, relu: bool, parts: int) -> None:
    """Call `product`: without start and gate, with a start, with both, or with a bias."""
    begin = matrix(start) if parts in (1, 2) else NOTHING
    if parts == 3:
        begin = repeated(matrix(start[:1]), c.shape[0])
    product(
        matrix(a), matrix(b), matrix(c), begin, matrix(gate) if parts == 2 else NOTHING, relu, c[0, 0]
    )


def normal(generator: np.random.Generator, rows: int, columns: int, dtype: type, turned: bool) -> Array:
    shape = (columns, rows) if turned else (rows, columns)
    drawn = generator.standard_normal(shape).astype(dtype)
    return drawn.T if turned else drawn


@functools.cache
def shapes() -> list[tuple[int, int, int]]:
    generator = np.random.default_rng(0)
    drawn = [tuple(int(n) for n in generator.integers(1, 71, 3)) for _ in range(150)]
    small = [
        (m, k, n) for m in range(1, 18) for k in (1, 4) for n in (1, 2, 3, 5, 8, 9, 16, 17, 33, 64, 70)
    ]
    return [*drawn, *small, (33, 300, 20), (7, 513, 65), (2, 1024, 130)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_has_the_bits_of_a_scalar_loop(dtype: type, turned: bool) -> None:
    generator = np.random.default_rng(1)
    for number, (m, k, n) in enumerate(shapes()):
        a = normal(generator, m, k, dtype, turned)
        b, gate = (normal(generator, *shape, dtype, False) for shape in ((k, n), (m, n)))
        parts, relu = number % 4, number % 3 == 0
        start = np.zeros((m, n), dtype) if parts == 0 else normal(generator, m, n, dtype, False)
        if parts == 3:
            start[:] = start[0]
        if number % 5 == 0:
            b[0, n // 2] = np.nan
        padded = np.full((m + 2, n), 7, dtype)
        expected, ones = np.empty((m, n), dtype), np.ones((m, n), dtype)
        multiply(a, b, padded[1:-1], start, gate, relu, parts)
        scalar_product(a, b, expected, start, gate if parts == 2 else ones, relu)
        assert padded[1:-1].tobytes() == expected.tobytes(), (m, k, n, parts, relu)
        assert (padded[[0, -1]] == 7).all(), "written beyond the matrix"


def test_the_scalar_fused_multiply_add_rounds_once() -> None:
    x = np.float32(1 + 2**-12)
    # x * x = 1 + 2**-11 + 2**-24, whose last term a rounded product loses.
    assert fused(x, x, np.float32(-1 - 2**-11)) == np.float32(2**-24)
    assert x * x - np.float32(1 + 2**-11) == 0


@borrowing
def fused(x: float, y: float, z: float) -> float:
    return fma(x, y, z)


@borrowing
def copy_transposed(source: Array, target: Array) -> None:
    transpose(matrix(source), matrix(target), source[0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transpose_is_the_transpose(dtype: type) -> None:
    for rows, columns, _ in shapes():
        source = np.random.default_rng(rows).standard_normal((rows, columns)).astype(dtype)
        target = np.zeros((columns, rows), dtype)
        copy_transposed(source, target)
        np.testing.assert_array_equal(target, source.T)


@borrowing
def clear(array: Array, gate: Array) -> None:
    clear_where_not_positive(matrix(array), matrix(gate), array[0, 0])


def test_clearing_keeps_what_lies_under_a_positive_number_or_none() -> None:
    array = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    gate = np.array([[1, 0, -1, np.nan]] * 3, np.float32)
    clear(array, gate)
    np.testing.assert_array_equal(array, [[1, 0, 0, 4], [5, 0, 0, 8], [9, 0, 0, 12]])


def digest() -> str:
    """Return a hash of what a few gradient steps of several networks leave, for whatever processor."""
    left = hashlib.sha256()
    for name, values, shape, actions in (
        ("adam", cell_values(1000), (4,), 2),
        ("odd sizes", cell_values(1000, batch_size=7), (6,), 3),
        ("images", young_values(1000), (4, 10, 10), 6),
    ):
        values["agent"] |= {"double_q": True, "max_gradient_norm": 1.0}
        if name == "odd sizes":
            values["agent"]["hidden_sizes"] = [50, 33]
        agent = parse(values).agent
        learner = Learner(agent, [1, 2], shape, actions, torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        size, width = agent.batch_size, int(np.prod(shape))
        for _ in range(4):
            batch = {
                "observation": torch.rand((2, size, width), generator=generator),
                "action": torch.randint(0, actions, (2, size), generator=generator),
                "reward": torch.rand((2, size), generator=generator) * 8 - 4,
                "discount": torch.rand((2, size), generator=generator),
                "next_observation": torch.rand((2, size, width), generator=generator),
            }
            update = learner.update(batch, torch.rand((2, size), generator=generator))
            for part in (
                update.errors,
                update.losses,
                learner.parameters.online,
                learner.parameters.gradient,
            ):
                left.update(part.numpy().tobytes())
        left.update(learner.action_values(batch["observation"]).numpy().tobytes())
    return left.hexdigest()


AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+fma"
PROCESSORS = {
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "skylake": {"NUMBA_CPU_NAME": "skylake", "NUMBA_CPU_FEATURES": AVX2},
    "znver3": {"NUMBA_CPU_NAME": "znver3", "NUMBA_CPU_FEATURES": AVX2},
    "any x86-64-v3": {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": AVX2},
    "skylake-avx512": {
        "NUMBA_CPU_NAME": "skylake-avx512",
        "NUMBA_CPU_FEATURES": AVX2 + ",+avx512f,+avx512dq,+avx512bw,+avx512vl,+avx512cd",
    },
    "without vectors of eight": {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"},
    "OpenBLAS for Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "OpenBLAS for Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
}


@functools.cache
def digest_here() -> str:
    return digest()


# Each compiles anew, once on a machine; one with vectors of eight and one with less are always run.
SLOW = ("skylake", "znver3", "any x86-64-v3", "skylake-avx512")
MARKED = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in PROCESSORS]


@pytest.mark.parametrize("name", MARKED)
def test_gradient_steps_are_the_same_bits_on_every_kind_of_processor(name: str) -> None:
    if "avx512" in name and not get_host_cpu_features().get("avx512vl"):
        pytest.skip("this processor has no AVX-512")
    code = "from tests.test_products import digest; print(digest())"
    printed = python("-c", code, variables=os.environ | PROCESSORS[name])
    assert printed.split()[-1] == digest_here()
