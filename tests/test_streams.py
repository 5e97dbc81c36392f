"""Random numbers are a pure function of (seed, stream, step, index)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from ablation.numerics.random_streams import (
    BLOCK_STEPS,
    BlockStream,
    Stream,
    integers,
    unit_interval,
    words,
)


def test_the_generator_is_philox_4x64_10() -> None:
    # Known answer of the Random123 distribution for counter 0, key 0 ("kat_vectors").
    expected = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    generator = np.random.Philox(key=[0, 0], counter=[2**64 - 1] * 4)
    assert generator.random_raw(4).tolist() == expected


@pytest.mark.parametrize("width", [1, 2, 8, 9, 32, 100])
def test_a_step_reads_the_same_words_wherever_the_block_begins(width: int) -> None:
    whole = words(7, Stream.REPLAY, 0, 50, width)
    for first in (0, 1, 17, 49):
        np.testing.assert_array_equal(words(7, Stream.REPLAY, first, 50 - first, width), whole[first:])


def test_seeds_streams_steps_and_widths_have_words_of_their_own() -> None:
    blocks = [words(seed, stream, step, 1, 8) for seed in (0, 1) for stream in Stream for step in (0, 1)]
    blocks.append(words(0, Stream.INIT, 0, 1, 16)[:, :8])
    assert len({block.tobytes() for block in blocks}) == len(blocks)


def test_blocks_hand_out_what_words_says_in_any_order_of_steps() -> None:
    stream = BlockStream([3, 11], Stream.EXPLORE, 2)
    for step in (0, 5, BLOCK_STEPS, 1, 3 * BLOCK_STEPS + 7):
        expected = [words(seed, Stream.EXPLORE, step, 1, 2)[0].tolist() for seed in (3, 11)]
        assert stream.words_at(step).tolist() == expected


def test_units_and_integers_are_uniform() -> None:
    bits = torch.from_numpy(words(5, Stream.REPLAY, 0, 100_000, 1).astype(np.int64)).flatten()
    units = unit_interval(bits)
    assert units.min() >= 0
    assert units.max() < 1
    assert stats.kstest(units.numpy(), "uniform").pvalue > 1e-3
    counts = torch.bincount(integers(bits, 7), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_integers_reach_both_ends_and_never_the_bound() -> None:
    bits = torch.tensor([0, 2**32 - 1])
    for bound in (1, 2, 3, 1_000_000):
        assert integers(bits, bound).tolist() == [0, bound - 1]
