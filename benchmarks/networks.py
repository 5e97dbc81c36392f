"""The PyTorch path at 64-64 units beside separate PyTorch agents, and with a module of one's own.

`python -m benchmarks.networks`: microseconds of processor of a gradient step on 32 transitions and an
action, for each lane, in one process of one thread, contestants in turn.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from ablation.agent.learner import Learner
from ablation.config.parse import parse
from benchmarks.measure import in_process, median, microseconds
from benchmarks.setting import BATCH_SIZE, HIDDEN, cell_values

SHAPE, ACTIONS = (4,), 2
LANES = (1, 32)
OUTPUT = Path("results/benchmarks/networks.json")


def own_network(_shape: Sequence[int], actions: int) -> nn.Module:
    """Return the built-in network as a user would write it."""
    first, second = HIDDEN
    hidden = nn.Linear(SHAPE[0], first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(second, actions))


def batches(lanes: int) -> dict[str, Tensor]:
    """Return a batch of each lane, as replay gives it."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*sizes: int) -> Tensor:
        return torch.randn(lanes, BATCH_SIZE, *sizes, generator=generator)

    batch = {"observation": drawn(*SHAPE), "next_observation": drawn(*SHAPE), "reward": drawn()}
    return batch | {"action": drawn().gt(0).long(), "discount": torch.full_like(drawn(), 0.99)}


def ours(lanes: int, **changes: Any) -> Callable[[], object]:
    """Return a function that takes a gradient step and an action in every lane."""
    agent = dataclasses.replace(parse(cell_values(10**6)).agent, **changes)
    learner = Learner(agent, range(lanes), SHAPE, ACTIONS, torch.device("cpu"))
    batch, weights = batches(lanes), torch.ones(lanes, BATCH_SIZE)
    seen, drawn = batch["observation"][:, 0].contiguous(), torch.ones((lanes, 2), dtype=torch.float64)

    def step() -> None:
        learner.act(seen, 0.0, drawn)
        learner.update(batch, weights)

    return step


def separate(lanes: int) -> Callable[[], object]:
    """Return the same of so many plain PyTorch agents, in turn."""
    agents = [
        _plain({name: rows[lane] for name, rows in batches(lanes).items()}) for lane in range(lanes)
    ]
    return lambda: [step() for step in agents]


def _plain(batch: dict[str, Tensor]) -> Callable[[], object]:
    online, target = own_network(SHAPE, ACTIONS), own_network(SHAPE, ACTIONS)
    optimizer = torch.optim.Adam(online.parameters(), lr=5e-4, fused=True)

    def step() -> None:
        with torch.no_grad():
            online(batch["observation"][:1]).argmax(-1)
            goal = batch["reward"] + batch["discount"] * target(batch["next_observation"]).amax(-1)
        taken = online(batch["observation"]).gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        loss = functional.smooth_l1_loss(taken, goal)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


STEPS: dict[str, Callable[[int], Callable[[], object]]] = {
    "separate PyTorch agents": separate,
    "PyTorch path, built-in network": lambda lanes: ours(lanes, backend="torch"),
    "PyTorch path, nn.Module of one's own": lambda lanes: ours(
        lanes, network=f"{__name__}:{own_network.__name__}"
    ),
    "compiled path": ours,
}


def rounds(count: int) -> dict[str, list[list[float]]]:
    """Return microseconds of processor a lane, by name, number of lanes and round, contestants in turn.

    To be called in a process of one thread.
    """
    steps = {name: [make(lanes) for lanes in LANES] for name, make in STEPS.items()}
    found: dict[str, list[list[float]]] = {name: [[] for _ in LANES] for name in STEPS}
    for number in range(count + 1):
        for name, of_lanes in steps.items():
            for place, (step, lanes) in enumerate(zip(of_lanes, LANES, strict=True)):
                measured = microseconds(step, max(10, 200 // lanes)) / lanes
                # The first round compiles and warms up.
                found[name][place] += [measured] if number else []
    return found


def main() -> None:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    code = "from benchmarks.networks import rounds; import json, torch; torch.set_num_threads(1)\n"
    found = in_process(f"{code}print(json.dumps(rounds({arguments.repetitions})))")
    _print(found)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written: {arguments.output}")


def _print(found: dict[str, list[list[float]]]) -> None:
    title = "A gradient step of 32 transitions and an action, microseconds a lane: median (range)"
    table = Table(box=None, title=title)
    separate_agents = median(found["separate PyTorch agents"][-1])
    columns = ("", *(f"{lanes} lanes" for lanes in LANES), f"times as fast at {LANES[-1]}")
    for heading in columns:
        table.add_column(heading, justify="right" if heading else "left")
    for name, measured in found.items():
        cells = [f"{median(one):,.0f} ({min(one):,.0f} - {max(one):,.0f})" for one in measured]
        table.add_row(name, *cells, f"{separate_agents / median(measured[-1]):.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
