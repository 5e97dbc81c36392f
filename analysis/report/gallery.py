"""The papers' studies in README and `docs/papers.md`: tables and figures put there from stored runs.

What it writes lies between two comments, `<!-- NAME:begin -->` and `<!-- NAME:end -->`, each study's
again between its own. The rest is left alone, and so is a study of which no run is stored here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ablation.results.load import StudyRuns
from analysis.effects.comparability import ASPECTS
from analysis.effects.study_results import Results
from analysis.errors import Refused
from analysis.expectations.paper_tables import paper_table, stored
from analysis.expectations.papers import Paper, declared
from analysis.figures import Drawn, draw, write
from analysis.report.report import open_results, tables
from analysis.tables.table import Table
from analysis.tables.writers import to_markdown

GALLERY = "gallery"
KINDS = ("cliffwalk", "sensitivity", "doses", "differences", "curves")
"""Kinds of figures, of which a study's first that can be drawn is shown."""
TERSE = ("IQM", "p (Holm)")
"""Columns that the README does without."""


class NoPlace(Refused):
    """A file lacks the comments between which a result belongs."""


def write_gallery(root: Path | str, project: Path) -> list[Path]:
    """Put every stored study of a paper into `docs/papers.md` and the README; return the files."""
    readme, page = project / "README.md", project / "docs" / "papers.md"
    text, told, shown, written = readme.read_text(), page.read_text(), {}, [readme, page]
    for paper in declared():
        sections = {}
        for study in stored(paper, root):
            results = open_results(root, study, None, ASPECTS)
            if results.empty:
                continue
            figures = list(_figures(results, paper.figure))
            for drawn in figures:
                written += write(_named(drawn, study), project / "docs" / "figures", ("png",))
            sections[study] = _section(paper, results, figures)
            shown[study] = _exhibit(paper, results, figures)
        if sections:
            told = renewed(told, paper.study, sections, page)
    readme.write_text(renewed(text, GALLERY, shown, readme))
    page.write_text(told)
    return written


def renewed(text: str, place: str, parts: Mapping[str, str], path: Path) -> str:
    """Return a text whose place has these parts, by name, and those that it had beside them.

    In the order of the declared papers. Raises `NoPlace` where the text lacks the place's comments.
    """
    begin, end = _comments(place)
    if begin not in text or end not in text:
        raise NoPlace(f"{path} has no place for '{place}': it needs the comments {begin} and {end}")
    before, rest = text.split(begin, 1)
    inside, after = rest.split(end, 1)
    earlier = {match[1]: match[2].strip() for match in _PART.finditer(inside)}
    order = [paper.study for paper in declared()]
    every = sorted((earlier | dict(parts)).items(), key=lambda part: (_rank(part[0], order), part[0]))
    blocks = ["\n".join((_comments(name)[0], body.strip(), _comments(name)[1])) for name, body in every]
    return f"{before}{begin}\n" + ("\n\n".join(blocks) or inside.strip()) + f"\n{end}{after}"


_PART = re.compile(r"<!-- (\S+):begin -->\n(.*?)<!-- \1:end -->", re.DOTALL)


def _comments(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def _rank(study: str, order: Sequence[str]) -> int:
    return max((at for at, name in enumerate(order) if study.startswith(name)), default=len(order))


def without(table: Table, headings: Collection[str]) -> Table:
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


def _section(paper: Paper, results: Results, figures: list[Drawn]) -> str:
    """Return what the documentation shows of a study: tables in full, verdicts, figures."""
    study = results.runs.plan.study.name
    lines = [f"#### Results of `{study}`", "", _cost(results.runs), ""]
    lines.append(to_markdown(_chief(results)))
    judged = paper_table(paper, study, results.runs.root)
    if judged.rows:
        lines.append(to_markdown(judged))
    lines += [_picture(drawn, study, "figures") for drawn in figures]
    return "\n".join(lines)


def _exhibit(paper: Paper, results: Results, figures: list[Drawn]) -> str:
    """Return what the README shows of a study: one table and one figure."""
    study = results.runs.plan.study
    table = _chief(results)
    note = table.notes[0]
    if table.label != "cliffwalk":
        table, note = (
            without(table, TERSE),
            "Mean and difference with 95 % intervals (n: runs); * resolved.",
        )
    terse = replace(table, notes=[note])
    lines = [f"**`{study.name}`** ([{paper.paper}](docs/papers.md#{paper.study})). {study.question}", ""]
    lines.append(to_markdown(terse).split("\n\n", 1)[1])
    lines += [_picture(drawn, study.name, "docs/figures") for drawn in figures[:1]]
    return "\n".join(lines)


def _chief(results: Results) -> Table:
    """Return the table that says most: of the Blind Cliffwalk its medians, of the rest all arms."""
    found = tables(results)
    return found.get("cliffwalk", found["table"])


def _figures(results: Results, preferred: str | None) -> Iterator[Drawn]:
    """Yield a study's figures of the first kind that it has, the paper's own before all others."""
    for kind in (*([preferred] if preferred else []), *KINDS):
        drawn = list(draw(results, kind))
        if drawn:
            yield from drawn
            return


def _named(drawn: Drawn, study: str) -> Drawn:
    return replace(drawn, name=f"{study}-{drawn.name}")


def _picture(drawn: Drawn, study: str, directory: str) -> str:
    return f"![{drawn.title} ({study})]({directory}/{_named(drawn, study).name}.png)\n"


def _cost(runs: StudyRuns) -> str:
    """Return how many runs there are and how long their jobs took, one after the other."""
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
        f"time between the beginning and the end of their jobs is {minutes} altogether."
    )
