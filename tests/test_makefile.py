"""What a variable of the Makefile holds is text: it reaches the program as written, and runs nothing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ablation.cli.command_line import COMMANDS
from ablation.cli.from_make import split

from .processes import BARE, ROOT, run

PYTHON = """#!{python}
import json, sys
from ablation.cli.command_line import COMMANDS
from ablation.cli.from_make import split
_, _, module, text, program, *words = sys.argv
assert (module, program) == ("ablation.cli.from_make", "replay-ablation")
print(json.dumps([*words, *split(text)]))
"""


@pytest.fixture
def make(tmp_path: Path):  # type: ignore[no-untyped-def]
    fake = tmp_path / "python"
    fake.write_text(PYTHON.format(python=sys.executable), encoding="utf-8")
    fake.chmod(0o755)
    mark = tmp_path / "installed"
    mark.touch()

    def words_of(target: str, **variables: str) -> list[str]:
        given = [f"{name}={value}" for name, value in variables.items()]
        command = ["make", "-s", "-o", str(mark), target, f"BIN={tmp_path}", f"MARK={mark}", *given]
        done = run(*command, variables=BARE)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    return words_of


def test_lists_have_spaces_and_names_have_quotes(make) -> None:  # type: ignore[no-untyped-def]
    words = make(
        "plan", SEEDS="[3, 4]", ONLY="it's", ARGS="agent.hidden_sizes=[64, 64] 'results_dir=my runs'"
    )
    assert words == [
        "plan",
        "study=replay",
        "study.seeds=[3, 4]",
        'only="it\'s"',
        "agent.hidden_sizes=[64, 64]",
        "results_dir=my runs",
    ]
    read = OverridesParser.create().parse_overrides(words[1:5])
    assert [override.value() for override in read] == ["replay", [3, 4], "it's", [64, 64]]


@pytest.mark.parametrize(
    "text",
    [
        "a;b",
        "$(touch struck)",
        "$(shell touch struck)",
        "`touch struck`",
        '"; touch struck; "',
        "$HOME",
        'a\\"b',
    ],
)
def test_nothing_in_a_variable_is_run(make, text: str) -> None:  # type: ignore[no-untyped-def]
    words = make("sweep", ONLY=text, STUDY=text, SEEDS=text, SIZE=text, ARGS=f"'{text}'")
    assert not (ROOT / "struck").exists()
    assert words[:4] == ["sweep", f"study={text}", f"size={text}", f"study.seeds={text}"]
    assert words[5:] == [text]
    (only,) = OverridesParser.create().parse_overrides([words[4]])
    assert only.value() == text


def test_a_report_takes_its_study_as_text(make) -> None:  # type: ignore[no-untyped-def]
    assert make("report", STUDY="$(touch struck)", SIZE="it's") == [
        "report",
        "$(touch struck)-it's",
    ]
    assert make("status", JSON="1") == ["status", "study=replay", "--json"]


@pytest.mark.parametrize(
    ("given", "said"),
    [("SEED", "SEED: no such variable; did you mean SEEDS? "), ("a;b", "a;b: no such")],
)
def test_a_variable_that_nothing_reads_is_refused(given: str, said: str) -> None:
    done = run("make", "-n", "sweep", f"{given}=5")
    assert done.returncode == 2
    assert said in done.stderr
    assert "allowed: STUDY, SIZE, SEEDS" in done.stderr


def test_a_quote_that_is_not_closed_is_named() -> None:
    assert split("a=[1, 2, {b: 3}] c") == ["a=[1, 2, {b: 3}]", "c"]
    done = run(sys.executable, "-m", "ablation.cli.from_make", "only=it's", "replay-ablation")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ARGS = only=it's: no closing quotation; ")


def test_every_program_and_command_that_a_target_runs_exists() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for program in set(re.findall(r"\$\(RUN\) (\S+)", text)):
        assert (Path(sys.executable).parent / program).exists(), program
    for command in set(re.findall(r"replay-ablation (\S+)", text)):
        assert command in COMMANDS, command
