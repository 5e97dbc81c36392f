"""The gallery: verdicts, tables and figures of the papers' studies, a page each in `docs/papers/`.

It writes between two comments, `<!-- NAME:begin -->` and `<!-- NAME:end -->`, and each study between
its own two. The rest of a page stays as it is, and so does a study without stored runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ablation.results.load import StudyRuns
from analysis.effects.comparability import ASPECTS
from analysis.effects.study_results import StudyResults
from analysis.expectations.paper_tables import paper_table, stored_studies
from analysis.expectations.papers import Paper, declared_papers
from analysis.figures.draw import StudyFigure, draw_figures, save_figure
from analysis.report.errors import RequestError
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS, leading_table

PREFERRED = ("cliffwalk", "sensitivity", "dose_response", "differences", "curves")
"""Kinds of figures in order of preference: a study's first that is not empty is shown."""


class MissingMarkers(RequestError):
    """A file lacks the comments between which a study's exhibits belong."""


def write_gallery(root: Path | str, project: Path) -> list[Path]:
    """Put every stored study of a paper into the paper's page; return the files that were written."""
    written: list[Path] = []
    for paper in declared_papers():
        page = project / "docs" / "papers" / f"{paper.study}.md"
        sections = {}
        for study in stored_studies(paper, root):
            results = open_results(root, study, None, ASPECTS)
            if results.empty:
                continue
            figures = _figures(paper, results)
            for figure in figures:
                written += save_figure(figure, project / "docs" / "figures", ("png",))
            sections[study] = _section(paper, results, figures)
        if sections:
            text = with_parts(page.read_text(encoding="utf-8"), paper.study, sections, page)
            page.write_text(text, encoding="utf-8")
            written.append(page)
    return written


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


def _section(paper: Paper, results: StudyResults, figures: Sequence[StudyFigure]) -> str:
    """Return a study's section of its paper's page: question, verdicts, ablation table, figures."""
    study = results.runs.plan.study.name
    lines = [f"## Results of `{study}`", "", _cost(results.runs), ""]
    statements = paper_table(paper, study, results.runs.root)
    if statements.rows:
        lines.append(statements.to_markdown())
    lines.append(leading_table(study_tables(results)).to_markdown())
    lines += [f"![{figure.title} ({study})](../figures/{figure.name}.png)\n" for figure in figures]
    return "\n".join(lines)


def _figures(paper: Paper, results: StudyResults) -> list[StudyFigure]:
    """Return a study's figures of the first kind that it has, the paper's own kind before all others."""
    study = results.runs.plan.study.name
    for kind in (*([paper.figure] if paper.figure else []), *PREFERRED):
        figures = list(draw_figures(results, FIGURE_KINDS[kind]))
        if figures:
            return [replace(figure, name=f"{study}-{figure.name}") for figure in figures]
    return []


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
