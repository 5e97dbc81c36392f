"""Every study file, in each of its sizes, comes to cells that the schema allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra.core.config_loader import ConfigLoader

from ablation.cli.compose import CommandLine, Composer, study_of
from ablation.cli.config_errors import config_loader
from ablation.study.expand import expand
from ablation.study.tuning import tuning_plan

CONF = Path(__file__).parent.parent / "conf"
STUDIES = sorted(path.stem for path in (CONF / "study").glob("*.yaml") if path.stem != "adhoc")


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with config_loader(str(CONF)) as found:
        yield found


@pytest.mark.parametrize("name", STUDIES)
def test_every_size_of_a_study_is_a_plan(name: str, loader: ConfigLoader) -> None:
    values = yaml.safe_load((CONF / "study" / f"{name}.yaml").read_text())
    assert values["name"] == name
    composer = Composer(loader)
    for size in values.get("sizes", [None]):
        study = study_of(values, CommandLine(), size)
        plan = expand(study, composer.resolve)
        assert {arm.environment for arm in plan.arms} == set(study.environments)
        assert len({(arm.name, arm.environment) for arm in plan.arms}) == len(plan.arms)
        if study.tune is not None:
            levels = len(study.factors[study.tune.factor].levels)
            tuning = tuning_plan(plan, composer.resolve)
            assert len(tuning.arms) == levels * len(plan.arms)
            assert not {*tuning.runs()} & {*plan.runs()}
