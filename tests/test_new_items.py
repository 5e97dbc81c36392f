"""Learning without replay: every stored item is learned from, once, in the batch that follows it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ablation.agent.learner import Learner
from ablation.config.parse import parse
from ablation.config.step_schedule import derive_schedule
from ablation.replay.buffer import ReplayBuffer, SampledBatch
from ablation.training.dqn import DQNTrainer

from .conftest import Configure, values
from .training_runs import counting_id

CPU = torch.device("cpu")
PERIODS: dict[str, dict[str, Any]] = {
    "1": {"agent__learn_period": 1},
    "2": {"agent__learn_period": 2},
    "4": {"agent__learn_period": 4},
    "ratio 0.3": {"agent__learn_period": None, "agent__replay_ratio": 0.3},
    "3 steps, ratio 0.2": {"agent__learn_period": 3, "agent__replay_ratio": 0.2},
}


def batches_of(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, steps: int, **changes: Any
) -> tuple[DQNTrainer, list[list[tuple[float, ...]]]]:
    """Train one lane and return, of each gradient step, the items whose loss counts."""
    seen: list[list[tuple[float, ...]]] = []
    sample = ReplayBuffer.sample

    def watched(self: ReplayBuffer, env_step: int, gradient_step: int) -> SampledBatch:
        sampled = sample(self, env_step, gradient_step)
        weights, batch = sampled.weights[0], sampled.batch
        counts = weights > 0
        if counts.any():
            equal = len(weights) / float(counts.sum())
            assert weights[counts].tolist() == pytest.approx([equal] * int(counts.sum()))
        columns = [*batch["observation"][0].T, batch["next_observation"][0, :, 1]]
        rows = torch.stack(columns, dim=1)[counts]
        seen.append([tuple(row) for row in rows.tolist()])
        return sampled

    monkeypatch.setattr(ReplayBuffer, "sample", watched)
    trainer = DQNTrainer(configure(replay__kind="none", **changes), [1], CPU)
    trainer.advance(steps)
    return trainer, seen


def stored_items(n: int, length: int, steps: int) -> list[tuple[int, int]]:
    """Return (start, end) of the items that so many steps of episodes of one length store, in order."""
    items = []
    for step in range(steps):
        end = step % length + 1
        starts = range(max(end - n, 0), end) if end == length else range(end - n, end - n + 1)
        items += [(start, end) for start in starts if start >= 0]
    return items


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_every_stored_item_is_learned_from_once_and_in_order(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, n: int, period: str, length: int
) -> None:
    changes = {"env__id": counting_id(length, 0), "replay__n_step": n, **PERIODS[period]}
    # 300 steps end with a gradient step under every period.
    trainer, seen = batches_of(configure, monkeypatch, 300, **changes)
    learned = [(int(start), int(end)) for batch in seen for _, start, end in batch]
    assert learned == stored_items(n, length, 300)
    assert trainer._buffer.usage.table[0, :, 2].max() == 1
    assert len(seen) == trainer.gradient_steps


def test_further_gradient_steps_of_a_step_have_the_same_items(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"agent__learn_period": None, "agent__replay_ratio": 2, "replay__n_step": 3}
    _, seen = batches_of(configure, monkeypatch, 40, env__id=counting_id(5, 0), **changes)
    assert seen[::2] == seen[1::2]
    assert [len(batch) for batch in seen[::2]] == [1, 1, 3] + [0, 0, 1, 1, 3] * 7


def test_without_a_new_item_the_gradient_is_zero(configure: Configure) -> None:
    config = configure(replay__kind="none", replay__n_step=3, env__id=counting_id(5, 0))
    trainer = DQNTrainer(config, [1, 2], CPU)
    norms = []
    for _ in range(10):
        trainer.advance(1)
        norms.append((trainer._learner.parameters.gradient.abs().amax(dim=1) > 0).tolist())
    assert norms == [
        [new, new] for new in [False, False, True, True, True, False, False, True, True, True]
    ]


def test_the_loss_is_the_mean_over_the_new_items(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of three slots with one new item gives the gradient of that item alone."""
    changes = {"env__id": counting_id(5, 0), "replay__n_step": 3, "replay__kind": "none"}
    trainer = DQNTrainer(configure(**changes), [1], CPU)
    trainer.advance(13)
    update, alone = Learner.update, DQNTrainer(configure(**changes), [1], CPU)
    alone.restore(trainer.state())

    def only_new(self: Learner, batch: Any, weights: torch.Tensor, rate: float) -> Any:
        assert weights.tolist() == [[3, 0, 0]]
        first = {name: values[:, :1].contiguous() for name, values in batch.items()}
        return update(self, first, torch.ones(1, 1), rate)

    trainer.advance(1)
    assert trainer.gradient_steps == 12
    monkeypatch.setattr(Learner, "update", only_new)
    alone.advance(1)
    one, other = (each._learner.parameters.gradient for each in (trainer, alone))
    assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"replay__kind": "none"}, 1),
        ({"replay__kind": "none", "agent__learn_period": 4, "replay__n_step": 3}, 1),
        ({"replay__kind": "uniform", "agent__learn_period": 4}, 1),
        ({"replay__kind": "recent", "agent__batch_size": 8, "replay__min_replay_size": 8}, 1),
        # The first 92 are overwritten before the first gradient step.
        ({"replay__kind": "recent", "agent__batch_size": 8, "replay__min_replay_size": 100}, 0.908),
        (
            {
                "replay__kind": "recent",
                "agent__batch_size": 8,
                "replay__min_replay_size": 8,
                "agent__learn_period": 10,
            },
            0.8,
        ),
        (
            {
                "replay__kind": "recent",
                "agent__batch_size": 1,
                "replay__min_replay_size": 1,
                "agent__learn_period": None,
                "agent__replay_ratio": 0.75,
            },
            0.75,
        ),
    ],
)
def test_the_share_that_can_be_learned_from_is_what_gradient_steps_find(
    changes: dict[str, Any], share: float
) -> None:
    schedule = derive_schedule(parse(values(**{"train__env_steps": 1000} | changes)))
    assert schedule.learnable_share() == pytest.approx(share, abs=0.001)
    found, due = set(), 0
    for step in range(1, 1001):
        if schedule.gradient_steps_due(step) > due:
            found |= set(range(max(step - schedule.capacity, 0), step))
        due = schedule.gradient_steps_due(step)
    assert len(found) / 1000 == pytest.approx(share, abs=0.004)


def test_a_step_without_a_new_item_is_logged_with_what_is_defined(configure: Configure) -> None:
    changes = {"env__id": counting_id(5, 0), "replay__n_step": 3, "train__log_every": 1}
    trainer = DQNTrainer(configure(replay__kind="none", **changes), [1], CPU)
    trainer.advance(10)
    rows = {row["env_step"]: row for row in trainer.records.lanes[0].learner}
    assert [rows[step]["loss"] > 0 for step in range(3, 11)] == [True] * 3 + [False] * 2 + [True] * 3
    assert [rows[step]["weight_largest"] for step in (3, 5, 6)] == [3, 1, 0]
    assert rows[6]["weight_effective_share"] is None
    assert rows[6]["gradient_norm"] == 0
    assert trainer.records.going_on()
