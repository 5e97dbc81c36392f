"""Supervised streams: the data, the classifier, and a run that forgets without replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablation.config.cell import Cell
from ablation.config.parse import parse
from ablation.config.training_path import is_portable
from ablation.config.validation import ConfigError
from ablation.sweep.estimates.memory import replay_bytes
from ablation.tasks.streams.classifier import Classifier
from ablation.tasks.streams.data import spec
from ablation.tasks.streams.digits import CLASSES, digits
from ablation.tasks.streams.order import TURNS
from ablation.tasks.streams.trainer import SupervisedTrainer

from .conftest import Configure, values

pytest.importorskip("sklearn")
CPU = torch.device("cpu")


def test_the_split_shares_no_image_and_has_every_class() -> None:
    data = digits()
    assert len(data.train.labels) + len(data.test.labels) == 1797
    for part in (data.train, data.test):
        assert set(part.labels) == set(range(CLASSES)) == set(range(spec("digits").actions))
        assert part.inputs.shape[1:] == spec("digits").observation_shape
        assert part.inputs.min() == 0
        assert part.inputs.max() == 1
    assert np.bincount(data.test.labels).min() >= 34


def test_each_pair_of_classes_is_shown_in_its_turn_alone() -> None:
    data = digits()
    turns = data.turn_of_group[data.train.groups]
    order = data.order(turns, [3, 8], 1000)
    assert order.shape == (2, 1000)
    assert (turns[order] == np.arange(1000) * TURNS // 1000).all()
    assert (data.train.labels[order] // 2 == turns[order]).all()
    assert (order[0] == data.order(turns, [8, 3], 1000)[1]).all()
    # Uniform in a turn: 200 draws of about 290 images, some of them twice.
    assert 120 < len(np.unique(order[0, :200])) < 190


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_step_is_that_of_pytorchs_cross_entropy_and_adam(configure: Configure, backend: str) -> None:
    config = configure(agent__hidden_sizes=[16], agent__backend=backend).agent
    ours = Classifier(config, [5], 6, 4, CPU)
    views = ours._network.views(ours.parameters.online)
    weight, bias, out, out_bias = (view[0].clone() for view in views)
    parameters = [view.requires_grad_() for view in (weight, bias, out, out_bias)]
    optimiser = torch.optim.Adam(parameters, lr=config.learning_rate.start, eps=config.adam_epsilon)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        pixels = torch.rand(1, 8, 6, generator=generator)
        label = torch.randint(4, (1, 8), generator=generator)
        weights = torch.rand(1, 8, generator=generator)
        update = ours.update({"inputs": pixels, "label": label}, weights)
        logits = (pixels[0] @ weight + bias).relu() @ out + out_bias
        each = torch.nn.functional.cross_entropy(logits, label[0], reduction="none")
        loss = (each * weights[0]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        torch.testing.assert_close(update.losses.mean(), loss, rtol=1e-4, atol=1e-5)
        chosen = logits.softmax(dim=1).gather(1, label[0].unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(update.errors[0], 1 - chosen, rtol=1e-4, atol=1e-5)
    for ours_now, theirs in zip(views, parameters, strict=True):
        torch.testing.assert_close(ours_now[0], theirs.detach(), rtol=1e-3, atol=1e-4)
    pixels = torch.rand(1, 3, 6, generator=generator)
    logits = (pixels[0] @ weight + bias).relu() @ out + out_bias
    found, likelihoods = ours.predict(pixels, label[:, :3])
    right = logits.log_softmax(dim=1).gather(1, label[0, :3].unsqueeze(1)).squeeze(1).detach()
    np.testing.assert_allclose(found[0], logits.softmax(dim=1).detach(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(likelihoods[0], right, rtol=1e-3, atol=1e-4)


def run(seeds: list[int], **changes: Any) -> SupervisedTrainer:
    settings: dict[str, Any] = {
        "env__id": "digits",
        "agent__hidden_sizes": [32],
        "agent__batch_size": 16,
        "replay__min_replay_size": 16,
        "replay__capacity": 1500,
        "train__env_steps": 1500,
        "train__evaluate_every": 100,
    }
    trainer = SupervisedTrainer(parse(values(**(settings | changes))), seeds, CPU)
    trainer.run()
    return trainer


def test_without_replay_early_classes_are_forgotten_and_with_it_they_stay() -> None:
    """Over three seeds; the margins are a fifth of what is seen."""
    forgetting, final = {}, {}
    for kind in ("none", "uniform", "proportional"):
        lanes = run([0, 1, 2], replay__kind=kind).records.lanes
        forgetting[kind] = np.mean([lane.learner[-1]["forgetting"] for lane in lanes])
        final[kind] = np.mean(
            [row["episode_return"] for lane in lanes for row in lane.evaluations[-10:]]
        )
    assert forgetting["none"] > 0.5 > 0.2 > max(forgetting["uniform"], forgetting["proportional"])
    assert final["none"] < 0.5 < 0.7 < min(final["uniform"], final["proportional"])


def test_rows_are_accuracies_by_class_and_forgetting_follows_from_them() -> None:
    lane = run([4]).records.lanes[0]
    accuracy = np.array([row["episode_return"] for row in lane.evaluations]).reshape(15, CLASSES)
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    assert (
        np.array([row["episode"] for row in lane.evaluations]).reshape(15, -1) == np.arange(10)
    ).all()
    assert sum(row["episode_length"] for row in lane.evaluations[:CLASSES]) == len(digits().test.labels)
    # Nothing is known of the last classes before their turn.
    assert accuracy[11, 8:].sum() == 0 < accuracy[-1, 8:].min()
    fallen = (accuracy.max(axis=0) - accuracy[-1])[:8].mean()
    assert lane.learner[-1]["forgetting"] == pytest.approx(fallen)
    assert {row["forgetting"] for row in lane.learner[:-1]} == {None}


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("kind", ["none", "uniform", "rank"])
def test_runs_depend_on_no_neighbour_and_go_on_from_their_state(kind: str, backend: str) -> None:
    changes = {"replay__kind": kind, "train__env_steps": 300, "agent__hidden_sizes": [24]}
    changes["agent__backend"] = backend
    together, alone = run([1, 2, 3], **changes), run([2], **changes)
    assert together.records.lanes[1].tables() == alone.records.lanes[0].tables()
    config = alone._config
    first, second = (SupervisedTrainer(config, [2], CPU) for _ in range(2))
    first.advance(100)
    first._evaluate()
    second.restore(first.state())
    second.run()
    assert second.records.lanes[0].tables() == alone.records.lanes[0].tables()


def test_planned_bytes_are_those_of_the_numbers_of_examples() -> None:
    trainer = SupervisedTrainer(parse(values(env__id="digits", replay__capacity=150)), [1, 2], CPU)
    experience = trainer._buffer
    allocated = experience.ring._items.nbytes + experience.usage.table.nbytes
    assert replay_bytes(Cell(trainer._config), trainer._spec.observation_size, 2) == allocated


def test_numbers_of_digits_hold_on_every_processor_unless_pytorch_trains_them() -> None:
    assert is_portable(parse(values(env__id="digits")))
    assert not is_portable(parse(values(env__id="digits", agent__backend="torch")))
    assert not is_portable(parse(values(env__id="digits")), "cuda")


def test_digits_have_no_rewards_to_sum() -> None:
    with pytest.raises(ConfigError, match="must be 1 for digits"):
        parse(values(env__id="digits", replay__n_step=2))
