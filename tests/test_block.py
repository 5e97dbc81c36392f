"""Blocks of steps in one compiled call: the same bits as the steps taken one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.store.records import EarlyEnd
from ablation.training.dqn import DQNTrainer

from .conftest import Configure, values

CPU = torch.device("cpu")
BUSY = {"train__env_steps": 1200, "train__log_every": 150, "train__evaluate_every": 1200}
SCHEDULED = {"start": 0.2, "end": 0.9, "steps": 700}
PRIORITIZED = {"replay__kind": "proportional"}

CELLS: dict[str, dict[str, Any]] = {
    "uniform": {},
    "subset": {"replay__replacement": False},
    "none": {"replay__kind": "none"},
    "none n-step": {"replay__kind": "none", "replay__n_step": 3},
    "none, every fourth step": {"replay__kind": "none", "agent__learn_period": 4},
    "none n-step, three gradient steps in four": {
        "replay__kind": "none",
        "replay__n_step": 4,
        "agent__learn_period": None,
        "agent__replay_ratio": 0.75,
    },
    "none n-step, several gradient steps": {
        "replay__kind": "none",
        "replay__n_step": 2,
        "agent__learn_period": 4,
        "agent__replay_ratio": 1,
        "agent__loss": "next_value",
    },
    "recent": {"replay__kind": "recent"},
    "recent n-step": {"replay__kind": "recent", "replay__n_step": 5},
    "combined": {"replay__combined": True},
    "combined subset n-step": {
        "replay__combined": True,
        "replay__replacement": False,
        "replay__n_step": 2,
    },
    "random eviction": {"replay__eviction": "random"},
    "random eviction n-step": {"replay__eviction": "random", "replay__n_step": 4},
    "n-step": {"replay__n_step": 3},
    "proportional": PRIORITIZED,
    "proportional combined n-step random eviction": PRIORITIZED
    | {"replay__combined": True, "replay__n_step": 3, "replay__eviction": "random"},
    "proportional not stratified": PRIORITIZED | {"replay__stratified": False},
    "proportional subset": PRIORITIZED | {"replay__replacement": False, "replay__stratified": False},
    "proportional uniform share": PRIORITIZED | {"replay__uniform_share": 0.3},
    "proportional pool minimum": PRIORITIZED
    | {"replay__weight_normalisation": "pool_max", "replay__uniform_share": 0.1},
    "proportional not normalized": PRIORITIZED | {"replay__weight_normalisation": "none"},
    "proportional largest present": PRIORITIZED | {"replay__new_priority": "max_present"},
    "proportional fixed new error": PRIORITIZED | {"replay__new_priority": 0.5},
    "proportional epsilon outside": PRIORITIZED
    | {"replay__priority_epsilon_enters": "priority", "replay__priority_epsilon": 0.01},
    "proportional scheduled": PRIORITIZED
    | {"replay__priority_exponent": SCHEDULED, "replay__priority_refresh_period": 60},
    "proportional scheduled, every third step": PRIORITIZED
    | {
        "replay__priority_exponent": SCHEDULED,
        "replay__priority_refresh_period": 17,
        "agent__learn_period": 3,
    },
    "rank": {"replay__kind": "rank", "replay__priority_refresh_period": 50},
    "rank n-step combined": {
        "replay__kind": "rank",
        "replay__n_step": 2,
        "replay__combined": True,
        "replay__priority_refresh_period": 33,
    },
    "rank, always sorted": {"replay__kind": "rank", "replay__priority_refresh_period": 1},
    "double": {"agent__double_q": True, "agent__max_gradient_norm": 0.5},
    "squared": {"agent__loss": "squared"},
    "next value": {"agent__loss": "next_value"},
    "next value, prioritized": PRIORITIZED | {"agent__loss": "next_value"},
    "rmsprop": {"agent__optimizer": "rmsprop", "agent__target_update_unit": "gradient_steps"},
    "rmsprop in root": {"agent__optimizer": "rmsprop", "agent__rmsprop_epsilon_enters": "variance"},
    "rmsprop with weight decay": {"agent__optimizer": "rmsprop", "agent__weight_decay": 0.01},
    "betas, weight decay": {"agent__adam_betas": [0.8, 0.95], "agent__weight_decay": 0.01},
    "adamw, learning rate": {
        "agent__optimizer": "adamw",
        "agent__weight_decay": 0.1,
        "agent__learning_rate": {"start": 0.01, "end": 0.0, "steps": 900},
    },
    "sgd": {"agent__optimizer": "sgd", "agent__learning_rate": {"start": 0.01, "end": 0.001}},
    "sgd with momentum": {
        "agent__optimizer": "sgd",
        "agent__sgd_momentum": 0.9,
        "agent__weight_decay": 0.01,
        "agent__learn_period": None,
        "agent__replay_ratio": 1.5,
        "agent__learning_rate": {"start": 0.001, "end": 0.01, "steps": None},
    },
    "Huber's threshold": {"agent__huber_threshold": 0.05},
    "soft target updates": {"agent__target_tau": 0.005, "agent__target_update_period": 1},
    "soft target updates in gradient steps": {
        "agent__target_tau": 0.3,
        "agent__target_update_unit": "gradient_steps",
        "agent__target_update_period": 3,
    },
    "no target, tau": {"agent__target_network": False, "agent__target_tau": 0.5},
    "target in gradient steps": {
        "agent__target_update_unit": "gradient_steps",
        "agent__target_update_period": 7,
        "agent__learn_period": 2,
    },
    "no target": {"agent__target_network": False, "agent__learn_period": 4},
    "three gradient steps at a time": {"agent__learn_period": None, "agent__replay_ratio": 3},
    "blocks of gradient steps": {"agent__learn_period": 8, "agent__replay_ratio": 0.5},
    "two gradient steps in three": {"agent__learn_period": None, "agent__replay_ratio": 0.667},
    "reward at termination": {"agent__termination_reward": -3.5},
    "no bootstrap at the limit": {"agent__time_limit_bootstrap": False, "env__time_limit": 12},
    "limit of one step": {"env__time_limit": 1, "replay__n_step": 2},
    "held gradient steps": {
        "train__hold_fixed": "gradient_steps",
        "train__gradient_steps": 700,
        "train__env_steps": None,
        "train__evaluate_every": 100,
    },
    "Acrobot": {"env__id": "Acrobot-v1", "env__time_limit": 70},
    "MountainCar": {"env__id": "MountainCar-v0"},
    "grid world": {"env__id": "ablation/GridWorld-v0", "env__time_limit": 90},
}


def trainer_of(config: CellConfig, seeds: list[int], **options: Any) -> DQNTrainer:
    return DQNTrainer(config, seeds, CPU, **options)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from leaves(part, f"{name}[{number}]")
    else:
        yield name, np.asarray(value).tobytes() if isinstance(value, torch.Tensor) else value


def differences(one: DQNTrainer, other: DQNTrainer) -> list[str]:
    """Return the names of the parts of two trainers' states that differ in any bit."""
    ones, others = dict(leaves(one.state())), dict(leaves(other.state()))
    assert ones.keys() == others.keys(), ones.keys() ^ others.keys()
    return [name for name, value in ones.items() if repr(value) != repr(others[name])]


