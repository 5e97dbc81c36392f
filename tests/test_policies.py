"""Saved policies: what a run keeps is what it trained, and acts without what trained it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablation.agent.policy import NoPolicy, load_policy
from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.results.load import load as analysis_load
from ablation.results.scores import curve
from ablation.store.runs import POLICY, RunKey, Store
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tasks.registry import make_trainer
from ablation.tracking import TrackingConfig
from ablation.training.dqn import DQNTrainer
from analysis.notebook.study import Study

from .analysis_helpers import STUDY, make_store, outcome
from .conftest import Configure, values
from .processes import python
from .training_runs import CPU, resumed, train

SEEDS = [3, 8]
CELLS: dict[str, dict[str, Any]] = {
    "compiled": {},
    "PyTorch": {"agent__activation": "tanh", "agent__layer_norm": True},
    "images": {
        "env__id": "MinAtar/Breakout",
        "agent__convolutions": [{"filters": 4, "kernel_size": 3}],
    },
}


def stored(root: Path, config: CellConfig) -> Path:
    """Train two seeds as a job does and return the directory of the second."""
    store, cell = Store(root), cell_name(config)
    job = JobSpec("job", cell, SEEDS, "baseline", {}, "s", "?", "cpu", 1e9)
    run_job(config, job, TrackingConfig("disabled", "p", None), store)
    return store.run_directory(RunKey(cell, SEEDS[1]))


@pytest.mark.parametrize("name", CELLS)
def test_a_run_keeps_its_final_and_its_best_network(name: str, tmp_path: Path) -> None:
    config = parse(values(**CELLS[name]))
    directory = stored(tmp_path, config)
    store, key = Store(tmp_path), RunKey(directory.parent.name, SEEDS[1])
    rows = store.read_table(key, "evaluations").to_pydict()
    steps, returns = curve({column: np.array(given) for column, given in rows.items()})
    for which, step in (("final", config.train.env_steps), ("best", steps[returns.argmax()])):
        policy = load_policy(directory, which)
        assert policy.env_step == step
        assert policy.config == config
        assert policy.mean_return == (None if which == "final" else returns.max())
        trainer = DQNTrainer(config, SEEDS, CPU)
        while trainer.env_step < step:
            trainer.advance(config.train.log_every)
        shape = policy.observation_shape
        observations = torch.rand(2, 10, int(np.prod(shape)), generator=torch.Generator().manual_seed(1))
        expected = trainer._learner.action_values(observations)[1].numpy()
        ours = policy.action_values(observations[1].reshape(10, *shape).numpy())
        assert np.allclose(ours, expected, rtol=1e-5, atol=1e-6)
        assert (policy.act(observations[1].numpy()) == ours.argmax(axis=1)).all()
        one = policy.act(observations[1, 0].reshape(shape).numpy())
        assert type(one) is int
        assert one == ours[0].argmax()


def test_a_resumed_run_keeps_the_same_policies(configure: Configure, tmp_path: Path) -> None:
    config = configure()
    straight, parts = train(config, SEEDS), resumed(config, tmp_path, [60, 130], SEEDS)
    for lane in range(2):
        assert straight.policy(lane) == parts.policy(lane)


def test_a_classifier_is_a_policy_and_a_table_is_none(configure: Configure, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    policy = load_policy(stored(tmp_path, configure(env__id="digits")), "best")
    assert 0 <= policy.act(np.zeros(64)) < 10
    chain = configure(env__id="BlindCliffwalk-4", agent__batch_size=1, replay__min_replay_size=1)
    assert make_trainer(chain, [0], CPU).policy(0) is None
    with pytest.raises(NoPolicy, match="keeps no policy: only complete runs"):
        load_policy(stored(tmp_path, chain))


def test_observations_of_another_size_are_refused(configure: Configure, tmp_path: Path) -> None:
    policy = load_policy(stored(tmp_path, configure()))
    with pytest.raises(ValueError, match=r"has the shape \(4,\), or \[N, ...\]; this one has \(5,\)"):
        policy.act(np.zeros(5))


def test_bytes_of_images_are_scaled_as_in_training(tmp_path: Path) -> None:
    policy = load_policy(stored(tmp_path, parse(values(**CELLS["images"]))))
    image = np.random.default_rng(0).integers(0, 256, policy.observation_shape, np.uint8)
    assert np.allclose(policy.action_values(image), policy.action_values(image / 255), atol=1e-5)


def test_old_and_damaged_runs_are_named_in_one_line(configure: Configure, tmp_path: Path) -> None:
    directory = stored(tmp_path, configure(train__evaluate_every=100, train__env_steps=50 + 50))
    with pytest.raises(NoPolicy, match="no run's directory"):
        load_policy(tmp_path / "nowhere")
    file = directory / POLICY
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NoPolicy, match=r"policy.npz cannot be read"):
        load_policy(directory)
    file.unlink()
    with pytest.raises(NoPolicy, match="keeps no policy") as refused:
        load_policy(directory)
    assert "\n" not in str(refused.value)


def test_a_notebook_finds_the_directory_of_a_run(tmp_path: Path) -> None:
    plan = make_store(tmp_path, STUDY, outcome)
    arm = plan.arms[1]
    study = Study(analysis_load(plan.study.name, tmp_path))
    assert study.run_directory(arm.name, 0) == Store(tmp_path).run_directory(RunKey(arm.cell, 0))
    with pytest.raises(Exception, match="did you mean baseline"):
        study.run_directory("basline", 0)


def test_acting_needs_no_environment_or_tracking(configure: Configure, tmp_path: Path) -> None:
    directory = stored(tmp_path, configure())
    code = (
        "import sys, replay_ablation as ra\n"
        f"print(ra.load_policy({str(directory)!r}).act([0, 0, 0, 0]))\n"
        "sys.exit(any(name in sys.modules for name in ('gymnasium', 'hydra', 'wandb', 'pandas')))"
    )
    assert python("-c", code).strip() in {"0", "1"}
