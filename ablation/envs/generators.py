"""NumPy's default generator, compiled: the first numbers of a seed.

What `numpy.random.Generator(PCG64(seed)).random(size)` returns, bit by bit: the seed is spread by
NumPy's SeedSequence (O'Neill 2015, "Developing a seed_seq alternative"), the generator is PCG64 (O'Neill
2014, XSL-RR with 128 bits of state). A generator object for each seed takes a hundred times as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import compiled

POOL = 4
WORD = np.uint64(0xFFFFFFFF)
HALF, SHIFT = np.uint64(32), np.uint64(16)
FIRST_HASH, HASH_FACTOR = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
FIRST_OUTPUT_HASH, OUTPUT_HASH_FACTOR = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
MIX_LEFT, MIX_RIGHT = np.uint64(0xCA01F9DD), np.uint64(0x4973F715)
FACTOR_HIGH, FACTOR_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
ONE, ROTATION, SIGN = np.uint64(1), np.uint64(58), np.uint64(63)
BITS, MANTISSA = np.uint64(64), np.uint64(11)


@compiled
def first_uniforms(seed: int, found: NDArray[np.float64]) -> None:
    """Fill `found` with the first numbers in [0, 1) of the generator of a seed of 32 bits."""
    pool, words = np.empty(POOL, np.uint64), np.empty(2 * POOL, np.uint64)
    _spread(np.uint64(seed), pool, words)
    high, low = words[0] | words[1] << HALF, words[2] | words[3] << HALF
    first, second = words[4] | words[5] << HALF, words[6] | words[7] << HALF
    step_high, step_low = first << ONE | second >> SIGN, second << ONE | ONE
    # The generator steps once from 0, takes up the seed, and steps again.
    high, low = _sum(high, low, step_high, step_low)
    high, low = _step(high, low, step_high, step_low)
    for column in range(len(found)):
        high, low = _step(high, low, step_high, step_low)
        mixed, turn = high ^ low, high >> ROTATION
        drawn = mixed >> turn | mixed << (BITS - turn & SIGN)
        found[column] = (drawn >> MANTISSA) * 2.0**-53


@compiled
def _spread(seed: np.uint64, pool: NDArray[np.uint64], words: NDArray[np.uint64]) -> None:
    """Write the 32-bit words that a seed becomes, by way of the pool."""
    constant = FIRST_HASH
    for place in range(POOL):
        value, constant = _hashed(seed if place == 0 else np.uint64(0), constant, HASH_FACTOR)
        pool[place] = value
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                value, constant = _hashed(pool[source], constant, HASH_FACTOR)
                mixed = (MIX_LEFT * pool[target] - MIX_RIGHT * value) & WORD
                pool[target] = mixed ^ mixed >> SHIFT
    constant = FIRST_OUTPUT_HASH
    for place in range(2 * POOL):
        value, constant = _hashed(pool[place % POOL], constant, OUTPUT_HASH_FACTOR)
        words[place] = value


@compiled
def _hashed(value: np.uint64, constant: np.uint64, factor: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return a hashed 32-bit word and the next one's constant."""
    following = (constant * factor) & WORD
    value = ((value ^ constant) * following) & WORD
    return value ^ value >> SHIFT, following


@compiled
def _step(
    high: np.uint64, low: np.uint64, step_high: np.uint64, step_low: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Return the state of 128 bits after this one: times a factor, plus the generator's own step."""
    a, b = low >> HALF, low & WORD
    c, d = FACTOR_LOW >> HALF, FACTOR_LOW & WORD
    middle = a * d + (b * d >> HALF)
    other = b * c + (middle & WORD)
    carried = a * c + (middle >> HALF) + (other >> HALF)
    product_high = carried + high * FACTOR_LOW + low * FACTOR_HIGH
    return _sum(product_high, low * FACTOR_LOW, step_high, step_low)


@compiled
def _sum(
    high: np.uint64, low: np.uint64, other_high: np.uint64, other_low: np.uint64
) -> tuple[np.uint64, np.uint64]:
    total = low + other_low
    return high + other_high + np.uint64(total < low), total