@pytest.mark.parametrize("name", CELLS)
def test_blocks_give_the_bits_of_single_steps(name: str) -> None:
    config = parse(values(**BUSY | CELLS[name]))
    blocks, steps = (trainer_of(config, [5, 3, 8], in_blocks=way) for way in (True, False))
    assert blocks._block is not None
    assert steps._block is None
    for count in (1, 16, 40, 255, 1, 338, 300):
        blocks.advance(count)
        steps.advance(count)
        assert differences(blocks, steps) == [], f"after {blocks.env_step} environment steps"


@pytest.mark.parametrize("env", ["CartPole-v0", "MountainCar-v0", "Acrobot-v1", "ablation/GridWorld-v0"])
def test_compiled_evaluation_gives_the_bits_of_single_steps(configure: Configure, env: str) -> None:
    changes = {
        "env__id": env,
        "env__time_limit": 90,
        "train__evaluation_episodes": 4,
        "train__evaluate_every": 100,
    }
    config = configure(**BUSY | changes)
    compiled, steps = (trainer_of(config, [5, 3, 8], in_blocks=way) for way in (True, False))
    threaded = trainer_of(config, [5, 3, 8], threads=2)
    for trainer in (compiled, steps, threaded):
        for _ in range(3):
            trainer.advance(100)
            trainer._evaluate()
    assert compiled.records.lanes[0].evaluations
    assert differences(compiled, steps) == []
    assert differences(threaded, steps) == []


def test_only_steps_that_log_or_sort_are_taken_by_themselves(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[int] = []
    step = DQNTrainer._step
    monkeypatch.setattr(DQNTrainer, "_step", lambda self: (alone.append(self.env_step + 1), step(self)))
    trainer_of(configure(**BUSY), [0]).advance(600)
    assert alone == [150, 300, 450, 600]
    alone.clear()
    rank = {"replay__kind": "rank", "replay__priority_refresh_period": 100}
    trainer_of(configure(**BUSY | rank), [0]).advance(400)
    assert alone == [16, 116, 150, 216, 300, 316]


def test_a_lane_depends_neither_on_the_others_nor_on_threads(configure: Configure) -> None:
    config = configure(**BUSY, **PRIORITIZED, replay__n_step=2)
    seeds = [4, 0, 9, 2, 7]
    alone = [trainer_of(config, [seed]) for seed in seeds]
    together, threaded = trainer_of(config, seeds), trainer_of(config, seeds[::-1], threads=3)
    for trainer in (*alone, together, threaded):
        trainer.advance(700)
    for lane, one in enumerate(alone):
        for trainer, place in ((together, lane), (threaded, len(seeds) - 1 - lane)):
            assert torch.equal(
                trainer._learner.parameters.online[place], one._learner.parameters.online[0]
            )
            assert trainer.records.lanes[place] == one.records.lanes[0]
    threaded.close()


def test_a_lane_that_ended_early_stands_still_in_both(configure: Configure) -> None:
    blocks, steps = (trainer_of(configure(**BUSY), [1, 2], in_blocks=way) for way in (True, False))
    for trainer in (blocks, steps):
        trainer.advance(200)
        trainer._interaction.end(1, EarlyEnd("failed", "for this test", 200, 185), trainer.records)
        trainer.advance(200)
    assert differences(blocks, steps) == []
    assert blocks._interaction.environment.active.tolist() == [True, False]


@pytest.mark.parametrize("name", ["uniform", "proportional scheduled", "random eviction n-step"])
def test_either_goes_on_from_the_state_of_the_other(name: str) -> None:
    config = parse(values(**BUSY | CELLS[name]))
    straight = trainer_of(config, [3, 1], in_blocks=False)
    straight.advance(500)
    for ways in ((True, False), (False, True)):
        first, second = (trainer_of(config, [3, 1], in_blocks=way) for way in ways)
        first.advance(277)
        second.restore(first.state())
        second.advance(223)
        assert differences(straight, second) == []


@pytest.mark.parametrize(
    "change",
    [{"replay__kind": "greedy"}, {"env__backend": "gymnasium"}],
)
def test_cells_that_blocks_do_not_fit_are_trained_step_by_step(
    configure: Configure, change: dict[str, Any]
) -> None:
    assert trainer_of(configure(**change), [0])._block is None
