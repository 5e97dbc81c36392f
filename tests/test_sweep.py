"""The command line as a user has it: a sweep, the same sweep again, more seeds, and bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.store.runs import RunKey, Store

from . import processes
from .sweeps import SHORT, WITHOUT_REPORT, run


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    results = tmp_path_factory.mktemp("sweep") / "results"
    done = run("replay=none,uniform", "study.seeds=2", f"results_dir={results}", *SHORT)
    assert done.returncode == 0, done.stderr
    return results, done


def _study(results: Path) -> str:
    (directory,) = (results / "studies").iterdir()
    return directory.name


def test_a_plain_hydra_command_line_trains_every_combination(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, done = swept
    store = Store(results)
    keys = list(store.run_keys())
    assert len({key.cell for key in keys}) == 2
    assert sorted(key.seed for key in keys) == [0, 0, 1, 1]
    for key in keys:
        record = store.read_record(key)
        assert record is not None
        assert record.status == "complete"
        assert record.env_steps == 400
        assert record.config["agent"]["hidden_sizes"] == [16]
        assert record.wandb_id == f"{key.cell}-{key.seed:04d}"
        assert record.versions["torch"]
    assert "replay=uniform" in done.stdout
    assert "baseline" in done.stdout


def test_the_report_is_written_with_its_tables_and_figures(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, _ = swept
    report = results / "studies" / _study(results) / "report"
    names = {path.name for path in report.iterdir()}
    assert {"index.html", "table.csv", "table.md", "table.tex", "differences.svg"} <= names
    page = (report / "index.html").read_text()
    for link in re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page):
        assert (report / link).is_file(), "the page must open without a network"


def test_every_run_is_tracked_offline_inside_the_results(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, _ = swept
    tracked = [path.name for path in (results / "wandb").glob("offline-run-*")]
    ids = sorted(f"{key.cell}-{key.seed:04d}" for key in Store(results).run_keys())
    assert sorted(re.sub(r"^offline-run-\d+_\d+-", "", name) for name in tracked) == ids


def test_a_second_sweep_trains_nothing_and_more_seeds_train_only_those(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, _ = swept
    study = ["-m", "replay=none,uniform", f"results_dir={results}", *SHORT]
    before = {path: path.stat().st_mtime_ns for path in results.glob("runs/*/*/run.json")}
    again = run(*study, "study.seeds=2", module=WITHOUT_REPORT)
    assert again.returncode == 0
    assert "All 4 runs are complete: nothing to train." in again.stderr
    more = run(*study, "study.seeds=3", module=WITHOUT_REPORT)
    assert more.returncode == 0
    assert "4 complete, 2 to train" in more.stderr
    after = {path: path.stat().st_mtime_ns for path in results.glob("runs/*/*/run.json")}
    assert {path: after[path] for path in before} == before
    assert {path.parent.name for path in set(after) - set(before)} == {"0002"}


def test_plan_and_status_count_without_training(tmp_path: Path) -> None:
    plan = run("plan", "study=replay", f"results_dir={tmp_path}")
    assert (plan.returncode, plan.stderr) == (0, ""), "what was asked for goes to stdout"
    assert "288 to train" in plan.stdout
    assert "480 to train" in plan.stdout
    assert "replay=none, settings=online" in plan.stdout
    status = run("status", "study=replay", f"results_dir={tmp_path}")
    assert (status.returncode, status.stderr) == (0, "")
    assert "288 to train" in status.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_plan_imports_nothing_that_takes_seconds(tmp_path: Path) -> None:
    code = "import sys; from ablation.__main__ import main; main(); print(*sys.modules)"
    done = run(code, "plan", "study=replay", f"results_dir={tmp_path}", module="tests.run_code")
    assert done.returncode == 0, done.stderr
    assert {"torch", "numba", "pandas", "matplotlib", "wandb"}.isdisjoint(done.stdout.split())


def test_plan_and_status_speak_json(swept: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    results, _ = swept
    words = ["replay=none,uniform", "study.seeds=4", f"results_dir={results}", *SHORT, "--json"]
    plan = json.loads(run("plan", *words).stdout)
    by_arm = {arm["arm"]: arm for arm in plan["arms"]}
    assert set(by_arm) == {"baseline", "replay=uniform"}
    statuses = by_arm["replay=uniform"]["statuses"]
    assert statuses["complete"] + statuses["missing"] == 4
    counts = [arm["statuses"]["missing"] for arm in plan["arms"]]
    assert [arm["to_do"] for arm in plan["arms"]] == counts
    assert [merged["into"] for merged in plan["merged"]] == ["baseline"]
    assert plan["peak_bytes"] > 450e6
    assert plan["estimated_seconds"] is not None, "the runs that are stored say how fast they were"
    status = json.loads(run("status", *words).stdout)
    assert status["arms"] == plan["arms"]
    assert status["errors"] == []


BAD_INPUT = [
    (
        ["agent.lerning_rate=1"],
        r"agent\.lerning_rate = 1: unknown key; did you mean agent\.learning_rate\? allowed here: ",
    ),
    (["agent.learn_period=-3"], r"agent\.learn_period = -3: .*must be 1 or more"),
    (["agent.learning_rate=abc"], r"agent\.learning_rate = abc: .*number"),
    (["replay.capacity=4"], r"replay\.capacity = 4: must be at least agent\.batch_size"),
    (["env.id=CartPole-v9"], r"env\.id = CartPole-v9: .*did you mean CartPole-v1"),
    (["env.id=Pendulum-v1"], r"env\.id = Pendulum-v1: acts in Box"),
    (["replay=sometimes"], r"replay = sometimes: allowed: .*uniform"),
    (["study=replay", "agent.batch_size=4,8"], r"agent\.batch_size = 4,8: study 'replay' has"),
    (["nonsense"], "nonsense: not an override"),
    (
        ["+agnt.batch_size=8"],
        r"agnt\.batch_size = 8: unknown key; did you mean agent\? allowed here: ",
    ),
    (
        ["plan", "+agent.batch=8"],
        r"agent\.batch = 8: .* did you mean agent\.batch_size\? allowed here",
    ),
    (["+seeds=3"], r"seeds = 3: unknown key; did you mean study\.seeds\? allowed here: agent, "),
    (["+launch.job=8"], r"launch\.job = 8: unknown key; did you mean launch\.jobs\? allowed here: "),
    (["hydra.mode=RUN"], r"hydra\.mode = RUN: a sweep is always MULTIRUN; leave this setting out"),
    (["results_dir=out/a=b"], r"""results_dir=out/a=b: .*; quote the value: 'results_dir="out/a=b"'"""),
    (["only=it's"], r"""only=it's: not an override .*; quote the value: 'only="it's"'"""),
    (
        ["agent.hidden_sizes=[64,"],
        r"agent\.hidden_sizes=\[64,: .*leave out its spaces, or put the whole",
    ),
    (
        ["study.seeds=[18446744073709551616]"],
        r"study\.seeds \(entry 1\) = 184\d+: a seed is .* from 0 to 9007199254740991",
    ),
    (
        ["study.seeds=[-1]"],
        r"study\.seeds \(entry 1\) = -1: a seed is a whole number from 0 to 9007199254740991",
    ),
    (["study.seeds=20240101"], r"study\.seeds = 20240101: .*how many seeds .* is written \[20240101\]"),
    (
        ["tracking=disabled"],
        r"study = \(not given\): say which: article, .*; or what to compare, as in replay=uniform,none",
    ),
    (["launch.jobs=0"], r"launch\.jobs = 0: must be"),
    (["device=tpu"], "device = tpu: "),
    (["plan", "study=nope"], "study = nope: allowed: .*replay"),
]

