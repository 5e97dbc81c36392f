"""From stored runs to scores, statistics, tables, figures and a page.

`ablation.results.load("replay")` returns a study's runs; its `scores_frame()`, `evaluations_frame()` and
`episodes_frame()` are tidy tables.
"""

from ablation.results.load import load

__all__ = ["load"]
