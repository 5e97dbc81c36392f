"""PyTorch's learner, and what crosses to its device; on a GPU where there is one (marked `slow`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import choose_backend
from ablation.agent.torch_backend import TorchBackend
from ablation.cli.compose import Composer
from ablation.cli.config_errors import config_loader
from ablation.config.identity import canonical, cell_name
from ablation.config.parse import parse
from ablation.store.records import Records
from ablation.tasks.streams.trainer import SupervisedTrainer
from ablation.training.dqn import DQNTrainer

from .conftest import Configure, values
from .golden import CONF

CPU, META = torch.device("cpu"), torch.device("meta")
SEEDS = [3, 1, 8]

CASES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "double": {"agent__double_q": True, "agent__max_gradient_norm": 1.0},
    "squared": {"agent__loss": "squared", "agent__target_update_unit": "gradient_steps"},
    "next value": {"agent__loss": "next_value"},
    "rmsprop": {"agent__optimizer": "rmsprop"},
    "proportional": {"replay__kind": "proportional"},
    "rank, three steps": {"replay__kind": "rank", "replay__n_step": 3},
}


def trained(configure: Configure, case: dict[str, Any], device: torch.device = CPU) -> DQNTrainer:
    trainer = DQNTrainer(configure(**case), SEEDS, device)
    trainer.run()
    return trainer


def assert_close(ours: Records, theirs: Records) -> None:
    for lane, other in zip(ours.lanes, theirs.lanes, strict=True):
        assert lane.episodes == other.episodes
        assert lane.ended == other.ended
        for name in ("evaluations", "learner"):
            for one, two in zip(lane.tables()[name], other.tables()[name], strict=True):
                assert one.keys() == two.keys()
                # A diagnostic that is not defined is None.
                rows = [np.array([row[key] for key in one], float) for row in (one, two)]
                np.testing.assert_allclose(*rows, rtol=1e-3, atol=1e-3)


def test_the_processor_gets_the_compiled_backend_and_other_devices_pytorch() -> None:
    agent = parse(values()).agent
    assert choose_backend(agent, CPU) is CompiledBackend
    assert choose_backend(agent, torch.device("cuda")) is TorchBackend
    assert choose_backend(replace(agent, backend="torch"), CPU) is TorchBackend


def test_the_backend_is_part_of_the_name_unless_it_is_the_compiled_one() -> None:
    config = parse(values())
    assert "backend" not in canonical(config)["agent"]
    other = parse(values(agent__backend="torch"))
    assert canonical(other)["agent"]["backend"] == "torch"
    assert cell_name(other) != cell_name(config)


def test_cells_of_an_accelerator_are_those_of_pytorch() -> None:
    with config_loader(str(CONF)) as loader:
        composer = Composer(loader)
        composer.device = "cuda:1"
        on_gpu = composer.resolve({"env": "cartpole"})
        composer.device = "cpu"
        assert on_gpu == composer.resolve({"env": "cartpole", "agent.backend": "torch"})
        assert cell_name(on_gpu) != cell_name(composer.resolve({"env": "cartpole"}))


GPU = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that PyTorch can use"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_training_by_pytorch_equals_training_by_compiled_loops(
    configure: Configure, case: str, device: str
) -> None:
    compiled = trained(configure, CASES[case])
    by_pytorch = trained(configure, CASES[case] | {"agent__backend": "torch"}, torch.device(device))
    assert isinstance(by_pytorch._learner.backend, TorchBackend)
    assert by_pytorch._learner.parameters.online.device.type == device
    assert_close(by_pytorch.records, compiled.records)


@pytest.fixture
def other_device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Return a device that refuses to compute with tensors of main memory; zeros come back from it."""
    there = torch.Tensor.cpu
    monkeypatch.setattr(
        torch.Tensor,
        "cpu",
        lambda self: torch.zeros(self.shape, dtype=self.dtype) if self.is_meta else there(self),
    )
    return META


# PyTorch's fused Adam does not take tensors of this device.
@pytest.mark.parametrize("case", [case for case in CASES if case != "uniform"])
def test_only_the_learner_is_on_the_device(
    configure: Configure, other_device: torch.device, case: str
) -> None:
    trainer = trained(configure, {**CASES[case], "agent__optimizer": "rmsprop"}, other_device)
    assert trainer._learner.parameters.online.device == other_device
    assert trainer.gradient_steps > 0
    assert all(lane.ended is None for lane in trainer.records.lanes)
    assert not any(tensor.is_meta for tensor in tensors(trainer._buffer.state()))


@pytest.mark.parametrize("device", DEVICES)
def test_digits_by_pytorch_equal_digits_by_compiled_loops(device: str) -> None:
    pytest.importorskip("sklearn")
    records = []
    for backend, where in (("auto", "cpu"), ("torch", device)):
        config = parse(values(env__id="digits", replay__capacity=150, agent__backend=backend))
        trainer = SupervisedTrainer(config, SEEDS, torch.device(where))
        records.append(trainer.run())
    assert_close(*records)


def test_only_the_classifier_is_on_the_device(other_device: torch.device) -> None:
    pytest.importorskip("sklearn")
    config = parse(values(env__id="digits", agent__optimizer="rmsprop", replay__capacity=150))
    trainer = SupervisedTrainer(config, SEEDS, other_device)
    trainer.run()
    assert trainer.gradient_steps > 0
    assert not any(tensor.is_meta for tensor in tensors(trainer._buffer.state()))


def tensors(state: Any) -> list[Tensor]:
    """Return all tensors in a state."""
    if isinstance(state, Tensor):
        return [state]
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list) else ()
    return [tensor for part in parts for tensor in tensors(part)]
