"""Options of the agent, one at a time, against plain PyTorch loops of one lane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import Learner, MakeBackend, choose_backend
from ablation.agent.torch_backend import TorchBackend
from ablation.config.schedules import value_at
from ablation.config.training_path import why_not_portable
from ablation.numerics.random_streams import Stream, unit_interval, words

from .conftest import Configure

CPU = torch.device("cpu")
UPDATES, BATCH, ACTIONS, SIZES = 200, 16, 3, [4, 16, 12, 3]
RATE = 1e-2
Parameters = Iterator[nn.Parameter]

OPTIMIZERS: dict[str, tuple[dict[str, Any], Callable[[Parameters], torch.optim.Optimizer]]] = {
    "betas": (
        {"adam_betas": [0.8, 0.95]},
        lambda parameters: torch.optim.Adam(parameters, lr=RATE, betas=(0.8, 0.95)),
    ),
    "adam with weight decay": (
        {"weight_decay": 0.02},
        lambda parameters: torch.optim.Adam(parameters, lr=RATE, weight_decay=0.02),
    ),
    "adamw": (
        {"optimizer": "adamw", "weight_decay": 0.02},
        lambda parameters: torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.02),
    ),
    "rmsprop with weight decay": (
        {"optimizer": "rmsprop", "weight_decay": 0.02, "rmsprop_decay": 0.9},
        lambda parameters: torch.optim.RMSprop(
            parameters, lr=RATE, alpha=0.9, eps=0.01, centered=True, weight_decay=0.02
        ),
    ),
    "sgd": ({"optimizer": "sgd"}, lambda parameters: torch.optim.SGD(parameters, lr=RATE)),
    "sgd with momentum and weight decay": (
        {"optimizer": "sgd", "sgd_momentum": 0.9, "weight_decay": 0.02},
        lambda parameters: torch.optim.SGD(parameters, lr=RATE, momentum=0.9, weight_decay=0.02),
    ),
}


@pytest.fixture(autouse=True)
def in_double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def batches(count: int = UPDATES) -> list[dict[str, Tensor]]:
    """Return batches of one lane, `[1, B, ...]`."""
    generator = torch.Generator().manual_seed(4)

    def normal(*shape: int) -> Tensor:
        return torch.randn(1, BATCH, *shape, generator=generator)

    return [
        {
            "observation": normal(SIZES[0]),
            "action": torch.randint(0, ACTIONS, (1, BATCH), generator=generator),
            "reward": normal(),
            "discount": 0.9 * (torch.rand(1, BATCH, generator=generator) > 0.2).double(),
            "next_observation": normal(SIZES[0]),
        }
        for _ in range(count)
    ]


def plain_network(seed: int) -> nn.Sequential:
    """Return a network of `torch.nn` with the initial parameters of a lane with this seed."""
    count = sum((inputs + 1) * outputs for inputs, outputs in pairwise(SIZES))
    units = unit_interval(torch.from_numpy(words(seed, Stream.INIT, 0, 1, count)[0].astype(np.int64)))
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        linear = nn.Linear(inputs, outputs)
        weight, bias, units = units.split(
            [inputs * outputs, outputs, len(units) - (inputs + 1) * outputs]
        )
        linear.weight.data = ((2 * weight - 1) * inputs**-0.5).reshape(inputs, outputs).t().contiguous()
        linear.bias.data = (2 * bias - 1) * inputs**-0.5
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def td_errors(network: nn.Module, target: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the values of the actions taken and their goals, `[B]` each."""
    item = {name: values[0] for name, values in batch.items()}
    with torch.no_grad():
        ahead = target(item["next_observation"]).amax(dim=1)
        goal = item["reward"] + item["discount"] * ahead
    values = network(item["observation"]).gather(1, item["action"].unsqueeze(1)).squeeze(1)
    return values, goal


def assert_equal_values(learner: Learner, network: nn.Module) -> None:
    observations = torch.randn(1, 64, SIZES[0], generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        expected = network(observations[0])
    torch.testing.assert_close(learner.action_values(observations)[0], expected, rtol=1e-8, atol=1e-8)


def a_learner(configure: Configure, engine: MakeBackend, **agent: Any) -> Learner:
    changes = {"hidden_sizes": SIZES[1:-1], "learning_rate": RATE, "loss": "squared"} | agent
    config = configure(**{f"agent__{key}": value for key, value in changes.items()})
    return Learner(config.agent, [5], (SIZES[0],), ACTIONS, CPU, engine)


@pytest.fixture(params=[CompiledBackend, TorchBackend], ids=["compiled", "torch"])
def engine(request: pytest.FixtureRequest) -> MakeBackend:
    made: MakeBackend = request.param
    return made


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_changes_parameters_as_that_of_pytorch_does(
    configure: Configure, engine: MakeBackend, name: str
) -> None:
    options, make = OPTIMIZERS[name]
    learner, network, target = (
        a_learner(configure, engine, **options),
        plain_network(5),
        plain_network(5),
    )
    optimizer = make(network.parameters())
    for batch in batches():
        learner.update(batch, torch.ones(1, BATCH))
        optimizer.zero_grad()
        nn.functional.mse_loss(*td_errors(network, target, batch)).backward()
        optimizer.step()
    assert_equal_values(learner, network)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_a_learning_rate_falls_as_a_scheduler_of_pytorch_lets_it(
    configure: Configure, engine: MakeBackend, optimizer: str
) -> None:
    falling = {"start": RATE, "end": 0.1 * RATE, "steps": 150}
    options = {"optimizer": optimizer, "learning_rate": falling, "weight_decay": 0.02}
    learner, network, target = (
        a_learner(configure, engine, **options),
        plain_network(5),
        plain_network(5),
    )
    kinds: dict[str, Callable[[Parameters], torch.optim.Optimizer]] = {
        "adam": lambda p: torch.optim.Adam(p, lr=RATE, weight_decay=0.02),
        "adamw": lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.02),
        "rmsprop": lambda p: torch.optim.RMSprop(
            p, lr=RATE, alpha=0.95, eps=0.01, centered=True, weight_decay=0.02
        ),
        "sgd": lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=0.02),
    }
    plain = kinds[optimizer](network.parameters())
    scheduler = torch.optim.lr_scheduler.LinearLR(plain, 1.0, 0.1, total_iters=150)
    for number, batch in enumerate(batches()):
        rate = value_at(learner._config.learning_rate, number, run_steps=10_000)
        learner.update(batch, torch.ones(1, BATCH), rate)
        plain.zero_grad()
        nn.functional.mse_loss(*td_errors(network, target, batch)).backward()
        plain.step()
        scheduler.step()
    assert_equal_values(learner, network)


