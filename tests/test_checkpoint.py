"""A run that was interrupted goes on to the same files as one that was not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from ablation.training import checkpoint
from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .training_runs import counting_id, digest, resumed, train

CPU = torch.device("cpu")
SEEDS = [0, 3]

CASES: list[dict[str, Any]] = [
    {"replay__kind": "none"},
    {"replay__kind": "recent", "replay__n_step": 3},
    {"replay__kind": "uniform", "replay__n_step": 4, "env__backend": "gymnasium"},
    {"replay__kind": "uniform", "replay__replacement": False, "replay__combined": True},
    {"replay__kind": "uniform", "replay__eviction": "random"},
    {"replay__kind": "proportional"},
    {"replay__kind": "proportional", "replay__priority_exponent": {"start": 0.2, "end": 0.9}},
    {"replay__kind": "proportional", "replay__new_priority": "max_present"},
    {"replay__kind": "proportional", "replay__weight_normalisation": "pool_max"},
    {"replay__kind": "rank"},
    {"replay__kind": "greedy", "replay__combined": True},
    {"env__id": "Acrobot-v1"},
    {"env__id": "MountainCar-v0", "replay__kind": "rank"},
]


@pytest.mark.parametrize("changes", CASES)
def test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one(
    configure: Configure, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = configure(**changes)
    whole = train(config, SEEDS)
    again = resumed(config, tmp_path, [7, 50, 133], SEEDS)
    for lane in range(len(SEEDS)):
        assert digest(again, lane) == digest(whole, lane)


def test_a_lane_that_ended_early_stays_ended(configure: Configure, tmp_path: Path) -> None:
    config = configure(agent__learning_rate=1e30, agent__loss="squared", env__id=counting_id(5, 0))
    whole = train(config, SEEDS)
    assert all(record.ended is not None for record in whole.records.lanes)
    trainer = DQNTrainer(config, SEEDS, CPU)
    trainer.restore(whole.state())
    assert [record.ended for record in trainer.records.lanes] == [
        record.ended for record in whole.records.lanes
    ]
    assert trainer.done


@pytest.fixture
def saved(configure: Configure, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path, "cell", SEEDS, DQNTrainer(configure(), SEEDS, CPU).state())
    return tmp_path


def test_a_checkpoint_cut_short_is_named_and_removed(
    saved: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved / checkpoint.NAME
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(saved, "cell", SEEDS) is None
    assert str(path) in caplog.text
    assert "start again from zero" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("other", [("other", SEEDS), ("cell", [0, 4]), ("cell", [3, 0])])
def test_a_checkpoint_of_another_job_is_refused(saved: Path, other: tuple[str, list[int]]) -> None:
    assert checkpoint.load(saved, *other) is None


def test_a_checkpoint_of_another_core_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CORE_VERSION", 10**6)
    assert checkpoint.load(saved, "cell", SEEDS) is None


def test_a_save_that_fails_leaves_the_earlier_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (saved / checkpoint.NAME).read_bytes()

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(saved, "cell", SEEDS, {})
    assert (saved / checkpoint.NAME).read_bytes() == before
    assert [path.name for path in saved.iterdir()] == [checkpoint.NAME]


def test_a_checkpoint_is_no_larger_than_what_is_in_use(tmp_path: Path) -> None:
    memory = torch.zeros(1_000_000)
    checkpoint.save(tmp_path, "cell", [0], {"ring": [memory[:10]], "other": (memory[10:20],)})
    assert (tmp_path / checkpoint.NAME).stat().st_size < 10_000
    found = checkpoint.load(tmp_path, "cell", [0])
    assert found is not None
    assert torch.equal(found["ring"][0], memory[:10])
