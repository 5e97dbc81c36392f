"""A replay kind is its own file, a conf file and one entry of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
import yaml

from ablation.agent import kernels, losses, optimizers
from ablation.cli.compose import CommandLine, Composer, plan_of
from ablation.cli.config_errors import config_loader
from ablation.config.cell import Cell
from ablation.config.losses import LOSSES
from ablation.config.optimizers import OPTIMIZERS, Optimizer
from ablation.config.parse import parse
from ablation.config.registry import Registry, load_component
from ablation.config.replay_kinds import REPLAY_KINDS, ReplayKind
from ablation.config.tasks import TASKS
from ablation.config.validation import ConfigError
from ablation.sweep.estimates.memory import replay_bytes
from ablation.tasks.registry import make_trainer

from .conftest import values
from .processes import ROOT, python
from .recency import KIND, Recency

CPU = torch.device("cpu")


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REPLAY_KINDS, "_entries", dict(REPLAY_KINDS._entries))
    REPLAY_KINDS.add(KIND)


def cell(options: Mapping[str, Any] | None = None, **changes: Any) -> Cell:
    options = {} if options is None else {"replay__options": options}
    return Cell(parse(values(**({"replay__kind": "recency"} | options | changes))))


@pytest.mark.usefixtures("_registered")
def test_a_key_of_its_own_counts_without_being_mentioned_anywhere() -> None:
    slow, fast = cell({"decay": 0.9995}), cell({"decay": 0.99})
    assert slow.name != fast.name
    assert fast.canonical["replay"]["options"] == {"decay": 0.99}


@pytest.mark.usefixtures("_registered")
def test_a_key_of_its_own_at_its_default_changes_no_name() -> None:
    assert "options" not in cell().canonical["replay"]
    assert cell({"decay": 0.999, "unused": 0}).name == cell().name


@pytest.mark.usefixtures("_registered")
def test_every_shared_key_counts_but_those_that_it_ignores() -> None:
    assert cell(replay__capacity=32).name != cell().name
    assert cell(replay__combined=True).name != cell().name
    assert cell(replay__replacement=False).name == cell().name
    assert cell(replay__priority_exponent=0.9).name == cell().name


@pytest.mark.usefixtures("_registered")
def test_a_kind_that_ignores_nothing_has_every_key_in_its_identity() -> None:
    REPLAY_KINDS.add(ReplayKind("all", "tests.recency:recency"))
    kept = cell(replay__kind="all").canonical["replay"]
    changed = cell(replay__kind="all", replay__priority_epsilon=0.5, replay__stratified=False)
    assert {"priority_epsilon", "priority_exponent", "priority_refresh_period"} <= set(kept)
    assert changed.canonical["replay"] == kept | {"priority_epsilon": 0.5, "stratified": False}


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize(
    ("options", "key", "allowed"),
    [
        ({"decoy": 0.5}, "replay.options.decoy", "options of recency: decay, unused"),
        ({"decay": "slow"}, "replay.options.decay", "number"),
    ],
)
def test_an_option_that_it_does_not_have_is_refused(
    options: dict[str, Any], key: str, allowed: str
) -> None:
    with pytest.raises(ConfigError, match=allowed) as refused:
        cell(options)
    assert refused.value.key == key


def test_the_kinds_of_this_project_have_no_options() -> None:
    with pytest.raises(ConfigError, match=r"replay\.options\.decay = 0\.9: options of uniform: none"):
        cell({"decay": 0.9}, replay__kind="uniform")


@pytest.mark.usefixtures("_registered")
def test_it_trains_and_its_options_change_the_numbers() -> None:
    def rows(decay: float) -> list[Any]:
        trainer = make_trainer(cell({"decay": decay}).config, [0, 1], CPU)
        assert isinstance(trainer._buffer.sampler, Recency)  # type: ignore[attr-defined]
        records = trainer.run()
        assert trainer.gradient_steps > 0
        return [lane.tables() for lane in records.lanes]

    assert rows(0.5) == rows(0.5)
    assert rows(0.5) != rows(0.99)


@pytest.mark.usefixtures("_registered")
def test_its_memory_is_planned_as_its_entry_says() -> None:
    ours, uniform = cell(), cell(replay__kind="uniform")
    assert replay_bytes(ours, 4, 2) == replay_bytes(uniform, 4, 2) + 2 * 3 * 64 * 8


@pytest.mark.usefixtures("_registered")
def test_a_conf_file_makes_it_a_level_of_a_study(tmp_path: Path) -> None:
    conf = copytree(ROOT / "conf", tmp_path / "conf")
    given = {"defaults": ["base", "_self_"], "kind": "recency", "options": {"decay": 0.99}}
    (conf / "replay/recency.yaml").write_text(yaml.safe_dump(given))
    study: dict[str, Any] = {
        "name": "s",
        "question": "?",
        "environments": ["cartpole"],
        "baseline": {"replay": "uniform"},
        "factors": {
            "replay": {"key": "replay", "levels": ["uniform", "recency"]},
            "decay": {
                "levels": {
                    "slow": {"replay": "recency", "replay.options.decay": 0.9995},
                    "fast": {"replay": "recency", "replay.options.decay": 0.99},
                }
            },
        },
        "design": "one_factor_at_a_time",
        "seeds": 2,
        "primary_score": "final",
    }
    with config_loader(str(conf)) as loader:
        plan = plan_of(Composer(loader), study, CommandLine())
    assert [arm.name for arm in plan.arms] == ["baseline", "replay=recency", "decay=slow"]
    assert {merged.name: merged.into for merged in plan.merged} == {
        "replay=uniform": "baseline",
        "decay=fast": "replay=recency",
    }
    decays = [plan.cells[arm.cell]["replay"].get("options") for arm in plan.arms]
    assert decays == [None, {"decay": 0.99}, {"decay": 0.9995}]


def test_a_registry_refuses_a_second_entry_of_a_name_and_lists_the_names_it_has() -> None:
    table = Registry("agent.optimizer", [Optimizer("a", frozenset()), Optimizer("b", frozenset())])
    with pytest.raises(ValueError, match="'a' is already registered"):
        table.add(Optimizer("a", frozenset({"x"})))
    with pytest.raises(ConfigError, match=r"agent\.optimizer = c: allowed: a, b"):
        table["c"]


def test_every_entry_has_its_code() -> None:
    for kind in REPLAY_KINDS:
        assert callable(load_component(kind.make))
    for task in TASKS:
        assert callable(load_component(task.spec))
        assert callable(load_component(task.trainer))
    named = {entry.name for entry in LOSSES}
    assert named == set(losses.LOSSES) == set(kernels.LOSS_KINDS)
    named = {entry.name for entry in OPTIMIZERS}
    assert named == set(optimizers.TORCH_OPTIMIZERS) == set(optimizers.CONSTANTS)
    assert named == set(kernels.OPTIMIZER_KINDS)


def test_a_third_optimizer_leaves_the_constants_of_the_others_out_of_its_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OPTIMIZERS, "_entries", dict(OPTIMIZERS._entries))
    OPTIMIZERS.add(Optimizer("lion", frozenset({"rmsprop_decay"})))
    config = parse(values(agent__optimizer="lion"))
    kept = set(Cell(config).canonical["agent"])
    assert "rmsprop_decay" in kept
    assert not {"adam_epsilon", "rmsprop_epsilon", "rmsprop_epsilon_enters"} & kept
    changed = Cell(replace(config, agent=replace(config.agent, adam_epsilon=1.0)))
    assert changed.name == Cell(config).name


@pytest.mark.parametrize("study", ["replay", "digits", "schaul2016"])
def test_planning_imports_no_torch_and_no_data(study: str) -> None:
    code = (
        "import sys; from ablation.cli.compose import *; from ablation.cli.config_errors import *\n"
        "from ablation.sweep.estimates.forecast import forecast\n"
        "from hydra.types import RunMode\n"
        f"with config_loader({str(ROOT / 'conf')!r}) as loader:\n"
        f"    values = to_plain(loader.load_configuration('config', ['study={study}'], RunMode.RUN))\n"
        "    plan = plan_of(Composer(loader), values['study'], CommandLine())\n"
        "assert plan.arms\n"
        "print([name for name in ('torch', 'numba', 'sklearn') if name in sys.modules])"
    )
    assert python("-c", code).strip() == "[]"
