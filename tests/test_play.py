"""`replay-ablation play`: a trained policy's episode as an image file, or one line why not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ablation.agent.policy import load_policy
from ablation.cli.play import play
from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.envs.minatar_game import SIDE
from ablation.store.files import write_json
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig

from .analysis_helpers import STUDY, resolve
from .conftest import values
from .training_runs import counting_id

GAME: dict[str, Any] = {
    "env__id": "MinAtar/Breakout",
    "env__time_limit": 12,
    "agent__convolutions": [{"filters": 4, "kernel_size": 3}],
    "train__env_steps": 100,
    "train__evaluate_every": 100,
}


def stored(results: Path, **changes: Any) -> Path:
    """Train a run as a job does and return its directory."""
    config, store = parse(values(**changes)), Store(results)
    cell = cell_name(config)
    job = JobSpec("job", cell, [7], "baseline", {}, "s", "?", "cpu", 1e9)
    run_job(config, job, TrackingConfig("disabled", "p", None), store)
    return store.run_directory(RunKey(cell, 7))


def test_an_episode_is_an_animation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory, output = stored(tmp_path, **GAME), tmp_path / "episode.gif"
    assert play([str(directory), "--output", str(output), "--seed", "3", "--best"]) == 0
    said = capsys.readouterr().out
    with Image.open(output) as image:
        assert image.size == (10 * SIDE, 10 * SIDE)
        assert 1 <= image.n_frames <= 13  # type: ignore[attr-defined]
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 2
    assert "return" in said
    assert "MinAtar/Breakout" in said


def test_a_run_is_named_by_study_arm_and_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = expand(parse_study(STUDY | {"environments": ["CartPole-v1"]}), resolve)
    write_json(Store(tmp_path).study_directory("s") / "plan.json", plan.as_json("sweep"))
    words = ["s", "baseline", "0", "--results", str(tmp_path)]
    assert play(words) == 2
    assert "is no run's directory" in capsys.readouterr().err
    assert play(["s", "basline", "0", "--results", str(tmp_path)]) == 2
    assert "arms of s: baseline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words", "said"),
    [
        ({"env__id": counting_id(0, 9)}, [], "cannot render"),
        ({"env__id": "digits"}, [], "is no environment"),
        (GAME, ["--output", "episode.avi"], "ends with .gif or .mp4"),
        (GAME, ["--output", "missing/episode.gif"], "No such file"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(
    changes: dict[str, Any],
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    directory = stored(tmp_path, **changes)
    assert play([str(directory), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_missing_library_of_an_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    directory = stored(tmp_path)
    assert load_policy(directory).config.env.id == "CartPole-v1"
    assert play([str(directory), "--output", str(tmp_path / "a.gif")]) == 2
    assert "cannot render: DependencyNotInstalled: pygame is not installed" in capsys.readouterr().err
