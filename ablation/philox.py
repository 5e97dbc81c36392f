"""Philox4x64-10 as PyTorch operations: NumPy's words, made where they are used.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", with the constants of Random123.
Numbers of 64 bits without a sign are held as int64, whose sums and products have the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
KEY_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
LOW = 0xFFFFFFFF


def tensor_words(
    seeds: Sequence[int], stream: int, first_step: int, steps: int, width: int, device: torch.device
) -> Tensor:
    """Return `streams.words` of every seed, `[steps, L, width]`, int64 holding 32-bit values."""
    counts = -(-width // 8)
    first = first_step * counts + 1
    position = torch.arange(first, first + steps * counts, device=device).view(steps, 1, counts)
    keys = torch.tensor([_signed(seed) for seed in seeds], device=device).view(1, -1, 1)
    counter = position.expand(steps, len(seeds), counts)
    second = torch.full_like(counter, counts)
    zero = torch.zeros_like(counter)
    raw = torch.stack(_philox((counter, second, zero, zero), keys, stream), dim=-1)
    halves = torch.stack((raw & LOW, (raw >> 32) & LOW), dim=-1)
    return halves.view(steps, len(seeds), counts * 8)[..., :width].contiguous()


def _philox(counter: tuple[Tensor, ...], first_key: Tensor, second_key: int) -> tuple[Tensor, ...]:
    a, b, c, d = counter
    for number in range(ROUNDS):
        keys = first_key + _signed(number * KEY_STEPS[0]), _signed(second_key + number * KEY_STEPS[1])
        high_a, low_a = _product(a, MULTIPLIERS[0])
        high_c, low_c = _product(c, MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ keys[0], low_c, high_a ^ d ^ keys[1], low_a
    return a, b, c, d


def _product(values: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Return the upper and lower 64 bits of products of 64-bit numbers."""
    low, high = values & LOW, (values >> 32) & LOW
    factor_low, factor_high = factor & LOW, factor >> 32
    middle = high * factor_low + (((low * factor_low) >> 32) & LOW)
    other = low * factor_high + (middle & LOW)
    upper = high * factor_high + ((middle >> 32) & LOW) + ((other >> 32) & LOW)
    return upper, values * _signed(factor)


def _signed(number: int) -> int:
    """Return the int64 of the same lowest 64 bits."""
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number
