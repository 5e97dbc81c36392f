"""The page of a study: one self-contained HTML file with answers, tables, figures and provenance."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ablation.config.identity import flatten
from ablation.results.load import StudyRuns
from ablation.results.outside.data import directory_of
from ablation.results.scores import SCORES
from ablation.store.files import read_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import Store
from ablation.study.plan import Merged
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import draw_figures, save_figure
from analysis.figures.style import INK, PAPER
from analysis.report.errors import FiguresFailed
from analysis.studies.registry import FIGURE_KINDS
from analysis.tables.ablation import ablation_table
from analysis.tables.table import Table
from analysis.tables.wording import answers_by_factor, better_direction, summary

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
        provenance=_provenance(runs),
        command=runs.command,
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
        effects = [effect for effect in results.effects if effect.environment == name]
        sections.append((env_id, summary(rows), answers_by_factor(rows, results.grids[name], effects)))
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
        keys = [key for key in {**base, **own} if own.get(key) != base.get(key)]
        if arm.role != "baseline":
            changes.append(
                (arm.name, arm.env_id, [(key, _value(base, key), _value(own, key)) for key in keys])
            )
    return changes


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


def _provenance(runs: StudyRuns) -> list[tuple[str, str]]:
    """Return where the numbers come from: runs, plan, commits, devices, arithmetic, versions, cost."""
    records = [run.record for run in runs.runs.values() if run.record]
    complete = sum(run.status == "complete" for run in runs.runs.values())
    facts = [("runs", f"{complete} complete of {len(runs.runs)}"), ("plan", runs.plan.hash)]
    facts += _outside_facts(runs)
    for key in ("git_commit", "device", "trained_by", "arithmetic"):
        counts = Counter(getattr(record, key) or "unknown" for record in records)
        text = ", ".join(f"{value} ({n} runs)" for value, n in counts.items())
        facts.append((key.removeprefix("git_").replace("_", " "), text or "none"))
    facts += [("equal numbers", text) for text in _portability(records)]
    if any(record.git_dirty for record in records):
        facts.append(("changed files", "some runs came from code that differs from its commit"))
    versions = {json.dumps(record.versions) for record in records if record.versions}
    facts += [("versions", _versions(text)) for text in sorted(versions)]
    speeds = [record.steps_per_second for record in records if record.steps_per_second is not None]
    memory = [record.peak_rss_bytes for record in records if record.peak_rss_bytes is not None]
    if speeds:
        facts.append(("speed", f"{min(speeds):,.0f} to {max(speeds):,.0f} env steps/s in a job"))
    if memory:
        facts.append(("memory", f"{max(memory) / 1e6:,.0f} MB at most in a process"))
    return facts


def _portability(records: Sequence[RunRecord]) -> list[str]:
    """Return on which machines the same runs have equal numbers, a text for each kind of run."""
    texts = {
        True: "on every x86-64 processor with fused multiply-add",
        False: "on one machine with the same versions only",
    }
    counts = Counter(record.portable for record in records if record.portable is not None)
    return [f"{texts[portable]} ({n} runs)" for portable, n in counts.items()]


def _outside_facts(runs: StudyRuns) -> list[tuple[str, str]]:
    """Return where runs from elsewhere come from; nothing for a study of ours."""
    about = read_json(directory_of(Store(runs.root), runs.plan.study.name) / "import.json")
    if not about or not any(map(runs.is_outside, runs.plan.arms)):
        return []
    files = [f"{file['file']} (sha256 {file['sha256'][:12]})" for file in about["files"]]
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    declared = ", ".join(f"{key} = {json.dumps(value)}" for key, value in about["declared"].items())
    return [
        (
            "trained elsewhere",
            f"imported {about['at']} as {about['format']}: {', '.join(files[:5])}{more}",
        ),
        ("declared at the import", declared),
    ]


def _versions(text: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in json.loads(text).items())
