"""The batched network equals `torch.nn`, and a lane never depends on its neighbors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.layers import fully_connected
from ablation.agent.learner import Learner, MakeBackend
from ablation.agent.network import StackedNetwork
from ablation.agent.torch_backend import TorchBackend
from ablation.config.schema import AgentConfig

from .conftest import Configure

ENGINES = (CompiledBackend, TorchBackend)
CPU = torch.device("cpu")
SIZES = [(4, 64, 64, 2), (6, 50, 33, 3), (1, 7, 2), (8, 20, 4), (5, 2), (2, 2, 2, 2)]


def _units(lanes: int, count: int) -> Tensor:
    return torch.rand(lanes, count, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sizes", SIZES)
def test_values_and_gradients_equal_those_through_torch_nn(sizes: tuple[int, ...]) -> None:
    lanes, batch = 3, 5
    network = StackedNetwork(lanes, fully_connected(sizes), CPU)
    flat = network.initial(_units(lanes, network.parameters_per_lane)).requires_grad_()
    parameters = network.views(flat.detach())
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(lanes, batch, sizes[0], generator=generator)
    slopes = torch.randn(lanes, batch, sizes[-1], generator=generator)
    values = network.layer_outputs(flat, inputs)[-1]
    gradients = network.views(torch.autograd.grad((values * slopes).sum(), flat)[0])
    for lane in range(lanes):
        layers: list[torch.nn.Module] = []
        for layer in range(len(sizes) - 1):
            linear = torch.nn.Linear(sizes[layer], sizes[layer + 1])
            linear.weight.data = parameters[2 * layer][lane].T.clone()
            linear.bias.data = parameters[2 * layer + 1][lane, 0].clone()
            layers += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        outputs = model(inputs[lane])
        torch.testing.assert_close(values[lane], outputs, rtol=1e-5, atol=1e-6)
        (outputs * slopes[lane]).sum().backward()
        for ours, theirs in zip(gradients, model.parameters(), strict=True):
            expected = theirs.grad
            assert expected is not None
            expected = expected.T if expected.dim() == 2 else expected.unsqueeze(0)
            torch.testing.assert_close(ours[lane], expected, rtol=1e-4, atol=1e-5)


def test_initial_parameters_lie_within_torch_nns_bounds_and_differ_between_lanes() -> None:
    network = StackedNetwork(2, fully_connected((16, 64, 3)), CPU)
    views = network.views(network.initial(_units(2, network.parameters_per_lane)))
    for view, inputs in zip(views, (16, 16, 64, 64), strict=True):
        bound = inputs**-0.5
        assert view.abs().max() <= bound
        assert view.abs().max() > 0.5 * bound
        assert not torch.equal(view[0], view[1])


def _train(agent: AgentConfig, engine: MakeBackend, lanes: list[int], batch: int) -> dict[int, bytes]:
    """Return each named lane's parameters and values after a few updates, as bytes."""
    generator = torch.Generator().manual_seed(0)
    shape = (40, batch)
    whole = {
        "observation": torch.randn(*shape, 5, generator=generator),
        "action": torch.randint(0, 3, shape, generator=generator),
        "reward": torch.randn(*shape, generator=generator),
        "discount": torch.rand(*shape, generator=generator),
        "next_observation": torch.randn(*shape, 5, generator=generator),
    }
    ours = {name: values[lanes] for name, values in whole.items()}
    learner = Learner(agent, lanes, (5,), 3, CPU, engine)
    for _ in range(10):
        learner.update(ours, torch.ones(len(lanes), batch))
    values = learner.action_values(ours["observation"]).flatten(1)
    everything = torch.cat([learner.parameters.online, values], dim=1)
    return {lane: everything[row].numpy().tobytes() for row, lane in enumerate(lanes)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hidden", [[64, 64], [50, 33], [7], [20], []])
@pytest.mark.parametrize("batch", [1, 2, 7, 32, 33])
def test_a_lane_is_bit_equal_alone_among_others_and_in_another_order(
    configure: Configure, engine: MakeBackend, hidden: list[int], batch: int
) -> None:
    agent = configure(
        agent__hidden_sizes=hidden, agent__double_q=True, agent__max_gradient_norm=1.0
    ).agent
    together = _train(agent, engine, list(range(32)), batch)
    for lanes in ([5], [5, 6, 7], [31, 5, 6], list(range(31, -1, -1)), list(range(3, 20))):
        for lane, result in _train(agent, engine, lanes, batch).items():
            assert result == together[lane], f"lane {lane} among {lanes}"
