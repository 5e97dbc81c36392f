"""Convolutions of stacked networks: torch.nn's, by both engines, and a lane for itself."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.layers import Layer, network_layers
from ablation.agent.learner import Learner, MakeBackend
from ablation.agent.network import StackedNetwork
from ablation.agent.torch_backend import TorchBackend
from ablation.cli.compose import Composer, plan_of
from ablation.cli.config_errors import config_loader
from ablation.config.schema import AgentConfig
from ablation.config.validation import ConfigError
from ablation.diagnostics.measures import dormant_share
from ablation.sweep.estimates.memory import network_bytes

from .conftest import Configure

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
ENGINES = (CompiledBackend, TorchBackend)
ACTIONS = 3


@dataclass(frozen=True)
class Case:
    """Images, convolutions (filters, kernel, stride) and the hidden layers after them."""

    shape: tuple[int, int, int]
    convolutions: tuple[tuple[int, int, int], ...]
    hidden: tuple[int, ...]


CASES = {
    "one, as Young & Tian's": Case((4, 10, 10), ((16, 3, 1),), (32,)),
    "three, as Mnih's, of a smaller image": Case((2, 36, 36), ((8, 8, 4), (8, 4, 2), (6, 2, 1)), (16,)),
    "not square, with a rest that no stride reaches": Case((3, 9, 12), ((5, 3, 2), (4, 2, 2)), (7,)),
    "a kernel that covers the image": Case((2, 4, 4), ((6, 4, 3),), ()),
    "single pixels, no hidden layer": Case((5, 3, 3), ((4, 1, 1), (3, 1, 1)), ()),
}


def agent_of(configure: Configure, case: Case, **changes: Any) -> AgentConfig:
    names = ("filters", "kernel_size", "stride")
    convolutions = [dict(zip(names, one, strict=True)) for one in case.convolutions]
    hidden = {"agent__hidden_sizes": list(case.hidden), "agent__convolutions": convolutions}
    return configure(**hidden, **changes).agent


def layers_of(agent: AgentConfig, shape: Sequence[int]) -> list[Layer]:
    return network_layers(agent.convolutions, agent.hidden_sizes, shape, ACTIONS)


def plain_network(case: Case, views: Sequence[Tensor], lane: int) -> nn.Sequential:
    """Return one lane's network made of torch.nn's modules, with its parameters."""
    (channels, *sides), modules = case.shape, list[nn.Module]()
    pairs = [(weight[lane], bias[lane, 0]) for weight, bias in zip(views[::2], views[1::2], strict=True)]
    for (filters, kernel, stride), (weight, bias) in zip(case.convolutions, pairs, strict=False):
        convolution = nn.Conv2d(channels, filters, kernel, stride)
        convolution.weight.data = weight.T.reshape(filters, channels, kernel, kernel).clone()
        convolution.bias = nn.Parameter(bias.clone())
        channels, sides = filters, [(side - kernel) // stride + 1 for side in sides]
        modules += [convolution, nn.ReLU()]
    modules.append(nn.Flatten())
    for number, (weight, bias) in enumerate(pairs[len(case.convolutions) :]):
        linear = nn.Linear(*weight.shape)
        ours = weight.T
        if number == 0:
            # Ours takes what a convolution gives channels last, torch.nn channels first.
            ours = ours.reshape(-1, *sides, channels).permute(0, 3, 1, 2).flatten(1)
        linear.weight.data, linear.bias.data = ours.clone(), bias.clone()
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def batches(case: Case, count: int, lanes: int, size: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.Size(case.shape).numel()

    def images() -> Tensor:
        # Half of the pixels are exactly zero, as in MinAtar's images.
        return torch.randn(lanes, size, pixels, generator=generator).relu_()

    return [
        {
            "observation": images(),
            "action": torch.randint(0, ACTIONS, (lanes, size), generator=generator),
            "reward": torch.randn(lanes, size, generator=generator),
            "discount": torch.rand(lanes, size, generator=generator),
            "next_observation": images(),
        }
        for _ in range(count)
    ]


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_values_and_gradients_equal_those_through_torch_nn(
    configure: Configure, case: Case, double: None
) -> None:
    lanes, size = 3, 5
    layers = layers_of(agent_of(configure, case), case.shape)
    network = StackedNetwork(lanes, layers, CPU)
    generator = torch.Generator().manual_seed(1)
    units = torch.rand(lanes, network.parameters_per_lane, generator=generator)
    flat = network.initial(units).requires_grad_()
    parameters = network.views(flat.detach())
    inputs = batches(case, 1, lanes, size)[0]["observation"]
    slopes = torch.randn(lanes, size, ACTIONS, generator=generator)
    values = network.layer_outputs(flat, inputs)[-1]
    (gradient,) = torch.autograd.grad((values * slopes).sum(), flat)
    for lane in range(lanes):
        model = plain_network(case, parameters, lane)
        outputs = model(inputs[lane].view(size, *case.shape))
        torch.testing.assert_close(values[lane], outputs)
        (outputs * slopes[lane]).sum().backward()
        # Ours, put in torch.nn's order in the way that the weights were.
        ours = plain_network(case, network.views(gradient), lane)
        for found, expected in zip(ours.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(found.data, expected.grad)


RULES: dict[str, dict[str, Any]] = {
    "Adam": {},
    "RMSProp": {"agent__optimizer": "rmsprop"},
    "double, clipped": {"agent__double_q": True, "agent__max_gradient_norm": 0.5},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", list(CASES.values())[:3], ids=list(CASES)[:3])
@pytest.mark.parametrize("rule", RULES)
def test_updates_equal_a_plain_pytorch_loop(
    configure: Configure, engine: MakeBackend, case: Case, rule: str, double: None
) -> None:
    agent = agent_of(configure, case, **RULES[rule])
    seeds, size = [3, 8], 6
    learner = Learner(agent, seeds, case.shape, ACTIONS, CPU, engine)
    network = StackedNetwork(len(seeds), layers_of(agent, case.shape), CPU)
    models = [plain_network(case, network.views(learner.parameters.online), lane) for lane in (0, 1)]
    steps = batches(case, 40, len(seeds), size)
    for number, batch in enumerate(steps, start=1):
        learner.update(batch, torch.ones(len(seeds), size))
        if number % 10 == 0:
            learner.refresh_target()
    ours = learner.action_values(steps[0]["observation"])
    for lane, model in enumerate(models):
        _train_plainly(agent, case, model, steps, lane)
        images = steps[0]["observation"][lane].view(size, *case.shape)
        torch.testing.assert_close(ours[lane], model(images).detach(), rtol=1e-8, atol=1e-8)


def _train_plainly(
    agent: AgentConfig, case: Case, model: nn.Sequential, steps: list[dict[str, Tensor]], lane: int
) -> None:
    target = copy.deepcopy(model)
    rate = agent.learning_rate.start
    optimiser: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    if agent.optimizer == "rmsprop":
        optimiser = torch.optim.RMSprop(model.parameters(), rate, alpha=0.95, eps=0.01, centered=True)
    for number, batch in enumerate(steps, start=1):
        item = {name: values[lane] for name, values in batch.items()}
        now, ahead = (item[name].view(-1, *case.shape) for name in ("observation", "next_observation"))
        with torch.no_grad():
            chooser = model(ahead) if agent.double_q else target(ahead)
            value = target(ahead).gather(1, chooser.argmax(1, keepdim=True)).squeeze(1)
        taken = model(now).gather(1, item["action"].unsqueeze(1)).squeeze(1)
        optimiser.zero_grad()
        nn.functional.smooth_l1_loss(taken, item["reward"] + item["discount"] * value).backward()
        if agent.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), agent.max_gradient_norm)
        optimiser.step()
        if number % 10 == 0:
            target.load_state_dict(model.state_dict())


def _results(
    agent: AgentConfig, case: Case, engine: MakeBackend, lanes: list[int], size: int
) -> dict[int, bytes]:
    """Return each named lane's parameters, values and action after a few updates, as bytes."""
    whole = batches(case, 1, 12, size)[0]
    ours = {name: values[lanes] for name, values in whole.items()}
    learner = Learner(agent, lanes, case.shape, ACTIONS, CPU, engine)
    for _ in range(4):
        learner.update(ours, torch.ones(len(lanes), size))
    values = learner.action_values(ours["observation"]).flatten(1)
    drawn = torch.ones((len(lanes), 2), dtype=torch.float64)
    actions = learner.act(ours["observation"][:, 0].contiguous(), 0.0, drawn)
    everything = torch.cat([learner.parameters.online, values, actions.unsqueeze(1)], dim=1)
    return {lane: everything[row].numpy().tobytes() for row, lane in enumerate(lanes)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("size", [1, 7, 32])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_lane_is_bit_equal_alone_among_others_and_in_another_order(
    configure: Configure, engine: MakeBackend, case: Case, size: int, optimizer: str
) -> None:
    agent = agent_of(configure, case, agent__double_q=True, agent__optimizer=optimizer)
    together = _results(agent, case, engine, list(range(12)), size)
    for lanes in ([5], [5, 6, 7], [11, 5], list(range(11, -1, -1))):
        for lane, result in _results(agent, case, engine, lanes, size).items():
            assert result == together[lane], f"lane {lane} among {lanes}"


def test_both_engines_act_alike_on_single_images(configure: Configure) -> None:
    case = CASES["three, as Mnih's, of a smaller image"]
    agent, images = agent_of(configure, case), batches(case, 1, 2, 50)[0]["observation"]
    learners = [Learner(agent, [1, 2], case.shape, ACTIONS, CPU, engine) for engine in ENGINES]
    drawn = torch.ones((2, 2), dtype=torch.float64)
    for number in range(50):
        first, second = (one.act(images[:, number].contiguous(), 0.0, drawn) for one in learners)
        assert torch.equal(first, second)


def test_initial_parameters_lie_within_the_bounds_of_conv2d(configure: Configure) -> None:
    case = CASES["three, as Mnih's, of a smaller image"]
    network = StackedNetwork(1, layers_of(agent_of(configure, case), case.shape), CPU)
    units = torch.rand(1, network.parameters_per_lane, generator=torch.Generator().manual_seed(0))
    views = network.views(network.initial(units))
    for view, inputs in zip(views[:4], (2 * 8 * 8, 2 * 8 * 8, 8 * 4 * 4, 8 * 4 * 4), strict=True):
        assert 0.5 * inputs**-0.5 < view.abs().max() <= inputs**-0.5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_learner_goes_on_from_its_saved_state_bit_by_bit(
    configure: Configure, engine: MakeBackend, optimizer: str
) -> None:
    case = CASES["not square, with a rest that no stride reaches"]
    agent = agent_of(configure, case, agent__optimizer=optimizer)
    steps, weights = batches(case, 6, 2, 5), torch.ones(2, 5)
    whole, begun, resumed = (Learner(agent, [1, 2], case.shape, ACTIONS, CPU, engine) for _ in range(3))
    for batch in steps:
        whole.update(batch, weights)
    for batch in steps[:3]:
        begun.update(batch, weights)
    file = io.BytesIO()
    torch.save(begun.state(), file)
    file.seek(0)
    resumed.restore(torch.load(file, weights_only=True))
    for batch in steps[3:]:
        resumed.update(batch, weights)
    assert torch.equal(resumed.parameters.online, whole.parameters.online)
    assert torch.equal(resumed.parameters.target, whole.parameters.target)


def test_diagnostics_see_filters_as_units_and_the_errors_of_the_next_step(configure: Configure) -> None:
    case = CASES["one, as Young & Tian's"]
    agent = agent_of(configure, case)
    learner = Learner(agent, [1, 2], case.shape, ACTIONS, CPU)
    batch = batches(case, 1, 2, 5)[0]
    assert learner.layers(learner.parameters.online)[0].shape == (2, 4 * 3 * 3 + 1, 16)
    biases = 4 * 3 * 3 * 16
    learner.parameters.online[:, : biases + 16] = 0
    learner.parameters.online[:, biases + 4 : biases + 16] = 1
    seen = learner.activations(learner.parameters.online, batch["observation"])
    assert [tuple(one.shape[1:]) for one in seen] == [(5, 400), (5 * 64, 16), (5, 32), (5, ACTIONS)]
    assert dormant_share(seen[1:2]).tolist() == [4 / 16, 4 / 16]
    errors = learner.td_errors(batch)
    torch.testing.assert_close(errors, learner.update(batch, torch.ones(2, 5)).errors)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("enters", ["root", "variance"])
def test_a_gradient_that_never_changes_leaves_rmsprop_finite(
    configure: Configure, engine: MakeBackend, enters: str
) -> None:
    # Its variance is a difference of equal numbers, which rounding takes below zero.
    agent = configure(
        agent__optimizer="rmsprop",
        agent__rmsprop_epsilon=1e-8,
        agent__rmsprop_epsilon_enters=enters,
        agent__learning_rate=1e-12,
    ).agent
    learner = Learner(agent, [1], (4,), 2, CPU, engine)
    batch = {
        "observation": torch.ones(1, 8, 4),
        "action": torch.zeros((1, 8), dtype=torch.int64),
        "reward": torch.full((1, 8), 10.0),
        "discount": torch.zeros(1, 8),
        "next_observation": torch.ones(1, 8, 4),
    }
    for _ in range(1000):
        learner.update(batch, torch.ones(1, 8))
    assert learner.parameters.online.isfinite().all()


@pytest.mark.parametrize("engine", ENGINES)
def test_rmsprop_as_mnih_et_al_have_it_takes_the_root_of_variance_and_epsilon(
    configure: Configure, engine: MakeBackend, double: None
) -> None:
    agent = configure(agent__optimizer="rmsprop", agent__rmsprop_epsilon_enters="variance").agent
    learner = Learner(agent, [4], (4,), 2, CPU, engine)
    case = Case((4, 1, 1), (), ())
    parameters = learner.parameters.online.clone()
    mean, square = torch.zeros_like(parameters), torch.zeros_like(parameters)
    for batch in batches(case, 20, 1, 8):
        batch["action"] %= 2
        learner.update(batch, torch.ones(1, 8))
        slopes = learner.parameters.gradient
        mean, square = 0.95 * mean + 0.05 * slopes, 0.95 * square + 0.05 * slopes**2
        parameters -= agent.learning_rate.start * slopes / (square - mean**2 + 0.01).sqrt()
        torch.testing.assert_close(learner.parameters.online, parameters)


REFUSED = [
    ((4,), [(16, 3, 1)], "agent.convolutions = 16 of 3x3: needs images; .* observes 4 numbers"),
    (
        (4, 10, 10),
        [(16, 11, 1)],
        r"agent.convolutions \(entry 1\).kernel_size = 11: an image of 10x10 is left",
    ),
    (
        (4, 10, 6),
        [(8, 3, 2), (8, 3, 1)],
        r"agent.convolutions \(entry 2\).kernel_size = 3: an image of 4x2 is left",
    ),
]


@pytest.mark.parametrize(("shape", "convolutions", "message"), REFUSED)
def test_convolutions_that_do_not_fit_are_refused(
    configure: Configure, shape: tuple[int, ...], convolutions: Any, message: str
) -> None:
    agent = agent_of(configure, Case((1, 1, 1), tuple(convolutions), ()))
    with pytest.raises(ConfigError, match=message):
        layers_of(agent, shape)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_planned_bytes_of_networks_are_the_bytes_allocated(configure: Configure, case: Case) -> None:
    agent = agent_of(configure, case)
    learner = Learner(agent, [1, 2, 3], case.shape, ACTIONS, CPU)
    learner.update(batches(case, 1, 3, 6)[0], torch.ones(3, 6))
    engine, parameters = learner.backend, learner.parameters
    assert isinstance(engine, CompiledBackend)
    # The online networks and gradients count twice: diagnostics keep those of the step before. And so
    # do the networks of the best evaluation.
    rows = (parameters.online, parameters.gradient) * 2 + (parameters.target, *engine._moments)
    rows += (parameters.online,)
    room = sum(part.nbytes for part in engine._workspaces[6])
    assert network_bytes(layers_of(agent, case.shape), 6, 3) == sum(row.nbytes for row in rows) + room


PRESETS = {"young2019": ((4, 10, 10), 132_179), "mnih2015": ((4, 84, 84), 1_685_667)}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_published_network(name: str) -> None:
    shape, parameters = PRESETS[name]
    with config_loader(str(ROOT / "conf")) as loader:
        agent = Composer(loader).resolve({"agent": name}).agent
    layers = layers_of(agent, shape)
    assert sum(layer.parameters for layer in layers) == parameters


def test_a_plan_refuses_convolutions_of_what_is_no_image() -> None:
    with config_loader(str(ROOT / "conf")) as loader:
        composer = Composer(loader)
        line = composer.read(["agent=young2019"])
        study = {
            "name": "images",
            "question": "?",
            "environments": ["cartpole"],
            "design": "one_factor_at_a_time",
            "seeds": 1,
            "primary_score": "final",
            "baseline": {},
            "factors": {},
        }
        with pytest.raises(ConfigError, match="observes 4 numbers"):
            plan_of(composer, study, line)
