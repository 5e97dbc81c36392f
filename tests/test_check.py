"""`check` passes samplers that are right, and mutants fail by the line that names their fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ablation.checks import sampler as checks
from ablation.checks.outcome import Outcome
from ablation.cli.check import check
from ablation.config.parse import parse
from ablation.config.project import OWN_CONFIGURATION
from ablation.config.schema import CellConfig
from ablation.config.validation import ConfigError
from ablation.replay.component import ComponentError

from .conftest import values

CONF = str(OWN_CONFIGURATION)
SPEED = "speed against uniform"


def resolve(overrides: Mapping[str, Any]) -> CellConfig:
    return parse(values(**{key.replace(".", "__"): value for key, value in overrides.items()}))


@pytest.fixture(autouse=True)
def _without_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: prove for name, prove in checks.PROPERTIES.items() if name != SPEED}
    monkeypatch.setattr(checks, "PROPERTIES", kept)


def outcomes(name: str, **options: Any) -> Iterator[Outcome]:
    path = name if ":" in name else f"tests.own_samplers:{name}"
    return checks.check_sampler(checks.subject_of(path, options, resolve))


def failures(name: str) -> dict[str, str]:
    return {outcome.name: outcome.seen for outcome in outcomes(name) if outcome.holds is False}


@pytest.mark.parametrize("name", ["Proportional", "LowestError"])
def test_what_is_right_passes_every_line(name: str) -> None:
    found = list(outcomes(name))
    assert [outcome.name for outcome in found] == list(checks.PROPERTIES)
    assert [outcome.seen for outcome in found if not outcome.holds] == []


@pytest.mark.parametrize(
    ("name", "line", "seen"),
    [
        ("GlobalGenerator", "no global randomness", "draws from NumPy's global generator"),
        ("ModuleGenerator", "no global randomness", "slots drawn at step 0: .* in a second one"),
        ("OwnGenerator", "slots in range", "generator is a random generator; random numbers come as"),
        ("NeighborsSum", "neighbors change nothing", "beside seed 1, .* beside seed 7"),
        (
            "NeighborsSum",
            "lanes alone and among others",
            r"for seed . alone, .* among seeds \[0, 1, 2\]",
        ),
        ("StaleAfterWrap", "drawn frequencies", r"lane . after \d+ steps.*: slot \d+ has probability"),
        ("ForgottenState", "checkpoint round trip", "uninterrupted .* resumed at step"),
        ("OneSlotOff", "slots in range", r"returned slot \d+ in lane ., whose \d+ items are in slots 0"),
        ("OneSlotOffInRange", "drawn frequencies", "was drawn"),
        (
            "HalfABatch",
            "slots in range",
            r"shape \(2, 2\); expected are slots, integers of shape \(2, 4\)",
        ),
        ("NoUpdate", "slots in range", "has no method update_priorities"),
        ("NotDeclared", "slots in range", r"declare needs = \{'age'\}"),
        (
            "EvictsBeyond",
            "slots in range",
            r"evict returned slot \d+ in lane ., which has slots 0 to 22",
        ),
    ],
)
def test_a_mutant_fails_by_the_line_that_names_its_fault(name: str, line: str, seen: str) -> None:
    found = failures(name)
    assert line in found
    assert re.search(seen, found[line]), found[line]


@pytest.mark.parametrize(
    ("name", "only"),
    [
        ("ForgottenState", "checkpoint round trip"),
        ("StaleAfterWrap", "drawn frequencies"),
        ("OneSlotOffInRange", "drawn frequencies"),
    ],
)
def test_such_a_mutant_fails_by_no_other_line(name: str, only: str) -> None:
    assert set(failures(name)) == {only}


def test_after_a_class_that_breaks_other_lines_are_not_checked() -> None:
    found = list(outcomes("OneSlotOff"))
    assert [outcome.holds for outcome in found] == [False, *[None] * (len(found) - 1)]


def test_the_command_prints_a_line_for_each_property_and_its_status_says_whether_all_hold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check(CONF, ["tests.own_samplers:Proportional", "floor=0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"pass  {name}" for name in checks.PROPERTIES]
    assert check(CONF, ["tests.own_samplers:ForgottenState"]) == 1
    assert "FAIL  checkpoint round trip: " in capsys.readouterr().out


def test_an_option_that_the_class_does_not_take_fails_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check(CONF, ["tests.own_samplers:Proportional", "flor=0.1"]) == 1
    assert "Proportional(lanes, capacity, batch_size, flor) cannot be made" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ([], "write check my_lab"),
        (["uniform"], "write check my_lab"),
        (["tests.own_samplers:Proportonal"], "did you mean Proportional"),
        (["tests.own_samplers:Proportional", "train.env_steps=3"], "options of the component alone"),
    ],
)
def test_what_cannot_be_checked_is_refused(words: list[str], allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed):
        check(CONF, words)


def test_a_class_whose_module_fails_when_it_is_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_lab.py").write_text("import numpy\nraise OSError('no disk')\nclass Mine: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ComponentError, match="broken_lab:Mine cannot be imported: OSError: no disk"):
        checks.subject_of("broken_lab:Mine", {}, resolve)
