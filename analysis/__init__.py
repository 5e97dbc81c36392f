"""Tables, figures and statistics of stored runs: for commands, and for users by `replay_ablation`.

In: a results directory. Out: tables, figures, pages and W&B reports. Its packages in order, each
importing only those before it: `statistics` (functions of arrays), `effects` (numbers of a study),
`tables` (and wording), `figures`, `studies` (their special exhibits), `expectations` (claims, papers),
`report` (files), `notebook` (a `Study`), `wandb`, `commands`. Imports
`ablation.results`, `study`, `store`, `config` and `tracking`; no PyTorch, Gymnasium or Hydra.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from analysis import statistics
    from analysis.notebook.study import Study

__all__ = ["Study", "from_frame", "load", "statistics"]


def load(study: str, root: Path | str | None = None, *, allow: Collection[str] = ()) -> Study:
    """Return a study with all of its runs.

    `root` is the results directory, None for that of the project in this directory or above it; `allow`
    names in what compared runs may differ (`environment`, `budget`, `score`, `device`, `commit`). Raises
    `StudyNotFound` with the known names.
    """
    from ablation.results import load as loading
    from analysis.notebook.study import Study

    return Study(loading.load(study, _results(root)), allow)


def from_frame(
    frame: pd.DataFrame,
    *,
    study: str = "frame",
    baseline: str | Mapping[str, str] | None = None,
    beside: str | None = None,
    root: Path | str | None = None,
    allow: Collection[str] = (),
    **declared: Any,
) -> Study:
    """Return a study of runs that were trained elsewhere, from a tidy frame; nothing is stored.

    The frame has a row per run and step, or per run: arm (or `factors=("a", "b")`), seed, environment,
    step, return; `columns={"arm": "algo"}` names others, `environment="CartPole-v1"` and `arm=` what it
    does not say. `beside` shows the runs beside a stored study of ours. `declared` are the other fields
    of `ablation.results.outside.request.Request`; raises its `ImportRefused` in one line.
    """
    from ablation.results.load import read
    from ablation.results.outside.importing import import_frame, plan_beside
    from ablation.results.outside.request import ImportRefused, Request
    from ablation.store.runs import Store
    from analysis.notebook.study import Study

    store = Store(_results(root))
    try:
        request = Request(study, baseline=baseline, **declared)
        imported = import_frame(frame, request, plan_beside(store, beside) if beside else None)
    except ImportRefused as error:
        raise error.in_python() from None
    return Study(read(imported.plan, store, outside=imported.data), allow, "from a frame, not stored")


def _results(root: Path | str | None) -> Path | str:
    """Return a results directory, by default the project's, whose modules can be imported then."""
    from ablation.config.project import project_of
    from ablation.results.load import RESULTS

    project, _ = project_of([])
    project.make_importable()
    return project.root / RESULTS if root is None else root


def __getattr__(name: str) -> Any:
    # Not on import: a program sets what NumPy reads before NumPy is loaded.
    if name == "Study":
        return importlib.import_module("analysis.notebook.study").Study
    if name == "statistics":
        return importlib.import_module("analysis.statistics")
    raise AttributeError(f"module 'analysis' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
