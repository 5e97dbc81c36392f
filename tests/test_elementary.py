"""Elementary functions: close to the C library's, and the same bits on every processor."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from ablation.numerics import elementary

from .processes import python

COUNT = 10**6
BITS = "d46314f7611ab1e2"

Doubles = NDArray[np.float64]


def _spread(random: np.random.Generator, octaves: int) -> Doubles:
    """Return positive numbers of all magnitudes within so many octaves of 1, the same everywhere."""
    return np.ldexp(random.uniform(0.5, 1, COUNT), random.integers(-octaves, octaves, COUNT))


def arguments() -> dict[str, tuple[Doubles, ...]]:
    """Return a million arguments of each function: those that a training can ask for, and beyond."""
    random = np.random.default_rng(0)
    mixed = np.where(np.arange(COUNT) % 2, 100.0, 4.0)
    return {
        "sin": (random.uniform(-1, 1, COUNT) * mixed,),
        "cos": (random.uniform(-1, 1, COUNT) * mixed,),
        "exp": (random.uniform(-1, 1, COUNT) * 7 * mixed,),
        "log": (_spread(random, 1020),),
        "power": (_spread(random, 60), random.uniform(-1, 1, COUNT) * mixed / 8),
    }


def values(name: str, given: tuple[Doubles, ...]) -> Doubles:
    """Return a function's values, computed by a compiled loop."""
    function, result = getattr(elementary, name), np.empty(COUNT)

    def fill_one(result: Doubles, x: Doubles) -> None:
        for index in range(len(x)):
            result[index] = function(x[index])

    def fill_two(result: Doubles, x: Doubles, y: Doubles) -> None:
        for index in range(len(x)):
            result[index] = function(x[index], y[index])

    fill: Any = numba.njit(fill_one if len(given) == 1 else fill_two, error_model="numpy")
    fill(result, *given)
    return result


def digest() -> str:
    """Return a hash of the values of all functions."""
    bits = (values(name, given).tobytes() for name, given in arguments().items())
    return hashlib.sha256(b"".join(bits)).hexdigest()[:16]


@pytest.mark.parametrize("name", ["sin", "cos", "exp", "log", "power"])
def test_values_are_within_a_unit_in_the_last_place_of_the_c_librarys(name: str) -> None:
    given = arguments()[name]
    library: Callable[..., float] = getattr(math, {"power": "pow"}.get(name, name))
    found, expected = (
        values(name, given),
        np.array([library(*each) for each in zip(*given, strict=True)]),
    )
    assert np.isfinite(expected).all()
    assert np.abs(found.view(np.int64) - expected.view(np.int64)).max() <= 1
    assert (found == expected).mean() > 0.85


@pytest.mark.parametrize(
    "changed",
    [
        {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
        {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+sse4.2,-avx,-avx2,-fma"},
    ],
    ids=["glibc", "haswell", "sse"],
)
def test_no_processor_changes_a_bit(changed: dict[str, str]) -> None:
    code = "from tests.test_elementary import digest; print(digest())"
    assert python("-c", code, variables=os.environ | changed).strip() == BITS


def test_a_million_values_of_each_function_are_pinned() -> None:
    """They may change only together with `core_version`."""
    assert digest() == BITS


CASES: dict[str, dict[tuple[float, ...], float]] = {
    "log": {
        (0.0,): -math.inf,
        (math.inf,): math.inf,
        (1.0,): 0,
        (-1.0,): math.nan,
        (math.nan,): math.nan,
    },
    "exp": {
        (0.0,): 1,
        (math.inf,): math.inf,
        (-math.inf,): 0,
        (800.0,): math.inf,
        (math.nan,): math.nan,
    },
    "sin": {(0.0,): 0, (math.inf,): math.nan},
    "cos": {(0.0,): 1, (math.nan,): math.nan},
    "power": {
        (0.0, 0.5): 0,
        (0.0, -0.5): math.inf,
        (0.0, 0.0): 1,
        (math.inf, 0.5): math.inf,
        (math.inf, -0.5): 0,
        (math.inf, 0.0): 1,
        (3.0, 1.0): 3,
        (5e-324, 1.0): 5e-324,
        (7.0, -1.0): 1 / 7,
        (1.0, -0.3): 1,
        (-1.0, 0.5): math.nan,
        (math.nan, 0.5): math.nan,
    },
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_where_functions_end(name: str) -> None:
    for given, value in CASES[name].items():
        np.testing.assert_equal(getattr(elementary, name)(*given), value, f"{name}{given}")
