"""Seeds as a study file gives them: a list, or how many."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

TUNING_SEED_OFFSET = 10_000
"""The first tuning seed where only their number is given."""
MOST_GIVEN = 100_000
"""The largest number of seeds that can be asked for; a larger one is a seed without its brackets."""
LARGEST_SEED = 2**53 - 1
"""The largest whole number that JSON keeps in every language."""


def _seed_list(value: object, first: int = 0) -> object:
    if isinstance(value, list) and value:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("must be how many seeds, 1 or more, or a list of seeds")
    if value > MOST_GIVEN:
        raise ValueError(
            f"a number alone is how many seeds to train, at most {MOST_GIVEN:,}; one seed of this value "
            f"is written [{value}]"
        )
    return list(range(first, first + value))


def _in_range(seed: int) -> int:
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"a seed is a whole number from 0 to {LARGEST_SEED}")
    return seed


_Seed = Annotated[int, Field(strict=True), AfterValidator(_in_range)]
Seeds = Annotated[list[_Seed], Field(min_length=1), BeforeValidator(_seed_list)]
"""A list of seeds, or how many: the first from 0 on."""
_tuning_list = partial(_seed_list, first=TUNING_SEED_OFFSET)
TuningSeeds = Annotated[list[_Seed], Field(min_length=1), BeforeValidator(_tuning_list)]
"""The same for tuning: the first from `TUNING_SEED_OFFSET` on."""
