"""The example project `examples/rainbow`: its components against formulas, its study, a short run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ablation.store.files import read_json

from .processes import ROOT, python

PROJECT = ROOT / "examples" / "rainbow"
COMPONENTS = ("double", "prioritized", "dueling", "n-step", "distributional", "noisy")


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PROJECT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "rainbow"]:
        del sys.modules[name]


def slow_projection(
    atoms: list[float], probabilities: list[float], reward: float, discount: float
) -> list[float]:
    """Return Bellemare et al.'s algorithm 1 for one transition, as it is printed."""
    low, high = atoms[0], atoms[-1]
    spacing = (high - low) / (len(atoms) - 1)
    result = [0.0] * len(atoms)
    for atom, probability in zip(atoms, probabilities, strict=True):
        moved = min(max(reward + discount * atom, low), high)
        place = (moved - low) / spacing
        lower, upper = int(np.floor(place)), int(np.ceil(place))
        if lower == upper:
            result[lower] += probability
        else:
            result[lower] += probability * (upper - place)
            result[upper] += probability * (place - lower)
    return result


def test_the_projection_is_that_of_a_slow_loop_and_keeps_mean_and_mass() -> None:
    from rainbow.distributional import project as projected

    generator = torch.Generator().manual_seed(0)
    atoms = torch.linspace(-10, 10, 21, dtype=torch.float64)
    probabilities = torch.rand(40, 21, generator=generator, dtype=torch.float64).softmax(dim=1)
    reward = torch.randn(40, generator=generator, dtype=torch.float64) * 5
    # Whole atoms, the end of an episode, and far beyond both ends.
    reward[:5] = torch.tensor([0.0, 1.0, -2.0, 50.0, -50.0])
    discount = torch.rand(40, generator=generator, dtype=torch.float64)
    discount[:8] = torch.tensor([1.0, 1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 1.0])
    ours = projected(atoms, probabilities, reward, discount)
    rows = zip(probabilities.tolist(), reward.tolist(), discount.tolist(), strict=True)
    expected = [slow_projection(atoms.tolist(), *row) for row in rows]
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64))
    inside = reward.abs() + 10 * discount <= 10
    means = reward + discount * (probabilities * atoms).sum(dim=1)
    assert inside.sum() > 5
    torch.testing.assert_close((ours * atoms).sum(dim=1)[inside], means[inside])


def test_cross_entropy_and_divergence_are_pytorchs() -> None:
    from rainbow.distributional import cross_entropy

    logits, goal = torch.randn(6, 9), torch.randn(6, 9).mul(20).softmax(dim=1)
    losses, errors = cross_entropy(logits, goal)
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits, goal, reduction="none"))
    logs = logits.log_softmax(dim=1)
    divergence = torch.nn.functional.kl_div(logs, goal, reduction="none").sum(dim=1)
    torch.testing.assert_close(errors, divergence)


def test_dueling_heads_are_identified_by_their_mean() -> None:
    from rainbow.dueling import combine

    value, advantage = torch.randn(5, 1, 3), torch.randn(5, 4, 3)
    combined = combine(value, advantage)
    torch.testing.assert_close(combined.mean(dim=1, keepdim=True), value)
    torch.testing.assert_close(combine(value, advantage + 7), combined)
    differences = combined[:, 1:] - combined[:, :1]
    torch.testing.assert_close(differences, advantage[:, 1:] - advantage[:, :1])


def test_a_noisy_layer_is_a_linear_one_with_factorized_noise() -> None:
    from rainbow.noisy import NoisyLinear

    layer, inputs = NoisyLinear(4, 3, sigma=0.4), torch.randn(5, 4)
    noise = torch.randn(7)
    outputs = layer(inputs, noise)
    scaled = [np.sign(one) * abs(one) ** 0.5 for one in noise.tolist()]
    for row in range(5):
        for out in range(3):
            expected = layer.mean_bias[out] + layer.sigma_bias[out] * scaled[4 + out]
            for inner in range(4):
                disturbed = layer.sigma_weight[out, inner] * scaled[4 + out] * scaled[inner]
                expected = expected + (layer.mean_weight[out, inner] + disturbed) * inputs[row, inner]
            torch.testing.assert_close(outputs[row, out], expected)
    mean = torch.nn.functional.linear(inputs, layer.mean_weight, layer.mean_bias)
    torch.testing.assert_close(layer(inputs, torch.zeros(7)), mean)
    torch.testing.assert_close(layer.sigma_weight, torch.full((3, 4), 0.4 / 2))


@pytest.mark.parametrize("shape", [(4,), (3, 10, 10)])
@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("distributional", [True, False])
def test_every_combination_trains_and_a_seed_is_equal_alone(
    shape: tuple[int, ...], noisy: bool, dueling: bool, distributional: bool
) -> None:
    from ablation.agent.check import check_agent
    from ablation.config.parse import parse

    from .conftest import values

    options = {"hidden": 32, "noisy": noisy, "dueling": dueling, "distributional": distributional}
    agent = parse(values(agent__network="rainbow.network:rainbow", agent__network_options=options)).agent
    check_agent(agent, shape, 3)


def test_values_of_distributions_are_their_means() -> None:
    from rainbow.network import rainbow

    network = rainbow((4,), 3, atoms=11, support=(-2.0, 2.0), noisy=False)
    observation = torch.randn(6, 4)
    logits = network.logits(observation).detach()
    expected = [
        [sum(p * z for p, z in zip(one.softmax(0), np.linspace(-2, 2, 11), strict=True)) for one in row]
        for row in logits
    ]
    torch.testing.assert_close(network(observation).detach(), torch.tensor(expected))
    assert logits.shape == (6, 3, 11)


def test_the_study_leaves_out_and_adds_each_component_and_a_run_of_all_is_stored(tmp_path: Path) -> None:
    short = [
        "~study.tune",
        "~study.factors.rate",
        "study.seeds=2",
        "train.env_steps=150",
        "train.evaluate_every=75",
        "replay.min_replay_size=70",
    ]
    words = ["study=rainbow", "only=baseline", "study.environments=[cartpole]", "tracking=disabled"]
    python("-m", "ablation", "sweep", *words, *short, f"results_dir={tmp_path}", cwd=PROJECT)
    plan = read_json(tmp_path / "studies" / "rainbow-quick" / "plan.json")
    arms = {arm["name"] for arm in plan["arms"]}
    assert arms == {
        "baseline",
        "bare",
        *(f"{one}=off" for one in COMPONENTS),
        *(f"only {one}" for one in COMPONENTS),
    }
    records = [read_json(path) for path in tmp_path.glob("runs/*/*/run.json")]
    assert [record["status"] for record in records] == ["complete"] * 2
    assert records[0]["trained_by"] == "torch"
    assert list(records[0]["component_fingerprints"]) == ["rainbow.network:rainbow"]
