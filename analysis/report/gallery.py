"""The gallery: verdicts, tables and figures of stored studies, put into the pages of `docs/`.

It writes between two comments, `<!-- NAME:begin -->` and `<!-- NAME:end -->`: all sizes of a paper's
study on the paper's page, any other study wherever its comments are, `claims-table` for the verdicts on
the claims. `<!-- NAME:begin figures: differences, curves -->` says which kinds of figures go there. The
rest of a page stays as it is, and so does a study without stored runs. The numbers behind each table are
written to `docs/results/`, with which a test compares what the pages say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ablation.results.load import StudyRuns
from ablation.store.runs import Store
from analysis.effects.comparability import ASPECTS
from analysis.effects.study_results import StudyResults
from analysis.expectations.claims import claims_table, declared_claims, evaluate_claims
from analysis.expectations.paper_tables import paper_table, stored_studies
from analysis.expectations.papers import declared_papers
from analysis.expectations.verdicts import NOT_RUN
from analysis.figures.draw import StudyFigure, draw_figures, save_figure
from analysis.report.checklist import job_hours
from analysis.report.errors import RequestError
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS, shown_tables
from analysis.tables.table import Table

CLAIMS = "claims-table"
PREFERRED = ("cliffwalk", "sensitivity", "dose_response", "differences", "curves")
"""Kinds of figures in order of preference: a study's first that is not empty is shown."""


class MissingMarkers(RequestError):
    """A file lacks the comments between which a study's exhibits belong."""


def write_gallery(root: Path | str, project: Path) -> list[Path]:
    """Put stored studies into the pages that have a place for them; return the files that it wrote."""
    docs = project / "docs"
    written: list[Path] = []
    for paper in declared_papers():
        page = docs / "papers" / f"{paper.study}.md"
        sections = {}
        for study in stored_studies(paper, root):
            results = open_results(root, study, None, ASPECTS)
            if not results.empty:
                statements = paper_table(paper, study, results.runs.root)
                figures = _first_figures(results, *([paper.figure] if paper.figure else []), *PREFERRED)
                written += _write_exhibits(docs, results, figures)
                if statements.rows:
                    written.append(_write_numbers(docs, f"{study}-statements", statements))
                sections[study] = _section(results, figures, "../figures", statements)
        if sections:
            text = with_parts(page.read_text(encoding="utf-8"), paper.study, sections, page)
            page.write_text(text, encoding="utf-8")
            written.append(page)
    for page in sorted(docs.glob("*.md")):
        written += _fill(page, root, docs)
    return written


def _fill(page: Path, root: Path | str, docs: Path) -> list[Path]:
    """Put stored studies into a page between their comments; return the files that were written."""
    written: list[Path] = []

    def body(match: re.Match[str]) -> str:
        begin, study, kinds, end = match.groups()
        if study == CLAIMS:
            evaluated = evaluate_claims(declared_claims(), root)
            if all(row.verdict == NOT_RUN for _, row in evaluated):
                return match[0]
            table = claims_table(evaluated)
            written.append(_write_numbers(docs, "claims", table))
            return f"{begin}\n{table.to_markdown().strip()}\n{end}"
        if not (Store(root).study_directory(study) / "plan.json").exists():
            return match[0]
        results = open_results(root, study, None, ASPECTS)
        figures = [
            figure
            for kind in _words(kinds) or PREFERRED[-2:]
            for figure in _first_figures(results, kind)
        ]
        written.extend(_write_exhibits(docs, results, figures))
        return f"{begin}\n{_section(results, figures, 'figures').strip()}\n{end}"

    text = page.read_text(encoding="utf-8")
    filled = _PLACE.sub(body, text)
    if filled != text:
        page.write_text(filled, encoding="utf-8")
        written.append(page)
    return written


_PLACE = re.compile(
    r"(<!-- (\S+):begin(?: figures: ([a-z_, ]+?))? -->)\n.*?(<!-- \2:end -->)", re.DOTALL
)


def _words(kinds: str | None) -> list[str]:
    return [kind.strip() for kind in (kinds or "").split(",") if kind.strip()]


def _write_exhibits(docs: Path, results: StudyResults, figures: Sequence[StudyFigure]) -> list[Path]:
    """Write a study's figures, and the numbers of its table; return the files."""
    study, tables = results.runs.plan.study.name, shown_tables(study_tables(results))
    return [
        *(
            _write_numbers(docs, study if name == "table" else f"{study}-{name}", table)
            for name, table in tables.items()
        ),
        *(path for figure in figures for path in save_figure(figure, docs / "figures", ("png",))),
    ]


def _write_numbers(docs: Path, name: str, table: Table) -> Path:
    """Write a table's numbers for the test that compares the pages with them; return the file."""
    numbers = docs / "results" / f"{name}.csv"
    numbers.parent.mkdir(exist_ok=True)
    numbers.write_text(table.to_csv(), encoding="utf-8")
    return numbers


def with_parts(text: str, name: str, parts: Mapping[str, str], path: Path) -> str:
    """Return a text with these parts by study between the comments of `name`, other studies' kept.

    In the order of their names. Raises `MissingMarkers` if the text lacks the comments.
    """
    begin, end = _comments(name)
    if begin not in text or end not in text:
        raise MissingMarkers(f"{path} has no place for '{name}': add the comments {begin} and {end}")
    before, rest = text.split(begin, 1)
    inside, after = rest.split(end, 1)
    earlier = {match[1]: match[2].strip() for match in _PART.finditer(inside)}
    blocks = [_between_comments(study, body) for study, body in sorted((earlier | dict(parts)).items())]
    return f"{before}{begin}\n" + ("\n\n".join(blocks) or inside.strip()) + f"\n{end}{after}"


_PART = re.compile(r"<!-- (\S+):begin -->\n(.*?)<!-- \1:end -->", re.DOTALL)


def _comments(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def _between_comments(name: str, body: str) -> str:
    begin, end = _comments(name)
    return f"{begin}\n{body.strip()}\n{end}"


def _section(
    results: StudyResults,
    figures: Sequence[StudyFigure],
    to_figures: str,
    statements: Table | None = None,
) -> str:
    """Return a study's section of a page: question, verdicts, ablation table, figures."""
    study = results.runs.plan.study.name
    lines = [f"## Results of `{study}`", "", _cost(results.runs), ""]
    if statements is not None and statements.rows:
        lines.append(statements.to_markdown())
    lines += [table.to_markdown() for table in shown_tables(study_tables(results)).values()]
    lines += [f"![{figure.title} ({study})]({to_figures}/{figure.name}.png)\n" for figure in figures]
    return "\n".join(lines)


def _first_figures(results: StudyResults, *kinds: str) -> list[StudyFigure]:
    """Return a study's figures of the first of some kinds that it has."""
    study = results.runs.plan.study.name
    for kind in kinds:
        if figures := list(draw_figures(results, FIGURE_KINDS[kind])):
            return [replace(figure, name=f"{study}-{figure.name}") for figure in figures]
    return []


def _cost(runs: StudyRuns) -> str:
    """Return a study's question, its size, and the sum of its jobs' wall clock times."""
    hours = job_hours(run.record for run in runs.runs.values())
    ended = sum(run.rows is not None for run in runs.runs.values())
    minutes = f"{60 * hours:.1f} minutes" if hours else "an unknown time"
    return (
        f"{runs.plan.study.question} {len(runs.plan.arms)} arms, {ended} of {len(runs.runs)} runs; the "
        f"wall clock times of their jobs add up to {minutes}."
    )
