"""Steps a second of lanes that see images, beside a plain PyTorch agent and other ways to convolve."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import Learner
from ablation.agent.torch_backend import TorchBackend
from ablation.config.parse import parse
from ablation.config.schema import AgentConfig
from ablation.config.validation import ConfigError
from ablation.envs.spec import env_spec
from benchmarks.measure import median, microseconds, repeat
from benchmarks.setting import WARM_UP, young_values

SHAPE, ACTIONS, BATCH, FILTERS, HIDDEN = (4, 10, 10), 6, 32, 16, 128
LANES = (1, 16)
OUTPUT = Path("results/benchmarks/images.json")
Batch = dict[str, Tensor]


def agent() -> AgentConfig:
    """Return Young & Tian's agent."""
    return parse(young_values(10**6)).agent


def images(lanes: int) -> Batch:
    """Return a batch of images in which one pixel in 12 is 1 and the others 0, as in Breakout."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.Size(SHAPE).numel()

    def drawn() -> Tensor:
        return (torch.rand(lanes, BATCH, pixels, generator=generator) < 1 / 12).float()

    return {
        "observation": drawn(),
        "action": torch.randint(0, ACTIONS, (lanes, BATCH), generator=generator),
        "reward": torch.randn(lanes, BATCH, generator=generator),
        "discount": torch.full((lanes, BATCH), 0.99),
        "next_observation": drawn(),
    }


def ours(lanes: int, engine: Any) -> Callable[[], object]:
    """Return a function that takes a gradient step and an action in every lane, by our engine."""
    learner, batch = (
        Learner(agent(), range(lanes), SHAPE, ACTIONS, torch.device("cpu"), engine),
        images(lanes),
    )
    weights, drawn = torch.ones(lanes, BATCH), torch.ones((lanes, 2), dtype=torch.float64)
    seen = batch["observation"][:, 0].contiguous()

    def step() -> None:
        learner.act(seen, 0.0, drawn)
        learner.update(batch, weights)

    return step


class Stacked(nn.Module):
    """Young & Tian's network for many lanes, differentiated by PyTorch; `convolve` is how."""

    def __init__(self, lanes: int, convolve: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self._convolve = convolve
        sizes = [(36, FILTERS), (64 * FILTERS, HIDDEN), (HIDDEN, ACTIONS)]
        scaled = [torch.randn(lanes, *size) * size[0] ** -0.5 for size in sizes]
        self.weights = nn.ParameterList(scaled)
        self.biases = nn.ParameterList(torch.zeros(lanes, 1, size[1]) for size in sizes)

    def forward(self, observation: Tensor) -> Tensor:
        """Return values `[L, B, A]` for images `[L, B, O]`."""
        hidden = self._convolve(observation, self.weights[0], self.biases[0]).relu()
        hidden = torch.baddbmm(self.biases[1], hidden, self.weights[1]).relu()
        return torch.baddbmm(self.biases[2], hidden, self.weights[2])


def grouped(observation: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve with a group for each lane."""
    lanes, rows = observation.shape[:2]
    pixels = observation.view(lanes, rows, *SHAPE).transpose(0, 1).reshape(rows, -1, *SHAPE[1:])
    filters = weight.mT.reshape(lanes * FILTERS, SHAPE[0], 3, 3)
    found = functional.conv2d(pixels, filters, bias.flatten(), groups=lanes)
    return found.view(rows, lanes, -1).transpose(0, 1)


def unfolded(observation: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve by PyTorch's unfold and one batched product."""
    lanes, rows = observation.shape[:2]
    patches = functional.unfold(observation.view(-1, *SHAPE), 3)
    patches = patches.transpose(1, 2).reshape(lanes, -1, patches.shape[1])
    return torch.baddbmm(bias, patches, weight).view(lanes, rows, -1)


def plain_network() -> nn.Sequential:
    """Return Young & Tian's network as anybody would write it for one agent."""
    hidden = nn.Linear(64 * FILTERS, HIDDEN)
    parts = (nn.Conv2d(SHAPE[0], FILTERS, 3), nn.ReLU(), nn.Flatten(), hidden, nn.ReLU())
    return nn.Sequential(*parts, nn.Linear(HIDDEN, ACTIONS))


def by_autograd(online: nn.Module, target: nn.Module, batch: Batch) -> Callable[[], object]:
    """Return a function that takes a gradient step and acts, with PyTorch's gradients and optimiser."""
    rule = {"lr": 0.00025, "alpha": 0.95, "eps": 0.01, "centered": True}
    optimiser = torch.optim.RMSprop(online.parameters(), **rule)  # type: ignore[arg-type]

    def step() -> None:
        with torch.no_grad():
            online(batch["seen"]).argmax(-1)
            ahead = batch["reward"] + batch["discount"] * target(batch["next_observation"]).amax(-1)
        taken = online(batch["observation"]).gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        loss = functional.smooth_l1_loss(taken, ahead, reduction="none").mean(-1).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def plain(lanes: int) -> Callable[[], object]:
    """Return `by_autograd` of so many separate agents, in turn."""
    batch = {name: values[0] for name, values in images(1).items()}
    for name in ("observation", "next_observation"):
        batch[name] = batch[name].view(-1, *SHAPE)
    batch["seen"] = batch["observation"][:1]
    steps = [by_autograd(plain_network(), plain_network(), batch) for _ in range(lanes)]
    return lambda: [step() for step in steps]


def stacked(lanes: int, convolve: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[], object]:
    """Return `by_autograd` of all lanes at once."""
    batch = images(lanes)
    batch["seen"] = batch["observation"][:, :1]
    return by_autograd(Stacked(lanes, convolve), Stacked(lanes, convolve), batch)


STEPS: dict[str, Callable[[int], Callable[[], object]]] = {
    "compiled loop over lanes": lambda lanes: ours(lanes, CompiledBackend),
    "patches by index, batched products": lambda lanes: ours(lanes, TorchBackend),
    "unfold, batched products, autograd": lambda lanes: stacked(lanes, unfolded),
    "grouped convolution, autograd": lambda lanes: stacked(lanes, grouped),
    "separate agents of nn.Conv2d": plain,
}


def microseconds_of_learning(name: str, lanes: int) -> float:
    """Return the processor's time of a gradient step and an action, for each lane."""
    torch.set_num_threads(1)
    return _microseconds(STEPS[name](lanes), max(20, 400 // lanes)) / lanes


def microseconds_of_training(lanes: int) -> float:
    """Return the processor's time of an environment step of one lane, learning on each."""
    from ablation.training.dqn import DQNTrainer

    torch.set_num_threads(1)
    config = parse(young_values(10**6))
    trainer = DQNTrainer(config, list(range(lanes)), torch.device("cpu"))
    trainer.advance(WARM_UP)
    found = _microseconds(lambda: trainer.advance(1), 3200 // lanes) / lanes
    trainer.close()
    return found


def _microseconds(step: Callable[[], object], count: int) -> float:
    microseconds(step, 10)
    return microseconds(step, count)


def main() -> None:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    found = {name: measured(calls, arguments.repetitions) for name, calls in _calls().items()}
    _print(found)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written: {arguments.output}")


def measured(calls: Sequence[str], repetitions: int) -> list[list[float]]:
    """Return the results of some calls of this module's functions, each in processes of its own."""
    code = "from benchmarks import images as here\nimport json; print(json.dumps({{'found': here.{}}}))"
    results = repeat({call: code.format(call) for call in calls}, repetitions)
    return [[run["found"] for run in results[call]] for call in calls]


def _calls() -> dict[str, list[str]]:
    """Return what is measured at each number of lanes, by name; training where MinAtar is there."""
    found = {name: [f"microseconds_of_learning({name!r}, {n})" for n in LANES] for name in STEPS}
    try:
        env_spec(young_values(1)["env"]["id"])
    except ConfigError as error:
        print(f"Without the environment: {error}")
        return found
    return found | {"training, environment included": [f"microseconds_of_training({n})" for n in LANES]}


def _print(found: dict[str, list[list[float]]]) -> None:
    table = Table(
        box=None, title="Young & Tian's agent, microseconds of processor a lane: median (range)"
    )
    for heading in (
        "a gradient step of 32 images and an action",
        *(f"{n} lanes" for n in LANES),
        "ratio",
    ):
        table.add_column(heading, justify="left" if " of " in heading else "right")
    for name, columns in found.items():
        cells = [f"{median(c):,.0f} ({min(c):,.0f} - {max(c):,.0f})" for c in columns]
        table.add_row(name, *cells, f"{median(columns[0]) / median(columns[1]):.2f}")
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
