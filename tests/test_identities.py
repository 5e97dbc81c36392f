"""Arms that should be the same run are, bit by bit; files differ from the baseline as they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from ablation.cli.compose import Composer
from ablation.cli.config_errors import config_loader
from ablation.config.identity import flatten
from ablation.replay.n_step import NStep

from .conftest import Configure
from .training_runs import digest, train

ROOT = Path(__file__).parent.parent


def same(configure: Configure, one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = train(configure(**one), [0, 1]), train(configure(**other), [0, 1])
    return all(digest(first, lane) == digest(second, lane) for lane in range(2))


@pytest.mark.parametrize("kind", ["uniform", "proportional", "rank"])
def test_a_capacity_above_the_runs_length_is_unbounded(configure: Configure, kind: str) -> None:
    long = {"replay__kind": kind, "replay__capacity": 200}
    assert same(configure, long, long | {"replay__capacity": 10**6})
    assert not same(configure, long, long | {"replay__capacity": 64})


def test_recent_with_a_batch_of_one_is_no_replay(configure: Configure) -> None:
    recent = {"replay__kind": "recent", "agent__batch_size": 1, "replay__min_replay_size": 1}
    assert same(configure, {"replay__kind": "none"}, recent)


def test_a_target_refreshed_after_every_update_is_no_target_network(configure: Configure) -> None:
    period = {"agent__target_update_period": 1, "agent__target_update_unit": "gradient_steps"}
    assert same(configure, {"agent__target_network": False}, period)


def test_target_periods_in_either_unit_agree_where_both_clocks_run_alike(configure: Configure) -> None:
    base = {"replay__kind": "none", "agent__target_update_period": 20}
    assert same(configure, base, base | {"agent__target_update_unit": "gradient_steps"})


def test_a_ratio_is_the_period_that_it_stands_for(configure: Configure) -> None:
    ratio = {"agent__learn_period": None, "agent__replay_ratio": 0.25}
    assert same(configure, {"agent__learn_period": 4}, ratio)


def test_no_bootstrap_at_time_limits_changes_only_runs_that_reach_one(configure: Configure) -> None:
    cut = {"env__id": "MountainCar-v0", "agent__discount": 0.5, "train__env_steps": 250}
    assert not same(configure, cut, cut | {"agent__time_limit_bootstrap": False})
    short = cut | {"train__env_steps": 199}
    assert same(configure, short, short | {"agent__time_limit_bootstrap": False})


def test_one_step_goes_through_unchanged(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    # n = 1 through the general accumulator must store what the short cut stores.
    plain = train(configure(), [0, 1])
    original = NStep.push

    def general(self: NStep, transition: Any, ended: Any) -> Any:
        self._n = 1
        items = list(original(self, transition, ended))
        self._store(transition)
        returns = self._returns()
        assert (returns[0] == transition["reward"]).all()
        self._forget(ended)
        return items

    monkeypatch.setattr(NStep, "push", general)
    assert [digest(train(configure(), [0, 1]), lane) for lane in range(2)] == [
        digest(plain, lane) for lane in range(2)
    ]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("none", {"kind"}),
        ("recent", {"kind"}),
        ("uniform", {"kind"}),
        ("proportional", {"kind", "priority_exponent", "importance_sampling_exponent"}),
        ("rank", {"kind", "priority_exponent", "importance_sampling_exponent"}),
    ],
)
def test_a_replay_file_differs_from_the_base_in_exactly_these_keys(name: str, keys: set[str]) -> None:
    base = yaml.safe_load((ROOT / "conf/replay/base.yaml").read_text())
    values = yaml.safe_load((ROOT / f"conf/replay/{name}.yaml").read_text())
    del values["defaults"]
    assert set(values) == keys
    assert values["kind"] == name
    assert set(values) <= set(base)
    assert all(values[key] != base[key] for key in keys)


FILES = [
    (group, path.stem)
    for group in ("agent", "env", "replay")
    for path in (ROOT / "conf" / group).glob("*.yaml")
]


def _named(group: str, name: str) -> Any:
    """Return what a file sets, with what the files that it builds on set."""
    own = OmegaConf.load(ROOT / f"conf/{group}/{name}.yaml")
    built_on = own.pop("defaults", [])
    parts = [own if part == "_self_" else _named(group, part) for part in built_on] or [own]
    return OmegaConf.merge(*parts)


@pytest.mark.parametrize(("group", "name"), sorted(set(FILES) - {("replay", "base")}))
def test_a_configuration_file_changes_exactly_the_keys_that_it_names(group: str, name: str) -> None:
    named: Any = OmegaConf.to_container(_named(group, name))
    keys = set(flatten(named if group == "env" else {group: named}))
    with config_loader(str(ROOT / "conf")) as loader:
        composer = Composer(loader)
        default, chosen = (flatten(composer._compose(groups)) for groups in ({}, {group: name}))
    schedules = {key.rsplit(".", 1)[0] for key in keys}
    changed = {key for key in {**default, **chosen} if default.get(key) != chosen.get(key)}
    assert changed <= keys | schedules
    assert {key: chosen[key] for key in keys} == flatten(named if group == "env" else {group: named})
