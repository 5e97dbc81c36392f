"""The gallery: tables and figures of the papers' studies, put into README and `docs/papers.md`.

It writes between two comments, `<!-- NAME:begin -->` and `<!-- NAME:end -->`, and each study between
its own two. The rest of the files stays as it is, and so does a study without stored runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ablation.results.load import StudyRuns
from analysis.effects.comparability import ASPECTS
from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.expectations.paper_tables import paper_table, stored_studies
from analysis.expectations.papers import Paper, declared_papers
from analysis.figures.draw import StudyFigure, draw_figures, save_figure
from analysis.report.errors import RequestError
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS, leading_table
from analysis.tables.table import Table

GALLERY = "gallery"
PREFERRED = ("cliffwalk", "sensitivity", "dose_response", "differences", "curves")
"""Kinds of figures in order of preference: a study's first that is not empty is shown."""
OMITTED = ("IQM", "p (Holm)")
"""Columns of the ablation table that the README leaves out."""


class MissingMarkers(RequestError):
    """A file lacks the comments between which a study's exhibits belong."""


def write_gallery(root: Path | str, project: Path) -> list[Path]:
    """Put every stored study of a paper into `docs/papers.md` and the README; return the files."""
    readme, page = project / "README.md", project / "docs" / "papers.md"
    page_text, written = page.read_text(encoding="utf-8"), [readme, page]
    exhibits: dict[str, str] = {}
    for paper in declared_papers():
        sections = {}
        for study in stored_studies(paper, root):
            results = open_results(root, study, None, ASPECTS)
            if results.empty:
                continue
            figures = _figures(paper, results)
            for figure in figures:
                written += save_figure(figure, project / "docs" / "figures", ("png",))
            sections[study] = _section(paper, results, figures)
            exhibits[study] = _exhibit(paper, results, figures)
        if sections:
            page_text = with_parts(page_text, paper.study, sections, page)
    readme.write_text(
        with_parts(readme.read_text(encoding="utf-8"), GALLERY, exhibits, readme), encoding="utf-8"
    )
    page.write_text(page_text, encoding="utf-8")
    return written


def with_parts(text: str, name: str, parts: Mapping[str, str], path: Path) -> str:
    """Return a text with these parts by study between the comments of `name`, other studies' kept.

    In the order of the declared papers. Raises `MissingMarkers` if the text lacks the comments.
    """
    begin, end = _comments(name)
    if begin not in text or end not in text:
        raise MissingMarkers(f"{path} has no place for '{name}': add the comments {begin} and {end}")
    before, rest = text.split(begin, 1)
    inside, after = rest.split(end, 1)
    earlier = {match[1]: match[2].strip() for match in _PART.finditer(inside)}
    order = [paper.study for paper in declared_papers()]
    merged = sorted((earlier | dict(parts)).items(), key=lambda part: (_rank(part[0], order), part[0]))
    blocks = [_between_comments(study, body) for study, body in merged]
    return f"{before}{begin}\n" + ("\n\n".join(blocks) or inside.strip()) + f"\n{end}{after}"


_PART = re.compile(r"<!-- (\S+):begin -->\n(.*?)<!-- \1:end -->", re.DOTALL)


def _comments(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def _between_comments(name: str, body: str) -> str:
    begin, end = _comments(name)
    return f"{begin}\n{body.strip()}\n{end}"


def _rank(study: str, order: Sequence[str]) -> int:
    return max((at for at, name in enumerate(order) if study.startswith(name)), default=len(order))


def without_columns(table: Table, headings: Collection[str]) -> Table:
    """Return a table without the columns that have these headings."""
    kept = [at for at, heading in enumerate(table.headings) if heading not in headings]
    groups, at = [], 0
    for text, width in table.groups:
        groups.append((text, sum(at <= column < at + width for column in kept)))
        at += width
    return replace(
        table,
        headings=[table.headings[column] for column in kept],
        rows=[[row[column] for column in kept] for row in table.rows],
        groups=groups,
    )


def _section(paper: Paper, results: StudyResults, figures: Sequence[StudyFigure]) -> str:
    """Return a study's section of the documentation: ablation table, verdicts, figures."""
    study = results.runs.plan.study.name
    lines = [f"#### Results of `{study}`", "", _cost(results.runs), ""]
    lines.append(leading_table(study_tables(results)).to_markdown())
    statements = paper_table(paper, study, results.runs.root)
    if statements.rows:
        lines.append(statements.to_markdown())
    lines += [_image(figure, study, "figures") for figure in figures]
    return "\n".join(lines)


def _exhibit(paper: Paper, results: StudyResults, figures: Sequence[StudyFigure]) -> str:
    """Return a study's exhibit in the README: one table and one figure."""
    study = results.runs.plan.study
    tables = study_tables(results)
    table = leading_table(tables)
    note = table.notes[0]
    if table is tables["table"]:
        table = without_columns(table, OMITTED)
        verdicts = verdict_notes((row.difference for row in results.comparisons), study)
        note = "Mean and difference with 95 % intervals (n: runs); *: significant."
        note = " ".join([note, *verdicts])
    short = replace(table, notes=[note])
    lines = [f"**`{study.name}`** ([{paper.paper}](docs/papers.md#{paper.study})). {study.question}", ""]
    lines.append(short.to_markdown().split("\n\n", 1)[1])
    lines += [_image(figure, study.name, "docs/figures") for figure in figures[:1]]
    return "\n".join(lines)


def _figures(paper: Paper, results: StudyResults) -> list[StudyFigure]:
    """Return a study's figures of the first kind that it has, the paper's own kind before all others."""
    study = results.runs.plan.study.name
    for kind in (*([paper.figure] if paper.figure else []), *PREFERRED):
        figures = list(draw_figures(results, FIGURE_KINDS[kind]))
        if figures:
            return [replace(figure, name=f"{study}-{figure.name}") for figure in figures]
    return []


def _image(figure: StudyFigure, study: str, directory: str) -> str:
    return f"![{figure.title} ({study})]({directory}/{figure.name}.png)\n"


def _cost(runs: StudyRuns) -> str:
    """Return a study's question, its size, and the sum of its jobs' wall clock times."""
    # The runs of a job begin and end together.
    spans = {(run.record.started, run.record.ended) for run in runs.runs.values()}
    seconds = [
        (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
        for started, ended in spans
        if started and ended
    ]
    ended = sum(run.rows is not None for run in runs.runs.values())
    minutes = f"{sum(seconds) / 60:.1f} minutes" if seconds else "an unknown time"
    return (
        f"{runs.plan.study.question} {len(runs.plan.arms)} arms, {ended} of {len(runs.runs)} runs; the "
        f"wall clock times of their jobs add up to {minutes}."
    )
