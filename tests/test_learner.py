"""The batched learner against a plain one-network PyTorch loop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import Learner, MakeBackend
from ablation.agent.torch_backend import TorchBackend
from ablation.numerics.random_streams import Stream, unit_interval, words

from .conftest import Configure

CPU = torch.device("cpu")
UPDATES, BATCH, ACTIONS, OBSERVATION = 1000, 16, 3, 4


def _batches(seed: int) -> list[tuple[dict[str, Tensor], Tensor]]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    batches = []
    for _ in range(UPDATES):
        batch = {
            "observation": normal(2, BATCH, OBSERVATION),
            "action": torch.randint(0, ACTIONS, (2, BATCH), generator=generator),
            "reward": normal(2, BATCH),
            "discount": 0.9
            * (torch.rand(2, BATCH, generator=generator) > 0.2).double().to(torch.get_default_dtype()),
            "next_observation": normal(2, BATCH, OBSERVATION),
        }
        batches.append((batch, torch.rand(2, BATCH, generator=generator)))
    return batches


def _double(values: Tensor) -> Tensor:
    return values.double() if values.is_floating_point() else values


def _plain_network(seed: int, sizes: list[int]) -> nn.Sequential:
    """Return a torch.nn network with the initial parameters that a lane of this seed gets."""
    count = sum(a * b + b for a, b in pairwise(sizes))
    units = unit_interval(torch.from_numpy(words(seed, Stream.INIT, 0, 1, count)[0].astype(np.int64)))
    layers: list[nn.Module] = []
    offset = 0
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        bound = inputs**-0.5
        for parameter, shape in ((linear.weight, (inputs, outputs)), (linear.bias, (outputs,))):
            part = units[offset : offset + int(np.prod(shape))].reshape(shape)
            offset += part.numel()
            parameter.data = ((2 * part - 1) * bound).to(parameter.dtype).t().contiguous()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _train_plainly(
    network: nn.Sequential,
    batches: list[tuple[dict[str, Tensor], Tensor]],
    lane: int,
    loss: str,
    double_q: bool,
    weighted: bool,
    clip: float | None,
) -> None:
    target = _plain_network(0, [OBSERVATION, 16, 12, ACTIONS])
    target.load_state_dict(network.state_dict())
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-8)
    criterion = {"huber": nn.SmoothL1Loss, "squared": nn.MSELoss}
    for number, (batch, weights) in enumerate(batches, start=1):
        item = {name: values[lane] for name, values in batch.items()}
        with torch.no_grad():
            ahead = target(item["next_observation"])
            chooser = network(item["next_observation"]) if double_q else ahead
            value = ahead.gather(1, chooser.argmax(1, keepdim=True)).squeeze(1)
            goal = item["reward"] + item["discount"] * value
        taken = network(item["observation"]).gather(1, item["action"].unsqueeze(1)).squeeze(1)
        if loss == "next_value":
            # The article's section 3, up to rewards, which no parameter changes.
            losses = (item["discount"] > 0) * network(item["next_observation"]).amax(dim=1)
        else:
            losses = criterion[loss](reduction="none")(taken, goal)
        optimiser.zero_grad()
        (losses * weights[lane] if weighted else losses).mean().backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimiser.step()
        if number % 50 == 0:
            target.load_state_dict(network.state_dict())


@pytest.fixture(params=[torch.float64, torch.float32], ids=["double", "single"])
def precision(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("engine", [CompiledBackend, TorchBackend])
@pytest.mark.parametrize("loss", ["huber", "squared", "next_value"])
@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_thousand_updates_equal_a_plain_pytorch_loop(
    configure: Configure,
    precision: torch.dtype,
    engine: MakeBackend,
    loss: str,
    double_q: bool,
    weighted: bool,
    clip: float | None,
) -> None:
    agent = configure(
        agent__hidden_sizes=[16, 12],
        agent__loss=loss,
        agent__double_q=double_q,
        agent__max_gradient_norm=clip,
    ).agent
    seeds = [3, 8]
    learner = Learner(agent, seeds, (OBSERVATION,), ACTIONS, CPU, engine)
    # In single precision a ReLU or a greedy action that hangs on the last bit would sooner or later
    # fall either way, and everything after it differ.
    updates, close = (UPDATES, 1e-9) if precision == torch.float64 else (50, 1e-5)
    batches = _batches(0)[:updates]
    for number, (batch, weights) in enumerate(batches, start=1):
        learner.update(batch, weights if weighted else torch.ones_like(weights))
        if number % 50 == 0:
            learner.refresh_target()
    observations = torch.randn(2, 64, OBSERVATION, generator=torch.Generator().manual_seed(9))
    ours = learner.action_values(observations)
    if engine is CompiledBackend:
        # Judged by a plain loop in double precision: where a gradient is zero but for rounding, Adam
        # divides it by its own size, and PyTorch's single precision ends 2.5e-5 from the truth.
        torch.set_default_dtype(torch.float64)
        batches = [({name: _double(part) for name, part in b.items()}, _double(w)) for b, w in batches]
        ours, observations = ours.double(), observations.double()
    for lane, seed in enumerate(seeds):
        network = _plain_network(seed, [OBSERVATION, 16, 12, ACTIONS])
        _train_plainly(network, batches, lane, loss, double_q, weighted, clip)
        with torch.no_grad():
            expected = network(observations[lane])
        torch.testing.assert_close(ours[lane], expected, rtol=close, atol=close)
