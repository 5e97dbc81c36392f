"""The path of accelerators, on the processor: PyTorch's operations alone, deferred records, capture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ablation.agent.torch_backend import TorchBackend
from ablation.capture import WARM_UP, captured
from ablation.envs.tensor_lanes import STEPS_AHEAD, TensorLanes
from ablation.store.records import Records
from ablation.training.dqn import Trainer

from .conftest import Configure
from .tape import Taped

CPU, META = torch.device("cpu"), torch.device("meta")
SEEDS = [3, 1, 8]

CASES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "none": {"replay__kind": "none"},
    "recent": {"replay__kind": "recent"},
    "without replacement": {"replay__replacement": False},
    "combined": {"replay__combined": True},
    "random eviction": {"replay__eviction": "random"},
    "double": {"agent__double_q": True, "agent__max_gradient_norm": 1.0},
    "squared": {"agent__loss": "squared", "agent__target_update_unit": "gradient_steps"},
    "blocks": {"agent__learn_period": 4, "agent__replay_ratio": 1.0},
    "rmsprop": {"agent__optimizer": "rmsprop"},
    "proportional": {"replay__kind": "proportional"},
    "pool": {"replay__kind": "proportional", "replay__weight_normalisation": "pool_max"},
    "mixed": {"replay__kind": "proportional", "replay__uniform_share": 0.3},
    "subset": {
        "replay__kind": "proportional",
        "replay__replacement": False,
        "replay__stratified": False,
    },
    "greedy": {"replay__kind": "greedy"},
    "acrobot": {"env__id": "Acrobot-v1"},
    "mountain car": {"env__id": "MountainCar-v0", "env__time_limit": 40},
}
UNSTEADY: dict[str, dict[str, Any]] = {
    "rank": {"replay__kind": "rank"},
    "three steps": {"replay__n_step": 3},
}


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processor do what an accelerator does."""
    monkeypatch.setattr("ablation.numerics.compiled.COMPILED_ON", frozenset())


def trained(configure: Configure, case: dict[str, Any], steps: int = 200) -> Trainer:
    trainer = Trainer(configure(**case), SEEDS, CPU)
    for _ in range(0, steps, 50):
        trainer.advance(50)
        trainer._evaluate()
    return trainer


def assert_same(found: Records, expected: Records, tolerance: float) -> None:
    for ours, theirs in zip(found.lanes, expected.lanes, strict=True):
        assert ours.episodes == theirs.episodes
        assert ours.ended == theirs.ended
        for name in ("evaluations", "learner"):
            rows = ours.tables()[name], theirs.tables()[name]
            for one, other in zip(*rows, strict=True):
                assert one.keys() == other.keys()
                # A diagnostic that is not defined is None.
                values = [np.array([row[key] for key in one], float) for row in (one, other)]
                np.testing.assert_allclose(*values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", [*CASES, *UNSTEADY])
def test_what_runs_on_accelerators_trains_as_what_is_compiled(
    configure: Configure, request: pytest.FixtureRequest, case: str
) -> None:
    changes = CASES.get(case) or UNSTEADY.get(case, {})
    compiled = trained(configure, changes)
    request.getfixturevalue("uncompiled")
    tensors = trained(configure, changes)
    assert isinstance(tensors._environment, TensorLanes)
    assert isinstance(tensors._learner._backend, TorchBackend)
    assert_same(tensors.records, compiled.records, 1e-3)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("case", CASES)
def test_captured_operations_are_all_that_a_step_consists_of(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    expected = trained(configure, CASES[case])
    monkeypatch.setattr("ablation.training.dqn.captured", Taped)
    found = trained(configure, CASES[case])
    assert isinstance(found._interaction, Taped)
    assert found._interaction._calls == 200
    assert_same(found.records, expected.records, 0)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("case", UNSTEADY)
def test_what_decides_in_python_is_not_captured(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr("ablation.training.dqn.captured", Taped)
    trainer = Trainer(configure(**UNSTEADY[case]), SEEDS, CPU)
    assert not isinstance(trainer._interaction, Taped)
    assert not isinstance(trainer._gradient_step, Taped)


@pytest.mark.parametrize("case", CASES)
def test_a_step_waits_for_nothing_and_stays_on_its_device(configure: Configure, case: str) -> None:
    # Tensors without numbers: whoever asks for one, or mixes them with others, fails. PyTorch's fused
    # Adam does not take them.
    changes = {**CASES[case], "agent__optimizer": "rmsprop"}
    trainer = Trainer(configure(**changes), SEEDS, META)
    for step in range(STEPS_AHEAD - 1):
        trainer._interact()
        trainer._buffer.ready_to_draw(step, step)
        trainer._gradient_step()
        trainer._learner.count()
        trainer._learner.end_of_step(step)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("case", ["uniform", "proportional", "rank", "three steps"])
def test_a_checkpoint_goes_on_bit_by_bit(configure: Configure, case: str) -> None:
    config = configure(**(CASES.get(case) or UNSTEADY.get(case, {})))
    whole, begun, resumed = (Trainer(config, SEEDS, CPU) for _ in range(3))
    whole.advance(110)
    whole.advance(90)
    begun.advance(110)
    resumed.restore(deepcopy(begun.state()))
    resumed.advance(90)
    assert_same(resumed.records, whole.records, 0)
    assert torch.equal(resumed._learner.parameters.online, whole._learner.parameters.online)


@pytest.mark.usefixtures("uncompiled")
def test_a_lane_whose_observation_is_not_finite_ends_alone_at_its_step(configure: Configure) -> None:
    expected = Trainer(configure(), SEEDS, CPU)
    expected.advance(150)
    trainer = Trainer(configure(), SEEDS, CPU)
    trainer.advance(20)
    assert isinstance(trainer._environment, TensorLanes)
    trainer._environment._state[1, 2] = torch.nan
    trainer.advance(130)
    ended = trainer.records.lanes[1].ended
    assert ended is not None
    assert (
        ended.error
        == "environment CartPole-v1, seed 1, step 21: an observation or a reward is not finite"
    )
    assert not trainer._environment.active[1]
    for lane in (0, 2):
        assert trainer.records.lanes[lane] == expected.records.lanes[lane]


def test_every_call_of_something_captured_does_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Graph:
        def replay(self) -> None:
            done.append("replayed")

    @contextmanager
    def capturing(*_: Any, **__: Any) -> Iterator[None]:
        done.append("captured")
        yield
        # Nothing of what was captured has run.
        done.pop()

    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capturing)
    body = captured(lambda: done.append("body") or len(done), torch.device("cuda"))
    results = [body() for _ in range(WARM_UP + 3)]
    assert done == ["body"] * WARM_UP + ["captured"] + ["replayed"] * 3
    assert results[WARM_UP:] == [results[WARM_UP]] * 3
