"""The hand-derived batched network equals autograd, and a lane never depends on its neighbours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ablation.agent.network import StackedMLP

CPU = torch.device("cpu")
SIZES = [(4, 64, 64, 2), (6, 50, 33, 3), (1, 7, 2), (8, 20, 4), (5, 2), (2, 2, 2, 2)]


def _units(lanes: int, count: int) -> Tensor:
    return torch.rand(lanes, count, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sizes", SIZES)
def test_gradients_equal_autograd_through_torch_nn(sizes: tuple[int, ...]) -> None:
    lanes, batch = 3, 5
    network = StackedMLP(lanes, sizes, CPU)
    flat = network.initial(_units(lanes, network.parameters_per_lane))
    parameters = network.views(flat)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(lanes, batch, sizes[0], generator=generator)
    slopes = torch.randn(lanes, batch, sizes[-1], generator=generator)
    activations = network.forward(parameters, inputs)
    gradients = network.views(network.zeros())
    network.backward(parameters, activations, slopes, gradients)
    for lane in range(lanes):
        layers: list[torch.nn.Module] = []
        for layer in range(len(sizes) - 1):
            linear = torch.nn.Linear(sizes[layer], sizes[layer + 1])
            linear.weight.data = parameters[2 * layer][lane].T.clone()
            linear.bias.data = parameters[2 * layer + 1][lane, 0].clone()
            layers += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        outputs = model(inputs[lane])
        torch.testing.assert_close(activations[-1][lane], outputs, rtol=1e-5, atol=1e-6)
        (outputs * slopes[lane]).sum().backward()
        for ours, theirs in zip(gradients, model.parameters(), strict=True):
            expected = theirs.grad
            assert expected is not None
            expected = expected.T if expected.dim() == 2 else expected.unsqueeze(0)
            torch.testing.assert_close(ours[lane], expected, rtol=1e-4, atol=1e-5)


def test_initial_parameters_lie_within_torch_nns_bounds_and_differ_between_lanes() -> None:
    network = StackedMLP(2, (16, 64, 3), CPU)
    views = network.views(network.initial(_units(2, network.parameters_per_lane)))
    for view, inputs in zip(views, (16, 16, 64, 64), strict=True):
        bound = inputs**-0.5
        assert view.abs().max() <= bound
        assert view.abs().max() > 0.5 * bound
        assert not torch.equal(view[0], view[1])


def _train(sizes: tuple[int, ...], batch: int, lanes: list[int]) -> dict[int, bytes]:
    """Return each named lane's parameters and outputs after a few updates, as bytes."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, batch, sizes[0], generator=generator)[lanes]
    slopes = torch.randn(40, batch, sizes[-1], generator=generator)[lanes]
    network = StackedMLP(len(lanes), sizes, CPU)
    flat = network.initial(_units(40, network.parameters_per_lane)[lanes])
    flat.grad = network.zeros()
    optimiser = torch.optim.Adam([flat], lr=1e-2, fused=True)
    parameters, gradients = network.views(flat), network.views(flat.grad)
    for _ in range(10):
        activations = network.forward(parameters, inputs)
        network.backward(parameters, activations, slopes * activations[-1], gradients)
        optimiser.step()
    everything = [*parameters, activations[-1]]
    joined = torch.cat([view.reshape(len(lanes), -1) for view in everything], dim=1)
    return {lane: joined[row].numpy().tobytes() for row, lane in enumerate(lanes)}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("batch", [1, 2, 7, 32, 33])
def test_a_lane_is_bit_equal_alone_among_others_and_in_another_order(
    sizes: tuple[int, ...], batch: int
) -> None:
    together = _train(sizes, batch, list(range(32)))
    for lanes in ([5], [5, 6, 7], [31, 5, 6], list(range(31, -1, -1)), list(range(3, 20))):
        for lane, result in _train(sizes, batch, lanes).items():
            assert result == together[lane], f"lane {lane} among {lanes}"