def test_a_huber_loss_has_the_threshold_that_it_is_given(
    configure: Configure, engine: MakeBackend
) -> None:
    learner = a_learner(configure, engine, loss="huber", huber_threshold=0.3)
    network, target = plain_network(5), plain_network(5)
    plain = torch.optim.Adam(network.parameters(), lr=RATE)
    for batch in batches():
        update = learner.update(batch, torch.ones(1, BATCH))
        plain.zero_grad()
        losses = nn.functional.huber_loss(
            *td_errors(network, target, batch), delta=0.3, reduction="none"
        )
        torch.testing.assert_close(update.losses[0], losses.detach(), rtol=1e-8, atol=1e-8)
        losses.mean().backward()
        plain.step()
    assert_equal_values(learner, network)


ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalized", [False, True])
def test_hidden_layers_are_those_of_pytorch(
    configure: Configure, activation: str, normalized: bool
) -> None:
    learner = a_learner(configure, TorchBackend, activation=activation, layer_norm=normalized)
    networks = []
    for network in (plain_network(5), plain_network(5)):
        layers: list[nn.Module] = []
        for layer in network:
            if isinstance(layer, nn.Linear):
                layers += [layer, nn.LayerNorm(layer.out_features), ACTIVATIONS[activation]()]
        layers = [one for one in layers[:-2] if normalized or not isinstance(one, nn.LayerNorm)]
        networks.append(nn.Sequential(*layers))
    network, target = networks
    plain = torch.optim.Adam(network.parameters(), lr=RATE)
    for batch in batches(60):
        learner.update(batch, torch.ones(1, BATCH))
        plain.zero_grad()
        nn.functional.mse_loss(*td_errors(network, target, batch)).backward()
        plain.step()
    assert_equal_values(learner, network)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_seed_learns_the_same_alone_and_among_others(configure: Configure, activation: str) -> None:
    torch.set_default_dtype(torch.float32)
    options = {"activation": activation, "layer_norm": True, "hidden_sizes": [13, 7]}
    config = configure(**{f"agent__{key}": value for key, value in options.items()}).agent
    assert choose_backend(config, CPU) is TorchBackend
    alone = Learner(config, [5], (3,), 3, CPU)
    among = Learner(config, [8, 5, 2], (3,), 3, CPU)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        batch = {
            "observation": torch.randn(1, 5, 3, generator=generator),
            "action": torch.randint(0, 3, (1, 5), generator=generator),
            "reward": torch.randn(1, 5, generator=generator),
            "discount": torch.full((1, 5), 0.9),
            "next_observation": torch.randn(1, 5, 3, generator=generator),
        }
        alone.update(batch, torch.ones(1, 5))
        many = {name: part.expand(3, *part.shape[1:]).contiguous() for name, part in batch.items()}
        among.update(many, torch.ones(3, 5))
    assert torch.equal(alone.parameters.online[0], among.parameters.online[1])


def test_what_compiled_loops_do_not_know_is_trained_by_pytorch(configure: Configure) -> None:
    tanh, normed = configure(agent__activation="tanh"), configure(agent__layer_norm=True)
    assert why_not_portable(tanh) == "trained by PyTorch (agent.activation=tanh)"
    assert why_not_portable(normed) == "trained by PyTorch (agent.layer_norm=True)"
    compiled = configure(agent__optimizer="adamw", agent__target_tau=0.1, agent__weight_decay=0.1)
    assert why_not_portable(compiled) is None


def test_a_soft_update_moves_the_target_as_polyak_averaging_does(
    configure: Configure, engine: MakeBackend
) -> None:
    options = {"target_tau": 0.05, "target_update_unit": "gradient_steps", "target_update_period": 2}
    learner = a_learner(configure, engine, **options)
    network, target = plain_network(5), plain_network(5)
    averaged = torch.optim.swa_utils.AveragedModel(
        target, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.95)
    )
    averaged.update_parameters(network)
    plain = torch.optim.Adam(network.parameters(), lr=RATE)
    for number, batch in enumerate(batches(), start=1):
        learner.update(batch, torch.ones(1, BATCH))
        plain.zero_grad()
        nn.functional.mse_loss(*td_errors(network, averaged, batch)).backward()
        plain.step()
        if number % 2 == 0:
            averaged.update_parameters(network)
    assert_equal_values(learner, network)
    observations = torch.randn(1, 64, SIZES[0], generator=torch.Generator().manual_seed(9))
    ours = learner.activations(learner.parameters.target, observations)[-1]
    with torch.no_grad():
        torch.testing.assert_close(ours[0], averaged(observations[0]), rtol=1e-8, atol=1e-8)
