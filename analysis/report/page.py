"""The page of a study: one self-contained HTML file with answers, tables, figures and provenance."""

from __future__ import annotations

import base64
import gzip
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ablation.results.scores import SCORES
from ablation.store.files import read_json
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import FigureKind, draw_figures, render, save_figure, whole_study
from analysis.figures.effects import forest_plot
from analysis.report.errors import FiguresFailed
from analysis.report.inline_svg import inline_svg
from analysis.report.provenance import provenance
from analysis.report.run_lists import changes, completeness, errors, merged_text
from analysis.studies.registry import FIGURE_KINDS
from analysis.tables.answers import answers_by_factor, arm_conclusion
from analysis.tables.table import Table
from analysis.tables.wording import (
    better_direction,
    elsewhere_title,
    summary,
)

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
WANDB_LINK = "wandb.json"
"""In a study's directory: the id and address of its W&B report, once there is one."""
FIRST = "differences"
"""The kind of figure that the page begins with, for every score."""
TITLES = {
    "table": "Summary",
    "comparisons": "Comparisons",
    "aggregates": "Normalized",
    "diagnostics": "Diagnostics",
}
"""Titles of the first tabs, by kind of table; others are called as their kind."""
TABS_OF_A_SCORE = ("table", "comparisons", "aggregates")
"""Kinds of tables that the page has for every score."""
ScoreTables = tuple[StudyResults, dict[str, Table]]


@dataclass(frozen=True)
class ScoreView:
    """What the page shows of one score: verdicts by environment, forest plot, and tables by kind."""

    score: str
    verdicts: list[tuple[str, str]]
    figure: dict[str, Any] | None
    tables: dict[str, Table]


def write_page(
    results: StudyResults, tables: dict[str, Table], others: Mapping[str, ScoreTables], directory: Path
) -> Path:
    """Write a study's figures and its page into a directory; return the page's path.

    `others` are the results and tables of the scores that are not shown at first. Raises
    `FiguresFailed`, once the page is written, for figures that could not be drawn.
    """
    runs, failed = results.runs, list[str]()
    kinds = [kind for name, kind in FIGURE_KINDS.items() if name != FIRST]
    following = {kind: table for kind, table in tables.items() if kind in TABS_OF_A_SCORE}
    views = [_view(results, following, failed, directory)]
    views += [_view(*other, failed) for other in others.values()]
    figures = [figure for kind in kinds for figure in _figures(results, kind, failed, directory)]
    text = _render(
        "report.html",
        plan=runs.plan,
        score=results.score,
        scores={name: SCORES[name] for name in runs.score_names},
        better=better_direction,
        views=views,
        tabs=_tabs(tables),
        tables=tables,
        following=TABS_OF_A_SCORE,
        answers=_answers(results),
        environments=results.environments,
        figures=[figure for figure in figures if not figure["details"]],
        more_figures=[figure for figure in figures if figure["details"]],
        failed_figures=dict.fromkeys(failed),
        changes=changes(runs),
        merged=[(entry, merged_text(entry)) for entry in runs.plan.merged],
        completeness=completeness(runs),
        errors=errors(runs),
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
        raise FiguresFailed(page, list(dict.fromkeys(failed)))
    return page


def _view(
    results: StudyResults,
    tables: dict[str, Table],
    failed: list[str],
    directory: Path | None = None,
) -> ScoreView:
    """Return what the page shows of a score; with a directory its figure is saved and has every run."""
    verdicts = [
        (env_id, summary([row for row in rows if not results.runs.beside_ours(row.arm)]))
        for name, env_id in results.environments
        if (rows := results.of_environment(name))
    ]
    seeds = directory is not None
    wide = next(_figures(results, _forest(False, seeds), failed, directory), None)
    narrow = next(_figures(results, _forest(True, seeds), failed), None)
    figure = None if wide is None or narrow is None else wide | {"narrow": narrow["svg"]}
    return ScoreView(results.score, verdicts, figure, tables)


def _forest(narrow: bool, seeds: bool) -> FigureKind:
    draw = whole_study(partial(forest_plot, narrow=narrow, seeds=seeds))
    return FigureKind(f"{FIRST}-narrow" if narrow else FIRST, FIGURE_KINDS[FIRST].title, draw)


def _tabs(tables: dict[str, Table]) -> dict[str, list[str]]:
    """Return the kinds of tables by the title of their tab, in the order of the tabs."""
    tabs: dict[str, list[str]] = {title: [] for title in TITLES.values()}
    for kind in tables:
        name = kind.split("-")[0]
        tabs.setdefault(TITLES.get(name, name.capitalize()), []).append(kind)
    return {title: kinds for title, kinds in tabs.items() if kinds}


def write_table_page(title: str, tables: Sequence[Table], directory: Path) -> Path:
    """Write a page of tables alone into a directory; return its path."""
    page = directory / "index.html"
    page.write_text(_render("tables.html", title=title, tables=tables), encoding="utf-8")
    return page


def _render(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"breakable": _breakable, "of_score": _of_score, "packed": _packed}
    return environment.get_template(template).render(
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        **values,
    )


def _breakable(text: str) -> Markup:
    """Return a text whose lines may end after `=` and `_`, as names of arms on a phone have to."""
    return Markup(re.sub(r"([=_])", r"\1<wbr>", str(Markup.escape(text))))


def _of_score(html: str, score: str, shown: bool) -> Markup:
    """Return a part of the page that is seen with one score alone; compressed unless it is at first."""
    if shown:
        return Markup(f'<div data-score="{score}">{html}</div>')
    return Markup(f'<div data-score="{score}" data-packed="{_packed(html)}" hidden></div>')


def _packed(html: str) -> str:
    """Return a part of the page compressed, for its script to put in place when it is asked for."""
    return base64.b64encode(gzip.compress(html.encode(), mtime=0)).decode()


def _answers(results: StudyResults) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return for each environment its id and a sentence for each factor."""
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
        sections.append((env_id, answers))
    return sections


def _figures(
    results: StudyResults, kind: FigureKind, failed: list[str], directory: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Yield name, title, description and inline SVG of each figure of a kind, saved in a directory.

    One that fails adds a line to `failed` and ends the kind.
    """
    try:
        for figure in draw_figures(results, kind):
            if directory is None:
                svg = render(figure, ["svg"])["svg"]
            else:
                svg = save_figure(figure, directory)[0].read_bytes()
            picture = inline_svg(svg.decode(), f"{figure.name}-{results.score}", figure.title)
            texts = {"name": figure.name, "title": figure.title, "description": figure.description}
            texts |= {"kind": kind.name, "svg": picture, "narrow": ""}
            yield texts | {"details": kind.details, "single_runs": kind.single_runs}
    except Exception as error:
        log.debug("Figure %s failed.", kind.name, exc_info=True)
        reason = (str(error).strip().splitlines() or ["no message"])[0]
        failed.append(f"{kind.title} could not be drawn: {type(error).__name__}: {reason}")
