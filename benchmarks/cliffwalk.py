"""Blind Cliffwalk (Schaul et al. 2016, section 3.1): updates until a table of values is right.

A chain of `n` states. In each, one of two actions goes on and the other ends the episode with
nothing; only the last step of the whole chain pays 1. The memory holds every transition of all 2^n
action sequences, so that the one that pays is one of 2^(n+1) - 2. Values are learned from single
replayed transitions with the paper's step size 1/4 and discount 1 - 1/n; seeds are lanes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.replay.priorities import Draws, Prioritized, Proportional, Rank
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Sampler, Uniform
from ablation.streams import BlockStream, Stream

CPU = torch.device("cpu")
STEP_SIZE = 0.25
TOLERANCE = 1e-3
"""Mean squared error over all state-action values at which a table counts as right."""
CHECK_EVERY = 16
EXPONENT = 0.7
OUTPUT = Path("results/benchmarks/cliffwalk.json")


def exact_values(n: int) -> Tensor:
    """Return Q* `[n, 2]`; action 1 goes on."""
    discount = 1 - 1 / n
    values = torch.zeros(n, 2, dtype=torch.float64)
    values[:, 1] = discount ** torch.arange(n - 1, -1, -1).double()
    return values


def transitions(n: int) -> dict[str, Tensor]:
    """Return the transitions of all 2^n action sequences, each field `[2^(n+1) - 2]`."""
    states, actions = [], []
    for place in range(n):
        # 2^(n - place) sequences come this far; half of them go on.
        reached = 2 ** (n - place)
        states += [place] * reached
        actions += [0, 1] * (reached // 2)
    state, action = torch.tensor(states), torch.tensor(actions)
    on = (action == 1) & (state < n - 1)
    return {
        "state": state,
        "action": action,
        "reward": ((action == 1) & (state == n - 1)).double(),
        "discount": on.double() * (1 - 1 / n),
    }


SAMPLERS: dict[str, Callable[[int, int], Sampler]] = {
    "uniform": lambda _lanes, _items: Uniform(1),
    "proportional": lambda lanes, items: _prioritized(Proportional(1e-6, "error", True), lanes, items),
    "rank": lambda lanes, items: _prioritized(Rank(lanes, items, CPU), lanes, items),
}


def updates_needed(kind: str, n: int, seeds: int, limit: int = 5_000_000) -> NDArray[np.int64]:
    """Return, for each seed, the updates until the table is right (`limit` if it never was)."""
    lanes, items = seeds, 2 ** (n + 1) - 2
    ring, sampler = _memory(kind, n, lanes)
    bits = BlockStream(range(seeds), Stream.REPLAY, sampler.width, CPU)
    values = torch.zeros(lanes, n + 1, 2, dtype=torch.float64)
    rows = torch.arange(lanes)
    exact, needed = exact_values(n), torch.full((lanes,), limit)
    assert int(ring.size[0]) == items
    for update in range(1, limit + 1):
        slots, _ = sampler.sample(ring, bits.at(update - 1))
        item = {name: field[:, 0] for name, field in ring.gather(slots).items()}
        target = item["reward"] + item["discount"] * values[rows, item["state"] + 1].amax(dim=1)
        error = target - values[rows, item["state"], item["action"]]
        values[rows, item["state"], item["action"]] += STEP_SIZE * error
        sampler.learned(slots, error.unsqueeze(1))
        if update % CHECK_EVERY == 0:
            right = (values[:, :n] - exact).square().mean(dim=(1, 2)) < TOLERANCE
            needed = torch.where(right & (needed == limit), update, needed)
            if right.all():
                break
    return needed.numpy()


def main() -> None:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cliffwalk", description=__doc__)
    parser.add_argument("--largest", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"Blind Cliffwalk, median updates until Q is right ({arguments.seeds} seeds)")
    print(f"{'n':>3}{'memory':>8}" + "".join(f"{kind:>16}" for kind in SAMPLERS))
    report = {}
    for n in range(2, arguments.largest + 1):
        found = {kind: updates_needed(kind, n, arguments.seeds) for kind in SAMPLERS}
        report[n] = {kind: needed.tolist() for kind, needed in found.items()}
        medians = "".join(f"{np.median(needed):16,.0f}" for needed in found.values())
        print(f"{n:3}{2 ** (n + 1) - 2:8,}{medians}", flush=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _prioritized(weighing: Proportional | Rank, lanes: int, items: int) -> Prioritized:
    sampler = Prioritized(weighing, Draws(1, refresh_period=100), lanes, items, CPU)
    sampler.exponent = EXPONENT
    return sampler


def _memory(kind: str, n: int, lanes: int) -> tuple[Ring, Sampler]:
    every = transitions(n)
    items = len(every["state"])
    ring = Ring({name: Field((), value.dtype) for name, value in every.items()}, lanes, items, CPU)
    sampler = SAMPLERS[kind](lanes, items)
    for index in range(items):
        slots = ring.append({name: value[index].expand(lanes) for name, value in every.items()})
        sampler.added(slots, None)
    return ring, sampler


if __name__ == "__main__":
    main()