REFUSALS = """
import io, json, sys
from contextlib import redirect_stderr
from ablation.__main__ import main
results, cases = sys.argv.pop(), json.loads(sys.argv.pop())
for words in cases:
    command = [] if words[0] == "plan" else ["sweep"]
    sys.argv[1:] = [*command, *words, f"results_dir={results}"]
    stderr, status = io.StringIO(), 0
    with redirect_stderr(stderr):
        try:
            main()
        except SystemExit as end:
            status = end.code
    print(json.dumps([status, stderr.getvalue()]))
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Return exit status and messages for each of `BAD_INPUT`, all given to one process."""
    results = tmp_path_factory.mktemp("refused")
    cases = json.dumps([words for words, _ in BAD_INPUT])
    done = run(REFUSALS, cases, str(results), module="tests.run_code")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not list(results.iterdir())
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(BAD_INPUT)), ids=[words[-1] for words, _ in BAD_INPUT])
def test_bad_input_ends_with_status_2_and_one_message(
    number: int, refusals: list[tuple[int, str]]
) -> None:
    status, printed = refusals[number]
    assert status == 2
    assert re.fullmatch(f"error: {BAD_INPUT[number][1]}.*\n", printed), printed


def test_a_study_that_is_no_yaml_is_refused_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    text = "name: indent\nquestion: q\nfactors:\n  lr:\n    key: agent.learning_rate\n   levels: [1]\n"
    (tmp_path / "study" / "indent.yaml").write_text(text, encoding="utf-8")
    refused = run("study=indent", "--config-dir", str(tmp_path), f"results_dir={tmp_path / 'results'}")
    assert refused.returncode == 2
    assert re.fullmatch(r"error: \S+/indent\.yaml, line 6: .*check the indentation.*\n", refused.stderr)


