"""Ends of episodes under every replay kind and n: what is stored, drawn and bootstrapped."""

from __future__ import annotations

import pytest
import torch

from ablation.envs.lanes import episode_seeds
from ablation.numerics.random_streams import Stream
from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .training_runs import KINDS, counting_id

CPU = torch.device("cpu")
GAMMA = 0.9
ENDS = [(3, 0), (0, 4), (5, 5), (1, 0), (0, 1), (3, 7), (7, 3)]
"""(step that terminates, step that truncates), 0 for never: alone, together, one-step episodes."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("bootstrap", [True, False])
def test_every_stored_transition_lies_within_its_episode(
    configure: Configure, kind: str, n: int, ends: tuple[int, int], bootstrap: bool
) -> None:
    """Observations are (tag of the episode, step), the reward is the step: joins would show."""
    terminate_at, truncate_at = ends
    length = min(end for end in ends if end)
    config = configure(
        env__id=counting_id(*ends),
        replay__kind=kind,
        replay__n_step=n,
        replay__min_replay_size=32,
        agent__discount=GAMMA,
        agent__time_limit_bootstrap=bootstrap,
    )
    trainer = DQNTrainer(config, [1, 2], CPU)
    trainer.advance(50)
    ring, seeds = trainer._buffer.ring, episode_seeds([1, 2], Stream.RESET)
    assert ring.size.min() > 0
    for lane in range(2):
        tags = {seeds(lane, episode) % 97 for episode in range(50 // length + 1)}
        slots = torch.arange(int(ring.size[lane])).expand(2, -1)
        items = {name: values[lane] for name, values in ring.gather(slots).items()}
        for row in range(len(slots[0])):
            tag, first = items["observation"][row].tolist()
            after, last = items["next_observation"][row].tolist()
            steps = int(last - first)
            assert tag == after, "joined across an end"
            assert tag in tags
            assert 1 <= steps <= n
            assert steps == n or last == length, "shortened though its episode went on"
            rewards = sum(GAMMA**k * (first + 1 + k) for k in range(steps))
            assert items["reward"][row] == pytest.approx(rewards, rel=1e-5)
            over = last == terminate_at or (not bootstrap and last == truncate_at)
            assert items["discount"][row] == pytest.approx(0 if over else GAMMA**steps, rel=1e-5)
    if kind not in ("none", "recent"):
        # Nothing of the finished episodes is missing: every start of theirs is stored.
        starts = ring.gather(torch.arange(int(ring.size[0])).expand(2, -1))["observation"][0, :, 1]
        finished = 50 // length
        assert torch.bincount(starts.long(), minlength=length).min() >= finished


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3])
def test_what_is_drawn_is_what_is_stored(configure: Configure, kind: str, n: int) -> None:
    config = configure(env__id=counting_id(5, 0), replay__kind=kind, replay__n_step=n)
    trainer = DQNTrainer(config, [1, 2], CPU)
    trainer.advance(30)
    drawn = trainer._buffer.sample(30, trainer.gradient_steps)
    slots, weights = drawn.slots, drawn.weights
    stored = trainer._buffer.ring.gather(slots)
    assert all(torch.equal(drawn.batch[name], stored[name]) for name in stored)
    assert (slots < trainer._buffer.ring.size.unsqueeze(1)).all()
    assert weights.shape == slots.shape
    if kind == "none":
        # The mean over the batch is one over the new items, or there are none.
        assert set(weights.mean(dim=1).tolist()) <= {0.0, 1.0}
    else:
        assert weights.max() <= 1
