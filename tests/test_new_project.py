"""`new` writes a project that runs as it stands; `run` trains one run of it in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ablation.cli.new_project import TEMPLATE
from ablation.store.runs import Store

from .processes import installed, run

QUICK = [
    "study.seeds=1", "tracking=disabled", "agent.hidden_sizes=[8]", "train.env_steps=400",
    "train.evaluate_every=200", "train.log_every=100", "replay.min_replay_size=64", "agent.batch_size=8",
]  # fmt: skip
STUDY = """
name: walk
question: Does a small buffer do?
environments: [corridor]
baseline: {replay.min_replay_size: 64}
factors: {capacity: {key: replay.capacity, levels: [200, 100]}}
design: one_factor_at_a_time
seeds: 1
primary_score: final
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("empty")
    done = installed("new", "my_lab", cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Wrote my_lab/. Next: cd my_lab; make check; make plan; make sweep\n"
    (directory / "my_lab/conf/study/walk.yaml").write_text(STUDY)
    return directory / "my_lab"


def test_every_file_of_the_example_is_written_under_the_new_name(project: Path) -> None:
    written = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    sources = [path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {str(path.relative_to(TEMPLATE)).replace("my_project", "my_lab") for path in sources}
    assert expected == written - {"conf/study/walk.yaml"}
    assert not any("my_project" in (project / name).read_text() for name in expected)
    assert len((project / "Makefile").read_text().splitlines()) == 6


def test_its_own_tests_pass(project: Path) -> None:
    done = run(sys.executable, "-m", "unittest", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr


def test_help_says_what_it_takes_and_writes_nothing(tmp_path: Path) -> None:
    done = installed("new", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: replay-ablation new NAME\n\nwrite a small project")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "new = (nothing): write replay-ablation new my_project"),
        (["my-lab"], "new = my-lab: is a Python package too: letters, digits and underscores"),
        (["torch"], "new = torch: is the name of an installed module; choose another"),
        (["my_lab"], "new = my_lab: exists already"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(project: Path, words: list[str], said: str) -> None:
    done = installed("new", *words, cwd=project.parent)
    assert (done.returncode, done.stderr) == (2, f"error: {said}\n")


def test_run_trains_one_run_where_a_breakpoint_stops_it(project: Path) -> None:
    environments = project / "my_lab/environments.py"
    text = environments.read_text()
    stop = "if self.cell == 3:\n            breakpoint()\n        arrived ="
    environments.write_text(text.replace("arrived =", stop, 1))
    try:
        words = ["run", "capacity=100", "0", "study=walk", *QUICK]
        done = installed(*words, cwd=project, stdin="print('cell is', self.cell)\nq\n")
        assert "cell is 3" in done.stdout
        assert done.returncode == 130, done.stderr
        assert "Stopped: nothing is stored of this run." in done.stdout
    finally:
        environments.write_text(text)
    assert not list(Store(project / "results").run_keys())
    done = installed(*words, cwd=project / "tests")
    assert done.returncode == 0, done.stderr
    (key,) = Store(project / "results").run_keys()
    assert done.stdout == f"complete: results/runs/{key.cell}/0000\n"
    assert installed(*words, cwd=project).stdout.startswith("complete already: ")


def test_run_shows_where_a_component_failed_and_stores_that(project: Path) -> None:
    environments = project / "my_lab/environments.py"
    text = environments.read_text()
    # Beyond the steps of the check before launch.
    late = "self.n = getattr(self, 'n', 0) + 1\n        1 / (self.n != 150)\n        arrived ="
    environments.write_text(text.replace("arrived =", late, 1))
    try:
        done = installed("run", "baseline", "0", "study=walk", *QUICK, cwd=project)
    finally:
        environments.write_text(text)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "environments.py" in done.stderr
    assert done.stdout.startswith("failed: results/runs/")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "run = (nothing): write run ARM SEED study=NAME; `status` lists the arms"),
        (["run", "basline", "0", "study=walk"], "arm = basline: did you mean baseline? there are: "),
        (["run", "baseline", "7", "study=walk"], "seed = 7: seeds of this arm: 0"),
        (["status", "study=walk", "--jsn"], "option = --jsn: did you mean --json? allowed: --json"),
    ],
)
def test_what_is_not_in_the_study_is_named(project: Path, words: list[str], said: str) -> None:
    done = installed(*words, cwd=project)
    assert done.returncode == 2
    assert f"error: {said}" in done.stderr


def test_a_study_and_its_file_have_one_name(project: Path) -> None:
    (project / "conf/study/hike.yaml").write_text(STUDY)
    for command in ("plan", "sweep"):
        done = installed(command, "study=hike", cwd=project)
        assert done.returncode == 2
        assert (
            done.stderr == "error: study.name = walk: its file is study/hike.yaml: give both one name\n"
        )
    assert installed("plan", "study=hike", "study.name=other", *QUICK, cwd=project).returncode == 0


def test_options_of_components_are_given_to_a_sweep_as_to_plan(project: Path) -> None:
    """Keys that are in no file of ours, one by one and as a mapping; misspelled ones are refused."""
    words = ["env=corridor", "replay.kind=my_lab.samplers:Recency", "replay.options.power=4.0"]
    words += ["agent.optimizer=torch.optim:RMSprop", "agent.optimizer_options={alpha: 0.9}"]
    words += ["train.env_steps=80", "train.evaluate_every=80", "replay.min_replay_size=70"]
    words += ["study.seeds=1", "tracking=disabled"]
    done = installed("sweep", *words, cwd=project)
    assert done.returncode == 0, done.stderr
    (stored,) = project.glob("results/studies/adhoc/plan.json")
    assert '"power": 4.0' in stored.read_text()
    assert "++" not in stored.read_text()
    done = installed("sweep", *words, "agent.btch_size=3", cwd=project)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "did you mean agent.batch_size?" in done.stderr


def test_a_variable_that_its_makefile_does_not_read_is_refused(project: Path) -> None:
    # As it is also where these tests are themselves run by make.
    command = ["make", "--no-print-directory", "-n", "plan"]
    plain, wrong = (run(*command, word, cwd=project) for word in ("ARGS=study.seeds=2", "SEED=5"))
    assert (plain.returncode, plain.stdout) == (0, "replay-ablation plan study=sampling study.seeds=2\n")
    assert wrong.returncode == 2
    assert "SEED: not read; there are STUDY and ARGS" in wrong.stderr
