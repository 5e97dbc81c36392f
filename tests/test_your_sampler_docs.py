"""The code of docs/your-sampler.md passes the check, and examples/samplers can be trained."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablation.checks import sampler as checks
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.store.runs import Store

from .conftest import values
from .pages import write_files
from .sweeps import ROOT, SHORT, WITHOUT_REPORT, run

PAGE = (ROOT / "docs/your-sampler.md").read_text()
EXAMPLES = ROOT / "examples/samplers"
FILES = dict(re.findall(r"```python\n# my_lab/(\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


def resolve(overrides: Mapping[str, Any]) -> CellConfig:
    return parse(values(**{key.replace(".", "__"): value for key, value in overrides.items()}))


def failures(path: str) -> list[str]:
    subject = checks.subject_of(path, {}, resolve)
    without_speed = [name for name in checks.PROPERTIES if name != "speed against uniform"]
    found = {one.name: one for one in checks.check_sampler(subject, without_speed)}
    assert list(found) == without_speed
    return [f"{one.name}: {one.seen}" for one in found.values() if not one.holds]


@pytest.fixture
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_lab").mkdir()
    for name, code in FILES.items():
        (tmp_path / "my_lab" / name).write_text(code)
    write_files("README.md", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("_project")
@pytest.mark.parametrize(
    "path",
    [
        "my_lab.samplers:Recency",
        "my_lab.compiled:Proportional",
        "my_lab.eviction:LowestError",
        "my_samplers:Newest",
    ],
)
def test_the_classes_of_page_and_readme_have_every_property(path: str) -> None:
    assert failures(path) == []


@pytest.mark.parametrize("path", ["recency:Recency", "reaper:ReaPER", "uniform:CompiledUniform"])
def test_the_examples_have_every_property(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    assert failures(path) == []


@pytest.mark.parametrize("study", ["recency", "reaper"])
def test_each_study_of_the_examples_is_trained(study: str, tmp_path: Path) -> None:
    small = ["study.factors.rate.levels=[0.001,0.002]", "only=baseline"] if study == "reaper" else []
    conf = EXAMPLES / "conf"
    factor, *_ = yaml.safe_load((conf / f"study/{study}.yaml").read_text())["factors"]
    words = ["--config-dir", str(conf), f"study={study}", "study.seeds=1", "env=cartpole"]
    done = run(
        *words, *SHORT, *small, f"results_dir={tmp_path}", "tracking=disabled", module=WITHOUT_REPORT
    )
    assert done.returncode == 0, done.stderr
    records = [Store(tmp_path).read_record(key) for key in Store(tmp_path).run_keys()]
    own = {path for one in records if one for path in (one.component_fingerprints or {})}
    assert len(own) == 1, (factor, own)
    assert all(one is not None and one.status == "complete" for one in records)
