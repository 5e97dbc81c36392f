"""The check of an environment before anything is planned or trained: what is refused, said and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.cli import environments
from ablation.cli.environments import check_environments, checked_spec, is_foreign
from ablation.config.schema import CellConfig, EnvConfig
from ablation.config.validation import ConfigError
from ablation.envs.spec import EnvSpec
from ablation.store.run_record import RunRecord
from ablation.store.runs import Store

from .odd_environments import walk_id
from .sweeps import SHORT, run

Configure = Callable[..., CellConfig]

REFUSED = {
    "crashes": "crashes the process (SIGSEGV) where it is made",
    "exits_when_made": "SystemExit: no licence",
    "leaves_when_made": "ends the process (exit status 3) where it is made",
    "raises_when_made": "ValueError: no such level",
    "broadcast": "reset returned an array of float32 of shape (1,) as observation; its "
    "observation_space says an array of float32 of shape (5,)",
    "list": "reset returned a list of 5",
    "infinite": "an observation that is not finite",
    "small_seeds": "reset(seed=4294967295) raised OverflowError: seed does not fit",
    "old_reset": "reset returned an array of float32 of shape (5,); Gymnasium's interface is "
    "reset(seed=, options=) -> (observation, info)",
    "old_step": "step returned a tuple of 4 (an array of float32 of shape (5,), 0.0 (float), ",
    "exits": "step 3 raised SystemExit: simulator: no licence",
    "two_rewards": "step returned an array of float64 of shape (2,) as reward, not one number",
    "no_reward": "step returned None as reward, not one number",
    "ends_in_numbers": "step returned terminated = 0 (int), not a truth value",
}


def env_of(trait: str, **changes: Any) -> EnvConfig:
    return EnvConfig(id=walk_id(trait), backend="auto", **changes)


def checked(trait: str, directory: Path, **changes: Any) -> EnvSpec:
    return checked_spec(env_of(trait, **changes), directory)


@pytest.mark.parametrize("trait", REFUSED)
def test_what_is_wrong_is_refused_with_what_happened_and_not_kept(trait: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(trait, tmp_path)
    assert refused.value.key == "env.id"
    assert REFUSED[trait] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_one_that_hangs_is_refused_when_its_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "SECONDS", 12.0)
    with pytest.raises(ConfigError, match=r"hangs \(no answer within 12 s\) where it is made"):
        checked("hangs", tmp_path)


@pytest.mark.parametrize("trait", ["plain", "uint8", "raises_late", "no_limit"])
def test_what_is_right_is_accepted(trait: str, tmp_path: Path) -> None:
    spec = checked(trait, tmp_path)
    assert (spec.observation_shape, spec.actions, spec.notes) == ((5,), 2, ())
    assert spec.not_reproducible is None
    assert spec.time_limit == (None if trait == "no_limit" else 50)
    assert str(spec.fingerprint).startswith("source ")


def test_numbers_of_a_narrower_kind_than_the_space_says_are_taken(tmp_path: Path) -> None:
    assert checked("fractions", tmp_path).dtype == "float32"
    assert checked("array_reward", tmp_path).notes == (
        "rewards are arrays of one number, which is taken",
    )


@pytest.mark.parametrize(
    ("trait", "reason"),
    [
        ("global_generator", "draws from NumPy's global generator"),
        ("unseeded", "two copies differ in the observation of step"),
        ("lasting", "differ in the observation of step"),
    ],
)
def test_what_is_not_reproducible_is_found_and_why(trait: str, reason: str, tmp_path: Path) -> None:
    assert reason in str(checked(trait, tmp_path).not_reproducible)


def test_arguments_and_wrappers_are_part_of_what_is_checked(tmp_path: Path) -> None:
    shifted = {"name": "tests.odd_environments:Shifted", "kwargs": {"by": float("1e39")}}
    with pytest.raises(ConfigError, match="not finite"):
        checked_spec(parsed(kwargs={"places": 7}, wrappers=[shifted]), tmp_path)
    assert checked("plain", tmp_path, kwargs={"places": 7}).observation_shape == (7,)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'levels'"):
        checked("plain", tmp_path, kwargs={"levels": 7})


def parsed(**changes: Any) -> EnvConfig:
    return EnvConfig(**(vars(env_of("plain")) | changes))


def test_an_answer_is_kept_until_code_or_settings_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "my_walk.py"
    source = (
        "import gymnasium\n"
        "from tests.odd_environments import Walk\n"
        "gymnasium.register('Mine-v0', Walk, max_episode_steps=7)\n"
    )
    module.write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked: list[EnvConfig] = []
    ask = environments._ask
    monkeypatch.setattr(environments, "_ask", lambda env: asked.append(env) or ask(env))
    env, results = EnvConfig(id="my_walk:Mine-v0", backend="auto"), tmp_path / "results"
    first = checked_spec(env, results)
    assert checked_spec(env, results) == first
    assert len(asked) == 1
    checked_spec(EnvConfig(id=env.id, backend="auto", kwargs={"places": 6}), results)
    module.write_text(f"# A comment.\n{source}", encoding="utf-8")
    checked_spec(env, results)
    assert len(asked) == 2, "a comment changes nothing"
    module.write_text(source.replace("=7", "=8"), encoding="utf-8")
    assert checked_spec(env, results).time_limit == 8
    assert checked_spec(env, results).fingerprint != first.fingerprint
    assert len(asked) == 3


def test_environments_of_gymnasium_and_ours_start_no_process() -> None:
    for env_id in (
        "CartPole-v1",
        "FrozenLake-v1",
        "ablation/GridWorld-v0",
        "MinAtar/Breakout",
        "digits",
    ):
        assert not is_foreign(EnvConfig(id=env_id, backend="auto")), env_id
    assert is_foreign(EnvConfig(id="CartPole-v1", backend="auto", kwargs={"sutton_barto_reward": True}))


def test_one_without_a_time_limit_is_refused_with_the_key_to_set(tmp_path: Path) -> None:
    for env in (env_of("no_limit"), EnvConfig(id="CliffWalking-v1", backend="auto")):
        with pytest.raises(ConfigError, match="has no time limit") as refused:
            check_environments([env], tmp_path)
        assert refused.value.key == "env.time_limit"
    check_environments([env_of("no_limit", time_limit=30)], tmp_path)


def test_plan_and_sweep_refuse_in_one_line_and_before_anything_is_written(tmp_path: Path) -> None:
    words = [f"env.id={walk_id('old_reset')},CartPole-v1", f"results_dir={tmp_path / 'results'}"]
    for command in (["plan"], ["status"], ["sweep"]):
        refused = run(*command, *words, "tracking=disabled")
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"error: env.id = {walk_id('old_reset')}: reset returned")
        assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "results" / "runs").exists()


def test_a_sweep_says_what_is_not_reproducible_and_ends_a_failure_that_repeats_itself(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    traits = "global_generator", "raises_late"
    ids = ",".join(f"{walk_id(trait)}" for trait in traits)
    words = [f"study.environments=[{ids}]", "study.seeds=2", f"results_dir={results}", *SHORT]
    shown = run("plan", *words)
    assert f"{walk_id('global_generator')}: not reproducible (draws from NumPy's" in shown.stdout
    done = run("sweep", *words, "tracking=disabled", "launch.checkpoint_seconds=0")
    assert done.returncode == 1, done.stderr
    store = Store(results)
    records = [store.read_record(key) or RunRecord() for key in store.run_keys()]
    found = {(record.config["env"]["id"], record.seed): record for record in records}
    for seed in (0, 1):
        dubious = found[walk_id("global_generator"), seed]
        assert dubious.status == "complete"
        assert dubious.not_reproducible == "draws from NumPy's global generator"
        assert str(dubious.environment_fingerprint).startswith("source ")
        failed = found[walk_id("raises_late"), seed]
        assert (failed.status, failed.attempt, failed.same_failure) == ("failed", 2, True)
        last = str(failed.error).splitlines()[-1]
        assert last.startswith(f"environment {walk_id('raises_late')}, seed {seed}, step ")
        for part in ("ValueError: the floor is gone", "odd_environments.py, line ", "job.log"):
            assert part in last
    assert "the floor is gone" in done.stderr
    assert "Traceback" not in done.stderr
    table = (results / "studies" / "adhoc" / "report" / "table.md").read_text(encoding="utf-8")
    assert "is not reproducible (draws from NumPy's global generator)" in table
    assert not list(results.glob("jobs/*GlobalGenerator*/checkpoint.pt"))


def test_references_of_an_environments_file_count_in_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The project is the temporary directory; the environment's module lies elsewhere.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "conf" / "env" / "mine.yaml").write_text(
        f"# @package _global_\nenv:\n  id: {walk_id('plain')}\n  backend: auto\n"
        "references: {threshold: 0.5, random: 0.25, source: counted}\n",
        encoding="utf-8",
    )
    words = ["sweep", "--config-dir", str(tmp_path / "conf"), "env=mine", "study.seeds=1", *SHORT]
    done = run(*words, f"results_dir={tmp_path / 'results'}", "tracking=disabled")
    assert done.returncode == 0, done.stderr
    plan = json.loads((tmp_path / "results/studies/adhoc/plan.json").read_text(encoding="utf-8"))
    assert plan["references"]["mine"] == {"threshold": 0.5, "random": 0.25, "source": "counted"}
    from ablation.results.load import load

    runs = load("adhoc", tmp_path / "results")
    (arm,) = runs.plan.arms
    (final,), (normal,) = runs.scores(arm, "final"), runs.scores(arm, "final", normalized=True)
    assert normal == (final - 0.25) / 0.25
    assert runs.scores(arm, "reached_threshold")[0] in (0, 1)


def test_the_command_check_tries_an_environment_and_fails_one_that_is_not_reproducible() -> None:
    good, dubious = (run("check", walk_id(trait)) for trait in ("array_reward", "global_generator"))
    assert good.returncode == 0
    assert "rewards are arrays of one number" in good.stdout
    assert dubious.returncode == 1
    assert "draws from NumPy's global generator" in dubious.stdout
    assert run("check", walk_id("old_step")).returncode == 2
