"""From stored runs to scores, statistics, tables, figures and a page.

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
