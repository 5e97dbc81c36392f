"""Hydra imports our plugin into every Hydra program of the environment, which must not notice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ablation.numerics.library_settings import DEFAULTS, library_settings

from .processes import ROOT, python

APP = """
import json, os, pkgutil, sys, threading
before = dict(os.environ)
if sys.argv.pop(1) == "without":
    walk = pkgutil.walk_packages
    def without_ours(*arguments, **named):
        for found in walk(*arguments, **named):
            if not found.name.startswith("hydra_plugins.ablation"):
                yield found
    pkgutil.walk_packages = without_ours

import hydra
from hydra.core.plugins import Plugins

@hydra.main(version_base="1.3", config_path=None)
def app(config):
    import numpy
    from threadpoolctl import threadpool_info
    seconds = Plugins.instance().get_stats().modules_import_time
    print(json.dumps({
        "modules": sorted(sys.modules),
        "environment": dict(set(os.environ.items()) ^ set(before.items())),
        "threads": threading.active_count(),
        "pools": [pool["num_threads"] for pool in threadpool_info()],
        "seconds": sum(s for name, s in seconds.items() if name.startswith("hydra_plugins.ablation")),
    }))

app()
"""


def _run(tmp_path: Path, how: str) -> dict[str, Any]:
    file = tmp_path / "app.py"
    file.write_text(APP)
    environment = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    words = [str(file), how, "hydra.run.dir=.", "hydra.output_subdir=null"]
    printed = python(*words, cwd=tmp_path, variables=environment | {"PYTHONPATH": str(ROOT)})
    result: dict[str, Any] = json.loads(printed)
    return result


def test_an_unrelated_hydra_application_runs_as_without_us(tmp_path: Path) -> None:
    pytest.importorskip("threadpoolctl")
    without, beside = _run(tmp_path, "without"), _run(tmp_path, "with")
    plugin = {"hydra_plugins.ablation", "hydra_plugins.ablation.sweeper"}
    assert set(beside["modules"]) - set(without["modules"]) <= plugin
    assert beside["environment"] == without["environment"]
    assert beside["threads"] == without["threads"]
    assert beside["pools"] == without["pools"]
    assert beside["seconds"] < 0.1


def _printed(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    return python("-c", code, variables=environment)


def test_importing_sets_no_variable() -> None:
    code = (
        "import os, ablation.sweep.supervisor, ablation.training.dqn, analysis.effects.spread\n"
        f"print({set(DEFAULTS)!r} & set(os.environ))"
    )
    assert _printed(code) == "set()\n"


def test_the_command_lines_set_the_variables_before_a_library_reads_them() -> None:
    imported = "import sys; import ablation.__main__; print({'numpy', 'torch'} & set(sys.modules))"
    assert _printed(imported) == "set()\n", "ablation's main() sets them first of all"
    code = (
        "import sys; sys.argv = ['replay-ablation', '--help']\n"
        "import ablation.__main__ as program\n"
        "program.library_settings = lambda: (print('numpy' in sys.modules), {})[1]\n"
        "program.main()"
    )
    assert _printed(code).startswith("False\nusage: ")


def test_what_a_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    monkeypatch.delenv("MKL_CBWR")
    assert library_settings()["OPENBLAS_NUM_THREADS"] == "8"
    assert library_settings()["MKL_CBWR"] == DEFAULTS["MKL_CBWR"]
