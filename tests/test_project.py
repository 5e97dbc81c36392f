"""A project of one's own: found from where a command is given, searched first, importable everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ablation.cli.command_line import COMMANDS, listing
from ablation.config.near import did_you_mean
from ablation.config.project import OWN_CONFIGURATION, Project, project_of
from ablation.config.validation import ConfigError

from .processes import installed, python, run

STUDY = """
name: {name}
question: Which buffer is best?
environments: [{env}]
baseline: {{}}
factors: {{}}
design: one_factor_at_a_time
seeds: 1
primary_score: final
"""


def made(root: Path, env: str = "cartpole") -> Path:
    """Write a project with one study."""
    for group in ("study", "env"):
        (root / "conf" / group).mkdir(parents=True)
    (root / "conf/study/mine.yaml").write_text(STUDY.format(name="mine", env=env))
    return root


def test_the_nearest_directory_with_our_groups_is_the_project(tmp_path: Path) -> None:
    root = made(tmp_path / "mine")
    inside = root / "notebooks/old"
    inside.mkdir(parents=True)
    (root / "notebooks/conf").mkdir()
    source = (f"file://{root}/conf",)
    assert project_of(["plan"], inside) == (Project(root, source), ["plan"])
    assert project_of([], tmp_path) == (Project(tmp_path), [])


def test_our_own_files_are_not_searched_twice() -> None:
    root = OWN_CONFIGURATION.resolve().parent
    assert project_of([], root) == (Project(root), [])


@pytest.mark.parametrize(
    "words",
    [
        ["--config-dir", "mine/conf", "plan", "a=1"],
        ["--config-dir", "mine", "plan", "a=1"],
        ["plan", "--config-dir=mine/conf", "a=1"],
        ["plan", "a=1", "-cd", "mine/conf"],
    ],
)
def test_the_project_is_named_before_or_after_the_command(tmp_path: Path, words: list[str]) -> None:
    root = made(tmp_path / "mine")
    assert project_of(words, tmp_path) == (Project(root, (f"file://{root}/conf",)), ["plan", "a=1"])


def test_a_search_path_leaves_the_project_where_it_is(tmp_path: Path) -> None:
    root = made(tmp_path / "mine")
    words = ["plan", "hydra.searchpath=[pkg://my_lab.conf, file://mine/conf]"]
    project, rest = project_of(words, tmp_path)
    assert project == Project(tmp_path, ("pkg://my_lab.conf", f"file://{root}/conf"))
    assert rest == ["plan"]


def test_directories_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config-dir = .*/none: no such directory"):
        project_of(["--config-dir", "none"], tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"--config-dir = .*/empty: has none of the dir"):
        project_of(["--config-dir", "empty"], tmp_path)
    with pytest.raises(ConfigError, match=r"--config-dir = \(nothing\): takes a directory"):
        project_of(["--config-dir"], tmp_path)
    root = made(tmp_path / "mine")
    (root / "conf/config.yaml").write_text("db: mysql\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: would replace .* project/defaults\.yaml"):
        project_of(["--config-dir", "mine/conf"], tmp_path)


def test_a_project_is_planned_from_everywhere_with_its_own_defaults(tmp_path: Path) -> None:
    root = made(tmp_path / "mine", env="long")
    (root / "conf/env/long.yaml").write_text("id: long_pole:Long-v0\nbackend: auto\n")
    (root / "conf/project").mkdir()
    (root / "conf/project/defaults.yaml").write_text("train: {env_steps: 5000}\n")
    (root / "long_pole.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Long-v0', 'gymnasium.envs.classic_control:CartPoleEnv', "
        "max_episode_steps=700)\n"
    )
    # Names of our packages and of the standard library's: theirs must not be taken for ours.
    for name in ("analysis", "ablation", "random"):
        (root / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    (root / "deep").mkdir()
    for words, place in ((["plan"], root / "deep"), (["--config-dir", "mine/conf", "plan"], tmp_path)):
        done = installed(*words, "study=mine", "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        assert "long_pole:Long-v0" in done.stdout
    done = installed("sweep", "study=mine", "--cfg", "job", cwd=root / "deep")
    assert "env_steps: 5000" in done.stdout
    # From elsewhere the study is unknown, with the near miss named.
    done = installed("plan", "study=claim", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: study = claim: did you mean claims? allowed: ")


def test_a_command_that_is_misspelled_or_missing_is_named() -> None:
    for words, said in (
        (["swep"], "error: command = swep: did you mean sweep? allowed: sweep, plan, "),
        (
            ["study=replay"],
            "error: command = study=replay: a command comes first: replay-ablation sweep s",
        ),
    ):
        done = installed(*words, cwd=Path.cwd())
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(said)


def test_every_command_is_listed_with_its_help() -> None:
    lines = listing().splitlines()
    for name, command in COMMANDS.items():
        assert f"  {name:<13} {command.help}" in lines


def test_the_list_of_commands_loads_no_library() -> None:
    code = (
        "import sys; sys.argv = ['replay-ablation', '--help']\n"
        "from ablation.__main__ import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = run(sys.executable, "-c", code)
    assert done.stdout.startswith("usage: replay-ablation COMMAND")
    loaded = set(done.stderr.split())
    assert not {"numpy", "torch", "hydra", "omegaconf", "pandas", "numba", "wandb"} & loaded


def test_near_misses_are_named_and_others_are_not() -> None:
    assert did_you_mean("unifrom", ["none", "uniform"]) == "did you mean uniform? "
    assert did_you_mean("CARTPOLE-v1", ["CartPole-v1"]) == "did you mean CartPole-v1? "
    assert did_you_mean("xyz", ["none", "uniform"]) == ""


def test_a_notebook_beside_files_of_our_names_gets_ours(tmp_path: Path) -> None:
    for name in ("analysis", "ablation"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    (tmp_path / "script.py").write_text(
        "import replay_ablation as ra; print(ra.statistics.iqm([1.0, 2.0]))"
    )
    python("script.py", cwd=tmp_path)
    (tmp_path / "late.py").write_text(
        "import sys; sys.modules['analysis'] = sys; import replay_ablation"
    )
    assert "import replay_ablation first" in run(sys.executable, "late.py", cwd=tmp_path).stderr
