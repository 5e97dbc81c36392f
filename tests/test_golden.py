"""Names, plans and numbers change only on purpose; numbers only together with `core_version`.

The files are in `tests/golden`; `python -m tests.golden NAME` prints what the code at hand gives, and
`--update` keeps it. Names and plans depend on no library; each row says on which it does.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import get_type_hints

import pytest

from ablation.config.identity import CORE_VERSION
from ablation.config.schema import CellConfig

from .golden import ROOT, kept
from .golden.changed import CHANGES
from .golden.names import (
    Configurations,
    changes,
    configurations,
    keys,
    missing_extra,
    names,
    networks,
    plans,
)
from .golden.rows import CELLS, record, releases

Rows = dict[str, dict[str, str]]

ENVIRONMENTS = sorted(kept("names"))
ROWS: Rows = kept("rows").get(str(CORE_VERSION), {})
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="golden numbers are kept for x86-64")


@pytest.fixture(scope="module")
def found() -> Iterator[Configurations]:
    with configurations() as made:
        yield made


@pytest.fixture(scope="module")
def trained() -> Rows:
    command = [sys.executable, "-m", "tests.golden", "rows"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_group_changes_no_section_of_another(found: Configurations) -> None:
    assert found.foreign_sections() == []


def test_every_environment_replay_and_agent_keeps_its_cell_name(found: Configurations) -> None:
    assert names(found) == kept("names")


def test_every_study_keeps_the_hash_of_its_plan_in_every_size(found: Configurations) -> None:
    assert plans(found) == kept("plans")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_agent_keeps_the_size_of_its_network(env: str, found: Configurations) -> None:
    extra = missing_extra(found, env)
    if extra:
        pytest.skip(f"{env} needs an extra that is not installed: {extra}")
    assert networks(found, env) == kept("networks")[env]


def test_a_key_at_its_default_adds_nothing_to_the_identity(found: Configurations) -> None:
    expected = kept("keys")
    for option, emitted in keys(found).items():
        new, gone = set(emitted) - set(expected[option]), set(expected[option]) - set(emitted)
        assert not new, f"{option}: {sorted(new)} must be left out of the identity at the default"
        assert not gone, f"{option}: {sorted(gone)} decided names and no longer does"
    assert set(expected) == set(keys(found))


def test_every_key_of_a_cell_is_changed_by_the_golden_changes() -> None:
    declared = {
        f"{section}.{field.name}"
        for section, schema in get_type_hints(CellConfig).items()
        for field in dataclasses.fields(schema)
    }
    assert set(CHANGES) == declared, (
        "add a changed value for a new key, then `python -m tests.golden changes`"
    )


def test_a_changed_key_gives_the_name_that_it_gave(found: Configurations) -> None:
    assert changes(found) == kept("changes")


def test_every_key_counts_for_some_replay_kind() -> None:
    indifferent = {key for key, cells in kept("changes").items() if set(cells.values()) == {"same"}}
    # It only counts where `train.hold_fixed` says so.
    assert indifferent == {"train.gradient_steps"}


@X86
def test_the_present_core_version_has_golden_numbers() -> None:
    assert set(ROWS) == set(CELLS)


@X86
@pytest.mark.parametrize("name", CELLS)
def test_a_golden_run_has_the_numbers_of_its_core_version(name: str, trained: Rows) -> None:
    installed = releases(name)
    assert installed in ROWS[name], f"{name}: {_difference(installed, ROWS[name])}"
    assert trained[name] == {installed: ROWS[name][installed]}


def test_a_stored_run_says_what_it_said_in_the_same_order() -> None:
    # As text, such that the order counts.
    assert json.dumps(record(), indent=1) == json.dumps(kept("record"), indent=1)


def test_another_version_of_a_library_is_named() -> None:
    recorded = {"torch 2.13.0, numpy 2.4.6": "a"}
    assert _difference("torch 2.13.0, numpy 3.0.0", recorded) == (
        "no numbers are kept for numpy 3.0.0, only for numpy 2.4.6"
    )


def _difference(installed: str, recorded: dict[str, str]) -> str:
    """Return which libraries are installed in versions that no numbers are kept for."""
    latest = list(recorded)[-1].split(", ")
    mine = [release for release in installed.split(", ") if release not in latest]
    theirs = [release for release in latest if release not in installed.split(", ")]
    return f"no numbers are kept for {', '.join(mine)}, only for {', '.join(theirs)}"
