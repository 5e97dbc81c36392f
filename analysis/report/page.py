"""The page of a study: one self-contained HTML file with answers, tables, figures and provenance."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ablation.config.identity import flatten
from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.store.files import read_json
from ablation.study.plan import Merged
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import draw_figures, save_figure
from analysis.figures.style import INK, PAPER
from analysis.report.errors import FiguresFailed
from analysis.report.provenance import provenance
from analysis.studies.registry import FIGURE_KINDS
from analysis.tables.ablation import ablation_table
from analysis.tables.table import Table
from analysis.tables.wording import (
    answers_by_factor,
    arm_conclusion,
    better_direction,
    elsewhere_title,
    summary,
)

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
WANDB_LINK = "wandb.json"
"""In a study's directory: the id and address of its W&B report, once there is one."""
EVERYWHERE = "all"


def write_page(results: StudyResults, tables: dict[str, Table], directory: Path) -> Path:
    """Write a study's figures and its page into a directory; return the page's path.

    Raises `FiguresFailed`, once the page is written, for figures that could not be drawn.
    """
    runs = results.runs
    figures, failed = _figures(results, directory)
    text = _render(
        "report.html",
        plan=runs.plan,
        score=results.score,
        scores={name: SCORES[name] for name in runs.score_names},
        better=better_direction,
        answers=_answers(results),
        choices=_tables_by_choice(results, tables["table"]),
        environments=results.environments,
        everywhere=EVERYWHERE,
        others=[table for name, table in tables.items() if name != "table"],
        figures=figures,
        failed_figures=failed,
        changes=_changes(runs),
        merged=[(entry, _merged_text(entry)) for entry in runs.plan.merged],
        completeness=_completeness(runs),
        errors=_errors(runs),
        mixed=results.mixed,
        left_out=results.left_out + results.not_reproducible,
        provenance=provenance(runs),
        command=runs.command,
        imported=any(map(runs.is_outside, runs.plan.arms)),
        elsewhere=dict.fromkeys(elsewhere_title(runs, a) for a in runs.plan.arms if runs.beside_ours(a)),
        baselines=dict.fromkeys(runs.baseline(name).name for name, _ in results.environments),
        wandb_report=(read_json(directory.parent / WANDB_LINK) or {}).get("url"),
    )
    page = directory / "index.html"
    page.write_text(text, encoding="utf-8")
    if failed:
        raise FiguresFailed(page, failed)
    return page


def write_table_page(title: str, tables: Sequence[Table], directory: Path) -> Path:
    """Write a page of tables alone into a directory; return its path."""
    page = directory / "index.html"
    page.write_text(_render("tables.html", title=title, tables=tables), encoding="utf-8")
    return page


def _render(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        **values,
    )


def _answers(results: StudyResults) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return for each environment its id, a summary and a sentence for each factor."""
    sections = []
    for name, env_id in results.environments:
        rows = results.of_environment(name)
        theirs = [row for row in rows if results.runs.beside_ours(row.arm)]
        rows = [row for row in rows if row not in theirs]
        effects = [effect for effect in results.effects if effect.environment == name]
        answers = answers_by_factor(rows, results.grids[name], effects)
        if theirs:
            texts = "; ".join(f"{row.arm.name} {arm_conclusion(row)}" for row in theirs)
            answers.append((elsewhere_title(results.runs, theirs[0].arm), f"{texts}."))
        sections.append((env_id, summary(rows), answers))
    return sections


def _tables_by_choice(results: StudyResults, primary: Table) -> list[tuple[str, str, Table]]:
    """Return score, environment and table of every choice, the one that is shown at first first."""
    tables = [(results.score, EVERYWHERE, primary)]
    for score in results.runs.score_names:
        same = score == results.score
        own = results if same else StudyResults(results.runs, score, results.mixed)
        if not same:
            tables.append((score, EVERYWHERE, ablation_table(own)))
        if len(own.environments) > 1:
            tables += [
                (score, name, ablation_table(own, environments=[name])) for name, _ in own.environments
            ]
    return tables


def _figures(results: StudyResults, directory: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Draw and save every figure; return name, title, description and inline SVG of each.

    And a line for each kind that failed, with the figures of it that could not be drawn.
    """
    shown, failed = [], []
    for kind in FIGURE_KINDS.values():
        try:
            for figure in draw_figures(results, kind):
                svg = save_figure(figure, directory)[0].read_text(encoding="utf-8")
                picture = inline_svg(svg, figure.name, figure.title)
                texts = {"name": figure.name, "title": figure.title, "description": figure.description}
                shown.append(texts | {"svg": picture})
        except Exception as error:
            log.debug("Figure %s failed.", kind.name, exc_info=True)
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            failed.append(f"{kind.title} could not be drawn: {type(error).__name__}: {reason}")
    return shown, failed


def inline_svg(svg: str, name: str, title: str) -> Markup:
    """Return a figure as an element of the page: in the page's colors, with unique ids and a label."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    body = body.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    tag, rest = body[: body.index(">")], body[body.index(">") :]
    size = re.search(r'\bwidth="([\d.]+)pt"', tag)
    tag = re.sub(r'\s(width|height)="[\d.]+pt"', "", tag).removeprefix("<svg")
    # A point is 4/3 CSS pixels.
    width = float(size[1]) * 4 / 3 if size else 600.0
    label = Markup.escape(title)
    return Markup(f'<svg role="img" aria-label="{label}" style="width:{width:.0f}px"{tag}{rest}')


def _changes(runs: StudyRuns) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return each arm with the keys in which it differs from the baseline: key, before, after."""
    changes = []
    for arm in runs.plan.arms:
        baseline = runs.baseline(arm.environment)
        own = flatten(runs.plan.cells.get(arm.cell, {}))
        base = flatten(runs.plan.cells.get(baseline.cell, {}))
        if runs.is_outside(arm):
            # Levels are all that is known of runs from elsewhere.
            own, base = (_levels(flat) for flat in (own, base))
        keys = [key for key in {**base, **own} if own.get(key) != base.get(key)]
        if arm.role != "baseline":
            changes.append(
                (arm.name, arm.env_id, [(key, _value(base, key), _value(own, key)) for key in keys])
            )
    return changes


def _levels(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the levels of an arm from elsewhere by factor, nothing of one of ours."""
    prefix = "outside.levels."
    return {key.removeprefix(prefix): flat[key] for key in flat if key.startswith(prefix)}


def _merged_text(entry: Merged) -> str:
    """Return why a combination was merged; a constraint's reason says more than the equality."""
    text = f"identical configuration (merged into {entry.into})"
    # The plan words the equality itself; its words are part of its hash and stay as they are.
    return text if entry.reason.startswith("trains exactly") else f"{text}: {entry.reason}"


def _value(flat: dict[str, Any], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "not used"


def _completeness(runs: StudyRuns) -> list[tuple[str, str, str, dict[str, int]]]:
    """Return each arm's name, environment id, configuration and number of runs by status."""
    return [(arm.name, arm.env_id, arm.cell, runs.statuses(arm)) for arm in runs.plan.arms]


def _errors(runs: StudyRuns) -> list[str]:
    """Return a line for each run whose record has an error."""
    errors = {key: (run.record.error or "").strip() for key, run in runs.runs.items()}
    return [
        f"{key.cell} seed {key.seed}, {runs.runs[key].status}: {error.splitlines()[-1]}"
        for key, error in errors.items()
        if error
    ]