def test_a_study_that_is_not_utf_8_is_refused_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "latin.yaml").write_bytes("name: latin\nquestion: café\n".encode("latin-1"))
    refused = run("study=latin", "--config-dir", str(tmp_path), f"results_dir={tmp_path / 'results'}")
    assert refused.returncode == 2
    assert re.fullmatch(r"error: \S+/latin\.yaml, line 2: not UTF-8 .*\n", refused.stderr)


def test_seeds_cost_by_their_number_not_their_value(tmp_path: Path) -> None:
    words = ["study=adhoc", "study.seeds=[7,20240101,1000000000]", f"results_dir={tmp_path}", "--json"]
    (arm,) = json.loads(run("plan", *words).stdout)["arms"]
    assert arm["statuses"] == {"missing": 3}


def test_a_process_of_its_own_refuses_as_well(tmp_path: Path) -> None:
    refused = run(*BAD_INPUT[0][0], f"results_dir={tmp_path}")
    assert refused.returncode == 2
    assert re.fullmatch(f"error: {BAD_INPUT[0][1]}.*\n", refused.stderr), refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_job_that_raises_is_recorded_named_and_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = tmp_path / "broken_env.py"
    broken.write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "class Broken(CartPoleEnv):\n"
        "    def reset(self, **given):\n"
        "        self.begun = getattr(self, 'begun', 0) + 1\n"
        "        if self.begun > 10:\n"
        "            raise RuntimeError('the pole is missing')\n"
        "        return super().reset(**given)\n"
        "gymnasium.register('Broken-v0', Broken, max_episode_steps=500)\n"
    )
    results = tmp_path / "results"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": ""}
    words = ["-m", "env.id=broken_env:Broken-v0,CartPole-v1", "study.seeds=1", f"results_dir={results}"]
    command = [sys.executable, "-m", WITHOUT_REPORT, *words, *SHORT, "tracking=disabled"]
    done = processes.run(*command, variables=environment)
    assert done.returncode == 1, done.stderr
    assert "the pole is missing" in done.stderr
    records = [json.loads(path.read_text()) for path in results.glob("runs/*/*/run.json")]
    assert sorted(record["status"] for record in records) == ["complete", "failed"]
    (failed,) = (record for record in records if record["status"] == "failed")
    assert "RuntimeError: the pole is missing" in failed["error"]


def test_a_missing_run_is_never_given_a_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = run("plan", "study=replay", f"results_dir={tmp_path}")
    assert plan.returncode == 0
    unknown = run("report", "replay", "--results", str(tmp_path))
    assert unknown.returncode == 2
    assert "no study 'replay'" in unknown.stderr
    assert store.read_record(RunKey("x", 0)) is None
