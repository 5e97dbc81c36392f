"""A study's numbers as LaTeX macros."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ablation.results.load import StudyRuns
from analysis.effects.comparisons import Comparison
from analysis.tables.columns import comparison_columns, provenance_line
from analysis.tables.markup import latex
from analysis.tables.table import is_missing
from analysis.tables.wording import number, p_value_text

NOT_NUMBERS = ("arm", "environment", "cell", "score", "significant", "among_best", "tolerance_method")
OF_ONE_ARM = ("n", "mean", "iqm", "censored", "sd", "tolerance", "failures")
"""What columns begin with that the baseline has, too."""


def to_macros(runs: StudyRuns, comparisons: Sequence[Comparison]) -> str:
    r"""Return a `.tex` file with a macro for every number, so that prose cannot go stale.

    `\replayCapacityOneZeroZeroZeroDifference` is that of `capacity=1000` in study `replay`; with several
    environments, the environment's name follows the study's. Missing numbers read "missing".
    """
    several = len(runs.environments) > 1
    study = macro_name(runs.plan.study.name)
    study = study[:1].lower() + study[1:]
    lines = [f"% {provenance_line(runs)} Written by `replay-ablation report`; do not edit."]
    macros = {
        f"{study}Seeds": str(len(runs.plan.study.seeds)),
        f"{study}Plan": runs.plan.hash,
    }
    for row in comparisons:
        stem = study + (macro_name(row.arm.env_id) if several else "") + macro_name(row.arm.name)
        while f"{stem}N" in macros:
            stem += "Again"
        macros |= {stem + key: text for key, text in _macro_texts(row)}
    lines += [f"\\newcommand{{\\{name}}}{{{latex(text)}}}" for name, text in macros.items()]
    return "\n".join(lines) + "\n"


def macro_name(text: str) -> str:
    """Return a text as letters only: words capitalized, digits and points spelled out."""
    spelled = "".join(f" {_SPELLED[c]} " if c in _SPELLED else c for c in text)
    words = re.findall(r"[A-Za-z]+", spelled)
    return "".join(word[0].upper() + word[1:] for word in words)


_SPELLED = dict(
    zip(
        "0123456789.",
        ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Point"),
        strict=True,
    )
)


def _macro_texts(row: Comparison) -> Iterator[tuple[str, str]]:
    for key, value in comparison_columns(row).items():
        if key in NOT_NUMBERS:
            continue
        if row.difference is None and not key.startswith(OF_ONE_ARM):
            continue
        name = macro_name(key.replace("_estimate", "").replace("_", " "))
        if is_missing(value):
            yield name, "missing"
        elif key.startswith("p_"):
            yield name, p_value_text(value)
        else:
            yield name, str(value) if isinstance(value, int) else number(value)
