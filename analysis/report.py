"""The page of a study: one self-contained file with its table, figures and completeness."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jinja2

from ablation.identity import flatten
from ablation.store import Store, read_json
from analysis.comparisons import Comparison, compare
from analysis.figures import draw_figures, write_figures
from analysis.load import StudyRuns, load
from analysis.scores import DESCRIPTIONS
from analysis.tables import ablation_table, interval_text, p_text, to_terminal, write_tables

TEMPLATES = Path(__file__).parent / "templates"
WANDB_LINK = "wandb.json"
"""In a study's directory: the id and address of its W&B report, once there is one."""


def write_report(root: Path | str, study: str, score: str | None = None) -> Path:
    """Print a study's table and write it, its figures and its page; return the page's path."""
    runs = load(study, root)
    score = score or runs.plan.study.primary_score
    comparisons = compare(runs, score)
    directory = Store(root).study_directory(study) / "report"
    directory.mkdir(parents=True, exist_ok=True)
    table = ablation_table(runs, comparisons, score)
    write_tables(table, directory)
    to_terminal(table)
    figures = draw_figures(runs, comparisons, score)
    write_figures(figures, directory)
    page = directory / "index.html"
    page.write_text(_render(runs, comparisons, score, table.notes, directory, list(figures)))
    return page


def answer(comparison: Comparison) -> str:
    """Return one sentence on an arm: its effect with interval and n, and whether it is resolved."""
    difference = comparison.difference
    if difference is None or difference.n == 0:
        return f"{comparison.arm.name}: no runs to compare."
    verdict = "not resolved from the baseline"
    if comparison.resolved:
        verdict = f"{'higher' if difference.estimate > 0 else 'lower'} than the baseline"
    effect = interval_text(difference, signed=True)
    p_value = p_text(comparison.p_value)
    p_value = p_value if p_value.startswith("<") else f"= {p_value}"
    return f"{comparison.arm.name}: {verdict}: {effect}, n = {difference.n}, p {p_value}."


def _render(
    runs: StudyRuns,
    comparisons: list[Comparison],
    score: str,
    notes: list[str],
    directory: Path,
    figures: list[str],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    plan = runs.plan
    return environment.get_template("report.html").render(
        plan=plan,
        score=score,
        description=DESCRIPTIONS[score],
        several_environments=len({arm.environment for arm in plan.arms}) > 1,
        rows=[_row(comparison) for comparison in comparisons],
        answers=[answer(row) for row in comparisons if row.arm.role != "baseline"],
        figures=[(name, _alternative(name, comparisons), _inline(directory, name)) for name in figures],
        changes=_changes(runs),
        notes=notes,
        facts=_facts(runs),
        command=runs.command,
        wandb_report=(read_json(directory.parent / WANDB_LINK) or {}).get("url"),
    )


def _row(comparison: Comparison) -> dict[str, Any]:
    difference = comparison.difference
    counts = ", ".join(f"{n} {status}" for status, n in comparison.statuses.items())
    return {
        "name": comparison.arm.name,
        "environment": comparison.arm.env_id,
        "n": comparison.mean.n,
        "mean": interval_text(comparison.mean),
        "iqm": interval_text(comparison.interquartile_mean),
        "difference": "" if difference is None else interval_text(difference, signed=True),
        "p": p_text(comparison.p_value),
        "resolved": comparison.resolved,
        "statuses": counts,
        "cell": comparison.arm.cell,
    }


def _changes(runs: StudyRuns) -> list[tuple[str, str]]:
    """Return, for each arm, the keys in which its configuration differs from the baseline's."""
    changes = []
    baselines = {arm.environment: arm for arm in runs.plan.arms if arm.role == "baseline"}
    for arm in runs.plan.arms:
        own = flatten(runs.plan.cells[arm.cell])
        base = flatten(runs.plan.cells[baselines[arm.environment].cell])
        keys = [key for key in {**base, **own} if own.get(key) != base.get(key)]
        text = "; ".join(f"{key}: {_value(base, key)} → {_value(own, key)}" for key in keys)
        if arm.role != "baseline":
            changes.append((f"{arm.name} ({arm.env_id})", text))
    return changes


def _value(flat: dict[str, Any], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "not used"


def _facts(runs: StudyRuns) -> list[tuple[str, str]]:
    records = [run.record for run in runs.runs.values() if run.record]
    complete = sum(run.status == "complete" for run in runs.runs.values())
    facts = [("runs", f"{complete} complete of {len(runs.runs)}"), ("plan", runs.plan.hash)]
    for name in ("git_commit", "device"):
        found = sorted({str(record.get(name)) for record in records})
        facts.append((name.replace("git_", ""), ", ".join(found) or "none"))
    versions = sorted({json.dumps(record.get("versions", {})) for record in records})
    for text in versions:
        facts.append(("versions", ", ".join(f"{k} {v}" for k, v in json.loads(text).items())))
    return facts


def _alternative(name: str, comparisons: list[Comparison]) -> str:
    if name == "differences":
        return "Forest plot. " + " ".join(answer(row) for row in comparisons if row.difference)
    return "Learning curves: mean greedy evaluation return against environment steps, 95 % bands."


def _inline(directory: Path, name: str) -> str:
    data = base64.b64encode((directory / f"{name}.svg").read_bytes()).decode()
    return f"data:image/svg+xml;base64,{data}"
