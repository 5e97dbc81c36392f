"""Networks, losses and optimizers of the user's: what they train, and what is refused before a sweep."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablation.agent.check import check_agent
from ablation.agent.learner import Learner
from ablation.agent.torch_backend import TorchBackend
from ablation.config.identity import canonical, cell_name
from ablation.config.parse import parse
from ablation.config.training_path import trained_by, why_not_portable
from ablation.config.validation import ConfigError
from ablation.numerics.random_streams import normal_words, standard_normal
from ablation.sweep.estimates.memory import agent_bytes
from ablation.training.dqn import DQNTrainer

from .conftest import Configure, values

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
NETS = "tests.own_networks"
DQN: dict[str, Any] = {"agent__double_q": True, "agent__max_gradient_norm": 1.0}
OWN: dict[str, dict[str, Any]] = {
    "plain": {"agent__network": f"{NETS}:Plain"},
    "noisy": {"agent__network": f"{NETS}:Noisy", "agent__exploration_epsilon": 0.0},
    "own loss": {"agent__network": f"{NETS}:OwnLoss", "replay__kind": "proportional"},
    "loss of the built-in network": {"agent__loss": f"{NETS}:squared_loss"},
    "optimizer": {"agent__optimizer": "torch.optim:RMSprop", "agent__optimizer_options": {"alpha": 0.9}},
}


def trained(seeds: list[int], case: str, **changes: Any) -> DQNTrainer:
    trainer = DQNTrainer(parse(values(**DQN | OWN[case] | changes)), seeds, CPU)
    trainer.run()
    return trainer


def batch_of(lanes: list[int], size: int, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    width = int(np.prod(shape))

    def rows(*sizes: int) -> torch.Tensor:
        return torch.randn(20, size, *sizes, generator=generator)[lanes].contiguous()

    return {
        "observation": rows(width),
        "next_observation": rows(width),
        "action": rows().gt(0).long(),
        "reward": rows(),
        "discount": rows().clamp(0, 1),
    }


@pytest.mark.parametrize("case", OWN)
def test_a_run_is_bit_equal_alone_among_others_and_after_a_restart(case: str) -> None:
    together, alone = trained([3, 1, 8], case), trained([1], case)
    assert together.records.lanes[1].tables() == alone.records.lanes[0].tables()
    first, second = (DQNTrainer(alone._config, [1], CPU) for _ in range(2))
    first.advance(90)
    second.restore(deepcopy(first.state()))
    for one in (first, second):
        one.advance(60)
    assert torch.equal(first._learner.parameters.online, second._learner.parameters.online)
    assert isinstance(first._learner.backend, TorchBackend)
    assert first.gradient_steps > 100


@pytest.mark.parametrize(("network", "shape"), [("Plain", (5,)), ("Images", (2, 7, 8)), ("Noisy", (5,))])
@pytest.mark.parametrize("size", [1, 7, 32])
def test_a_lane_of_a_module_is_bit_equal_alone_and_among_others(
    configure: Configure, network: str, shape: tuple[int, ...], size: int
) -> None:
    agent = configure(**DQN, agent__network=f"{NETS}:{network}").agent

    def rows(lanes: list[int]) -> torch.Tensor:
        learner, batch = Learner(agent, lanes, shape, 3, CPU), batch_of(lanes, size, shape)
        for _ in range(4):
            learner.update(batch, torch.ones(len(lanes), size))
        values = learner.action_values(batch["observation"]).flatten(1)
        return torch.cat([learner.parameters.online, values], dim=1)

    together = rows(list(range(20)))
    for lanes in ([5], [5, 6], [19, 5, 7], list(range(19, -1, -1))):
        assert torch.equal(rows(lanes), together[lanes]), lanes


def test_a_module_with_the_built_in_layers_trains_like_the_built_in_network(
    configure: Configure,
) -> None:
    """Also with the loss that a network brings, and with one that is named."""
    batch, weights = batch_of([0, 1], 8, (4,)), torch.rand(2, 8)
    built_in = configure(**DQN, agent__loss="squared", agent__backend="torch").agent
    named = configure(**DQN, agent__loss=f"{NETS}:squared_loss").agent
    modules = [
        configure(**DQN, agent__loss="squared", agent__network=f"{NETS}:{name}").agent
        for name in ("Plain", "OwnLoss")
    ]
    learners = [Learner(agent, [4, 9], (4,), 2, CPU) for agent in (built_in, named, *modules)]
    views = learners[0]._network.views(learners[0].parameters.online)
    transposed = [view.mT.reshape(2, -1) for view in views]
    start = torch.cat([*transposed, torch.zeros(2, 64)], dim=1)
    for learner in learners[2:]:
        for parameters in (learner.parameters.online, learner.parameters.target):
            parameters.copy_(start[:, : parameters.shape[1]])
    results = []
    for learner in learners:
        updates = [learner.update(batch, weights) for _ in range(30)]
        errors = learner.td_errors(batch)
        results.append((learner.action_values(batch["observation"]), updates[-1], errors))
    for values_, update, errors in results[1:]:
        torch.testing.assert_close(values_, results[0][0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(errors, results[0][2], rtol=1e-4, atol=1e-5)
        for name in ("errors", "losses", "values"):
            expected = getattr(results[0][1], name)
            torch.testing.assert_close(getattr(update, name), expected, rtol=1e-4, atol=1e-5)


def test_an_own_optimizer_takes_the_steps_of_pytorchs(configure: Configure) -> None:
    options = {"alpha": 0.9, "momentum": 0.5}
    agent = configure(agent__optimizer="torch.optim:RMSprop", agent__optimizer_options=options).agent
    learner = Learner(agent, [4], (4,), 2, CPU)
    expected = torch.nn.Parameter(learner.parameters.online.clone())
    optimizer = torch.optim.RMSprop([expected], lr=agent.learning_rate.start, alpha=0.9, momentum=0.5)
    batch = batch_of([0], 8, (4,))
    for _ in range(20):
        learner.update(batch, torch.ones(1, 8))
        expected.grad = learner.parameters.gradient.clone()
        optimizer.step()
    assert torch.equal(expected, learner.parameters.online)


def test_noise_differs_between_seeds_steps_and_networks_and_is_absent_from_evaluation(
    configure: Configure,
) -> None:
    agent = configure(agent__network=f"{NETS}:Noisy").agent
    learner = Learner(agent, [4, 9], (4,), 2, CPU)
    network = learner._network
    drawn = [network.noise(stream, step, 2) for stream in (8, 9) for step in (1, 2)]
    rows = [tuple(row.tolist()) for pair in drawn for copy in pair for row in copy]
    assert len(set(rows)) == 16
    observation = torch.rand(2, 3, 4)
    linear = [learner.action_values(observation) for _ in range(2)]
    assert torch.equal(*linear)
    parts = learner._network.values(learner.parameters.online, observation, torch.ones(2, 2))
    torch.testing.assert_close(parts.detach() - linear[0], torch.full((2, 3, 2), 0.5))


def test_standard_normal_numbers_are_normal() -> None:
    bits = torch.from_numpy(np.random.default_rng(0).integers(0, 2**32, (1, normal_words(100_001))))
    numbers = standard_normal(bits)[0]
    assert len(numbers) == 100_002
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
    assert abs((numbers.abs() < 1).double().mean() - 0.6827) < 0.01
    extremes = standard_normal(torch.tensor([0, 2**32 - 1, 0, 2**32 - 1]))
    assert extremes.isfinite().all()


def test_diagnostics_of_a_module_lack_only_what_its_layers_would_tell() -> None:
    own, built_in = trained([1], "plain"), trained([1], "optimizer")
    rows = [set(one.records.lanes[0].learner[-1]) for one in (built_in, own)]
    assert rows[0] - rows[1] == {"dormant_share"}
    assert {f"gradient_norm_layer_{number}" for number in (1, 2, 3)} <= rows[1]
    assert not own.records.failed_diagnostics


def test_pytorch_trains_own_parts_and_the_plan_says_why() -> None:
    for case, changes in OWN.items():
        config = parse(values(**changes))
        key, path = next((key, value) for key, value in changes.items() if ":" in str(value))
        assert trained_by(config.agent) == "torch", case
        assert why_not_portable(config) == f"trained by PyTorch ({key.replace('__', '.')}={path})"


def test_options_of_own_parts_count_and_keys_that_they_replace_do_not() -> None:
    own = {"agent__network": f"{NETS}:Plain"}
    name = cell_name(parse(values(**own)))
    assert cell_name(parse(values(**own, agent__hidden_sizes=[7]))) == name
    assert cell_name(parse(values(**own, agent__network_options={"hidden": 8}))) != name
    kept = canonical(parse(values(**own)))["agent"]
    assert kept["network"] == f"{NETS}:Plain"
    optimizer = canonical(parse(values(agent__optimizer="torch.optim:SGD")))["agent"]
    assert "adam_epsilon" not in optimizer


def test_planned_bytes_of_a_module_grow_with_its_parameters_batch_and_lanes(
    configure: Configure,
) -> None:
    small = configure(agent__network=f"{NETS}:Plain").agent
    large = configure(agent__network=f"{NETS}:Plain", agent__network_options={"hidden": 256}).agent
    base = agent_bytes(small, (4,), 2, 32, 1)
    assert agent_bytes(small, (4,), 2, 32, 3) == 3 * base
    assert agent_bytes(small, (4,), 2, 64, 1) > base
    assert agent_bytes(large, (4,), 2, 32, 1) > 7 * 4 * 256 * 256


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"network": f"{NETS}:Missing"}, "agent.network = .*has no Missing"),
    ({"network": "no_such_module:Net"}, "agent.network = .*there is no module no_such_module"),
    ({"network": f"{NETS}:Normalized"}, "layer '1' is BatchNorm1d: .*use LayerNorm"),
    ({"network": f"{NETS}:Dropped"}, "layer '1' is Dropout: .*noise as an input"),
    ({"network": f"{NETS}:Counting"}, "changed its buffer 'calls'"),
    (
        {"network": f"{NETS}:Drawing"},
        "a gradient step failed: RuntimeError: vmap: .*own_networks.py, line",
    ),
    ({"network": f"{NETS}:Unseeded"}, "must train the same twice"),
    ({"network": f"{NETS}:TooMany"}, r"must return values \[3, 2\], float32, not float32 \[3, 3\]"),
    ({"network": f"{NETS}:NoArguments"}, r"called as \(observation_shape, actions.*TypeError"),
    ({"network": f"{NETS}:Lazy"}, "parameter 'weight' has no shape yet"),
    ({"network": f"{NETS}:Broken"}, r"ValueError: nothing comes out \(.*own_networks.py, line"),
    ({"network": f"{NETS}:no_module"}, "must return a torch.nn.Module, not str"),
    ({"network": f"{NETS}:Plain", "network_options": {"size": 3}}, "TypeError.*'size'"),
    ({"loss": f"{NETS}:one_result"}, "agent.loss = .*two tensors, losses and errors, not Tensor"),
    ({"loss": f"{NETS}:mean_loss"}, r"must return losses \[3\], float32, not float32 \[\]"),
    ({"loss": f"{NETS}:constant_loss"}, "losses do not depend on the parameters"),
    ({"loss": f"{NETS}:misspelled"}, "KeyError: 'rewards'"),
    ({"optimizer": f"{NETS}:Mixing"}, "agent.optimizer = .*must be element-wise"),
    (
        {"optimizer": "torch.optim:Adafactor"},
        "agent.optimizer = torch.optim:Adafactor: must be element-",
    ),
    ({"optimizer": "torch.optim:LBFGS"}, "agent.optimizer = torch.optim:LBFGS: a gradient step failed"),
    (
        {"optimizer": "torch.nn:Linear"},
        "agent.optimizer = torch.nn:Linear: called as .params, lr., it failed",
    ),
    (
        {"network_options": {"hidden": 3}},
        "agent.network_options.hidden = 3: goes with agent.network alone",
    ),
    ({"optimizer": "torch.optim:SGD", "weight_decay": 0.1}, "weight_decay = 0.1: is an argument of"),
    ({"optimizer_options": {"alpha": 3}}, "agent.optimizer_options.alpha = 3: goes with"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=lambda one: str(one)[:40])
def test_parts_that_do_not_fit_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        _checked(**{f"agent__{key}": value for key, value in changes.items()})


def _checked(**changes: Any) -> None:
    check_agent(parse(values(**changes)).agent, (4,), 2)


ELEMENTWISE = (
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ASGD",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "SGD"])
def test_every_element_wise_optimizer_of_pytorch_is_accepted(configure: Configure, name: str) -> None:
    check_agent(configure(agent__optimizer=f"torch.optim:{name}").agent, (4,), 2)


def test_the_examples_in_the_docs_are_accepted(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "networks.md").read_text(), re.S)
    (tmp_path / "documented_nets.py").write_text("\n\n".join(blocks))
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "documented_nets"
    check_agent(configure(agent__network=f"{name}:Tanh", agent__loss=f"{name}:loss").agent, (4,), 2)


def test_own_parts_that_fit_are_accepted(configure: Configure) -> None:
    for changes in OWN.values():
        check_agent(configure(**changes).agent, (4,), 2)
    check_agent(configure(agent__network=f"{NETS}:Images").agent, (2, 7, 8), 3)
