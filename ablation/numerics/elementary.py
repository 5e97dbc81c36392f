"""Sine, cosine, exponential, logarithm and power with the same bits on every processor.

The C library chooses among variants of these functions by processor, and their last bits differ; so do
versions of the library. Here every operation is rounded by itself and every fused multiply-add is
explicit. Results are within 1 unit in the last place of the C library's. Each function is without
branches, so that a loop over many numbers fills the processor's vectors.

Sums of two numbers, `high + low`, carry what one double cannot hold (Dekker 1971, "A floating-point
technique for extending the available precision"); reductions are those of Cody & Waite 1980.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ablation.numerics import scalars
from ablation.numerics.compiled import inlined

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2; the first has 32 bits, so its products with exponents are exact."""
HALF_PI, HALF_PI_LOW, HALF_PI_LOWEST = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33
THIRD, THIRD_LOW = 1 / 3, float(Fraction(1, 3) - Fraction(1 / 3))
INTEGERS = 1.5 * 2.0**52
"""Added to a number below 2^51, rounds it to an integer, which the last bits of the sum then hold."""
INTEGERS_BITS = 0x4338000000000000
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
SMALLEST_NORMAL = 2.0**-1022

# Taylor's, from the highest power down; the first term left out is below 2^-57 of the sum.
EXP = tuple(1 / math.factorial(n) for n in range(13, 1, -1))
SIN = tuple((-1) ** (n // 2) / math.factorial(n) for n in range(17, 2, -2))
COS = tuple((-1) ** (n // 2) / math.factorial(n) for n in range(18, 3, -2))
ATANH = tuple(1 / n for n in range(25, 4, -2))


def _emitted(function: Callable[..., Any]) -> Any:
    """Return an intrinsic; callers leave out its first parameter, which is the compiler's."""
    return intrinsic(function)


fma: Any = scalars.fma


@_emitted
def _bits(typingctx: Any, number: Any) -> Any:
    """Return the bits of a float64 as int64."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@_emitted
def _number(typingctx: Any, bits: Any) -> Any:
    """Return the float64 that int64 bits stand for."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@inlined
def _polynomial(x: float, coefficients: tuple[float, ...]) -> float:
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = fma(result, x, coefficient)
    return result


@inlined
def _log(x: float) -> tuple[float, float]:
    """Return ln x as high + low, with an error of about 2^-62 of it, for a positive finite x."""
    small = x < SMALLEST_NORMAL
    bits = _bits(x * 2.0**54 if small else x)
    exponent = (bits - ROOT_HALF_BITS) >> 52
    mantissa = _number(bits - (exponent << 52))
    count = _number(exponent + INTEGERS_BITS) - (INTEGERS + 54.0 if small else INTEGERS)
    # ln m = 2 artanh t, t = (m - 1) / (m + 1); m is within a factor of sqrt 2 of 1.
    above, divisor = mantissa - 1.0, mantissa + 1.0
    divisor_low = mantissa - (divisor - 1.0)
    t = above / divisor
    t_low = (fma(-t, divisor, above) - t * divisor_low) / divisor
    square = t * t
    square_low = fma(t, t, -square) + 2.0 * t * t_low
    # artanh t = t + t w, w = t^2 (1/3 + t^2 / 5 + ...).
    rest = square * _polynomial(square, ATANH)
    series = THIRD + rest
    series_low = ((THIRD - series) + rest) + THIRD_LOW
    w = square * series
    w_low = fma(square, series, -w) + (square * series_low + square_low * series)
    product = t * w
    product_low = fma(t, w, -product) + (t * w_low + t_low * w)
    high = t + product
    low = ((t - high) + product) + (product_low + t_low)
    whole = count * LN2_HIGH
    total = whole + 2.0 * high
    total_low = ((whole - total) + 2.0 * high) + fma(count, LN2_LOW, 2.0 * low)
    result = total + total_low
    return result, (total - result) + total_low


@inlined
def _exp(x: float, low: float) -> float:
    """Return e^(x + low); `low` is at most half a unit in the last place of x."""
    # Beyond these, it is infinite or 0. What is not a number stays so.
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    shifted = x * 1.4426950408889634 + INTEGERS  # 1 / ln 2
    count, exponent = shifted - INTEGERS, _bits(shifted) - INTEGERS_BITS
    first = fma(-count, LN2_HIGH, x)
    rest = fma(-count, LN2_LOW, first)
    low += fma(-count, LN2_LOW, first - rest)
    r = rest + low
    low = (rest - r) + low
    result: float = 1.0 + (r + fma(r * r, _polynomial(r, EXP), low))
    # In two steps: 2^1024 is not a number, and 2^-1074 has no exponent of its own.
    half = exponent >> 1
    result *= _number((half + 1023) << 52)
    result *= _number((exponent - half + 1023) << 52)
    return result


@inlined
def exp(x: float) -> float:
    """Return e^x."""
    return _exp(x, 0.0)


@inlined
def log(x: float) -> float:
    """Return the natural logarithm of x, -infinity at 0; below 0 it is not a number."""
    result, _ = _log(x)
    result = x if x == math.inf else result
    result = -math.inf if x == 0.0 else result
    return result if x >= 0.0 else math.nan


@inlined
def power(x: float, exponent: float) -> float:
    """Return x^exponent for a finite exponent; for x below 0 it is not a number."""
    exponent = float(exponent)
    high, low = _log(x)
    product = exponent * high
    result = _exp(product, fma(exponent, high, -product) + exponent * low)
    # Bitwise `or`: no branch.
    limit = 1.0 / x
    limit = x if exponent > 0.0 else limit
    result = limit if (x == 0.0) | (x == math.inf) else result
    result = result if x >= 0.0 else math.nan
    return 1.0 if (exponent == 0.0) | (x == 1.0) else result


@inlined
def sin(x: float) -> float:
    """Return the sine of an angle of at most 2^20, in radians."""
    return _circular(x, 0)


@inlined
def cos(x: float) -> float:
    """Return the cosine of an angle of at most 2^20, in radians."""
    return _circular(x, 1)


@inlined
def _circular(x: float, quarters: int) -> float:
    """Return the sine of x plus so many right angles."""
    shifted = x * (2 / math.pi) + INTEGERS
    count, quarter = shifted - INTEGERS, _bits(shifted) - INTEGERS_BITS + quarters
    # x less the right angles in it, as high + low.
    first, second = fma(-count, HALF_PI, x), count * HALF_PI_LOW
    r = first - second
    back = r - first
    low = (first - (r - back)) - (second + back)
    low = fma(-count, HALF_PI_LOWEST, low - fma(count, HALF_PI_LOW, -second))
    square = r * r
    half = 0.5 * square
    sine = r + fma(square * r, _polynomial(square, SIN), low * (1.0 - half))
    cosine = 1.0 - half
    cosine += ((1.0 - cosine) - half) + fma(square * square, _polynomial(square, COS), -r * low)
    result: float = cosine if quarter & 1 else sine
    return -result if quarter & 2 else result
