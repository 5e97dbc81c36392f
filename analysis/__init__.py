"""From stored runs to statistics, tables, figures and a page: `python -m analysis`.

In: a results directory. Out: what a study's runs allow to conclude, as tables, figures, pages and W&B
reports. Its packages in order, each importing only those before it: `statistics` (functions of arrays),
`effects` (numbers of a study), `tables` (and wording), `figures`, `studies` (their special exhibits),
`expectations` (claims, papers), `report` (files), `wandb`, `commands`. Imports `ablation.results`,
`study`, `store`, `config` and `tracking`; no PyTorch, Gymnasium or Hydra.

`analysis.load("replay")` returns a study's runs; its `scores_frame()`, `evaluations_frame()` and
`episodes_frame()` are tidy tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ablation.results.load import StudyRuns


def load(study: str, root: Path | str = "results") -> StudyRuns:
    """Return a study with all of its runs; raises `StudyNotFound` with the known names."""
    # Not on import: a program sets what NumPy reads before NumPy is loaded.
    from ablation.results import load as loading

    return loading.load(study, root)


def from_frame(
    frame: pd.DataFrame,
    *,
    study: str = "frame",
    baseline: str | Mapping[str, str] | None = None,
    beside: str | None = None,
    root: Path | str = "results",
    **declared: Any,
) -> StudyRuns:
    """Return a study of runs that were trained elsewhere, from a tidy frame; nothing is stored.

    The frame has a row per run and step, or per run: arm (or `factors=("a", "b")`), seed, environment,
    step, return; `columns={"arm": "algo"}` names others, `environment="CartPole-v1"` and `arm=` what it
    does not say. `beside` shows the runs beside a stored study of ours. `declared` are the other fields
    of `ablation.results.outside.request.Request`; raises its `ImportRefused` in one line.
    """
    from ablation.results.load import read
    from ablation.results.outside.importing import import_frame, plan_beside
    from ablation.results.outside.request import Request
    from ablation.store.runs import Store

    store = Store(root)
    request = Request(study, baseline=baseline, **declared)
    imported = import_frame(frame, request, plan_beside(store, beside) if beside else None)
    return read(imported.plan, store, outside=imported.data)
