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

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.results.load import StudyRuns


def load(study: str, root: Path | str = "results") -> StudyRuns:
    """Return a study with all of its runs; raises `StudyNotFound` with the known names."""
    # Not on import: a program sets what NumPy reads before NumPy is loaded.
    from ablation.results import load as loading

    return loading.load(study, root)
