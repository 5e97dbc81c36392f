"""Runs of another arithmetic are recognized, counted apart, not mixed, and trained again on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ablation.agent.network import StackedNetwork
from ablation.cli.messages import print_plan
from ablation.cli.terminal import console
from ablation.config.parse import parse
from ablation.config.validation import ConfigError
from ablation.results.arithmetic import OTHER_ARITHMETIC, Arithmetic, arithmetic_of, other_arithmetic
from ablation.results.load import load
from ablation.store.files import read_json, write_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.study.plan import Plan
from ablation.sweep.config import SweepConfig
from ablation.sweep.dispatcher import SweepDispatcher
from ablation.sweep.estimates.forecast import forecast
from ablation.sweep.inventory import read_inventory
from ablation.training import fingerprint
from analysis.report.report import open_results, study_tables, write_report

from .analysis_helpers import STUDY, make_store, resolve
from .conftest import values
from .studies import study, sweep_settings

SHARED: dict[str, Any] = {"arithmetic": "a" * 12, "portable": False, "processor": {"name": "Some CPU"}}
OTHER: dict[str, Any] = {"arithmetic": "b" * 12, "processor": {"name": "Another CPU"}}


def change(results: Path, key: RunKey, **changes: Any) -> None:
    path = Store(results).run_directory(key) / "run.json"
    write_json(path, read_json(path) | changes)


def settings(results: Path, **changes: Any) -> SweepConfig:
    return sweep_settings(results, jobs=1, lanes=64, **changes)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Plan, list[RunKey]]:
    """Return a store of 3 arms and 6 seeds, and two runs of it whose arithmetic is another."""
    plan = make_store(tmp_path, STUDY | {"factors": SIZES}, lambda arm, seed: 100.0 + seed, **SHARED)
    others = [RunKey(plan.arms[0].cell, 1), RunKey(plan.arms[1].cell, 4)]
    for key in others:
        change(tmp_path, key, **OTHER)
    return tmp_path, plan, others


SIZES = {"capacity": {"key": "replay.capacity", "levels": [16, 64, 500]}}


def test_the_fingerprint_is_a_pure_function_of_the_arithmetic() -> None:
    config, by_torch = parse(values()), parse(values(agent__backend="torch"))
    library = parse(values(env__backend="gymnasium"))
    first = [fingerprint.fingerprint(cell, "cpu") for cell in (config, by_torch, library)]
    assert len(set(first)) == 3, "each is computed by other code"
    fingerprint._fingerprint.cache_clear()
    assert first == [fingerprint.fingerprint(cell, "cpu") for cell in (config, by_torch, library)]
    # No configuration decides it but by what it is trained.
    assert first[0] == fingerprint.fingerprint(parse(values(agent__batch_size=4)), "cpu")


def test_one_last_bit_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.fingerprint(parse(values()), "cpu")
    initial = StackedNetwork.initial

    def other_bit(network: StackedNetwork, units: torch.Tensor) -> torch.Tensor:
        parameters = initial(network, units)
        parameters[0, 0] = torch.nextafter(parameters[0, 0], torch.tensor(9.0))
        return parameters

    monkeypatch.setattr(StackedNetwork, "initial", other_bit)
    fingerprint._fingerprint.cache_clear()
    assert fingerprint.fingerprint(parse(values()), "cpu") != before
    fingerprint._fingerprint.cache_clear()


def test_the_smaller_group_of_each_environment_and_backend_is_left_out() -> None:
    plan = expand(study(seeds=5), resolve)
    cell = plan.arms[0].cell
    mine, theirs = Arithmetic("a", None, "tensor"), Arithmetic("b", None, "tensor")
    found = {RunKey(cell, seed): mine if seed in (1, 3, 4) else theirs for seed in range(5)}
    assert other_arithmetic(plan, found) == {RunKey(cell, seed): (theirs, mine) for seed in (0, 2)}
    # Among equal groups the one whose run comes first stays; another backend is no other arithmetic.
    del found[RunKey(cell, 4)]
    assert list(other_arithmetic(plan, found)) == [RunKey(cell, 1), RunKey(cell, 3)]
    for change in ({"trained_by": "torch"}, {"own_code": True}):
        changed = {key: own._replace(**change) if own == mine else own for key, own in found.items()}
        assert other_arithmetic(plan, changed) == {}


@pytest.mark.parametrize(("kind", "own"), [("reaper:ReaPER", True), ("proportional", False)])
def test_a_sampler_of_ones_own_is_compared_with_built_in_ones(kind: str, own: bool) -> None:
    record = RunRecord(arithmetic="a", config={"replay": {"kind": kind}})
    assert arithmetic_of(record).own_code is own


def test_runs_of_other_arithmetic_are_in_no_score_and_the_table_says_so(
    stored: tuple[Path, Plan, list[RunKey]],
) -> None:
    results, plan, others = stored
    runs = load("s", results)
    assert [key for key, run in runs.runs.items() if run.status == OTHER_ARITHMETIC] == others
    assert [len(runs.of_arm(arm)) for arm in plan.arms] == [5, 5, 6]
    notes = " ".join(study_tables(open_results(results, "s", None))["table"].notes)
    assert "CartPole-v1: 2 runs of other arithmetic left out (bbbbbbbbbbbb, Another CPU)" in notes
    assert "shown are those of aaaaaaaaaaaa, Some CPU" in notes
    page = write_report(results, "s").read_text()
    assert "2 runs of other arithmetic left out" in page
    assert "5 complete, 1 other arithmetic" in page
    assert "on one machine with the same versions only (18 runs)" in page


def test_status_counts_them_apart(stored: tuple[Path, Plan, list[RunKey]]) -> None:
    results, plan, _ = stored
    found = forecast(plan, settings(results), Store(results))
    assert found.counts(plan.arms[0]) == {"complete": 5, OTHER_ARITHMETIC: 1}
    assert found.as_json()["statuses"] == {"complete": 16, OTHER_ARITHMETIC: 2}
    with console.capture() as printed:
        print_plan(plan, found.inventory)
    assert (
        "2 runs of other arithmetic, left out of tables: a sweep with retry=arithmetic" in printed.get()
    )
    assert "nothing to train" in printed.get()


def test_retry_arithmetic_sets_them_aside_to_be_trained_again(
    stored: tuple[Path, Plan, list[RunKey]],
) -> None:
    results, plan, others = stored
    mine = fingerprint.fingerprint(plan.configured[others[0].cell].config, "cpu")
    for key in plan.runs():
        if key not in others:
            change(results, key, arithmetic=mine)
    only_one = replace(settings(results), retry="arithmetic", only="capacity=16")
    for config, due in ((only_one, others[1:]), (settings(results, retry="arithmetic"), others)):
        inventory = SweepDispatcher(plan, config, Store(results), [], Silent()).prepare()
        assert set(inventory.to_do) <= set(others)
        assert set(read_inventory(Store(results), plan.runs()).to_do) == set(due)
    assert len(list((results / "quarantine").iterdir())) == 2, "nothing stored is deleted"


def test_retry_arithmetic_is_refused_where_it_would_change_nothing(
    stored: tuple[Path, Plan, list[RunKey]],
) -> None:
    results, plan, _ = stored
    dispatcher = SweepDispatcher(
        plan, settings(results, retry="arithmetic"), Store(results), [], Silent()
    )
    with pytest.raises(ConfigError, match=r"retry = arithmetic: most runs .* aaaaaaaaaaaa"):
        dispatcher.prepare()
    assert not (results / "quarantine").exists()


class Silent:
    """A `SweepObserver` that nothing is told."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was called")
