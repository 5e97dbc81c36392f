"""The one list of tables and figures of special studies, and of all kinds of figures there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analysis.effects.study_results import StudyResults
from analysis.figures.draw import FigureKind, each_environment, whole_study
from analysis.figures.standard import STANDARD_FIGURES
from analysis.studies.article import article_table
from analysis.studies.article_figure import training_outputs
from analysis.studies.cliffwalk import cliffwalk_table
from analysis.studies.cliffwalk_figure import updates_by_transitions
from analysis.studies.streams import streams_table
from analysis.studies.streams_figure import measure_by_group, running_loss
from analysis.tables.table import Table


@dataclass(frozen=True)
class StudyExtra:
    """What studies of one kind have beside the standard tables and figures.

    `name` is that of the table, on the command line and of its files. `table` returns None for studies
    of another kind, as the figure does; `leads`: summaries show no ablation table
    beside it.
    """

    name: str
    figure: FigureKind
    table: Callable[[StudyResults], Table | None] = lambda _: None
    leads: bool = False


STUDY_EXTRAS = (
    StudyExtra(
        "article",
        FigureKind("training", "The article's outputs: reward and loss", whole_study(training_outputs)),
        article_table,
    ),
    StudyExtra(
        "cliffwalk",
        FigureKind(
            "cliffwalk", "Updates until the values are correct", whole_study(updates_by_transitions)
        ),
        cliffwalk_table,
        leads=True,
    ),
    StudyExtra(
        "streams",
        FigureKind("groups", "What is kept of each group", each_environment(measure_by_group)),
        streams_table,
    ),
    StudyExtra("running", FigureKind("running", "Loss before learning", each_environment(running_loss))),
)

FIGURE_KINDS: Mapping[str, FigureKind] = {
    kind.name: kind for kind in (*(extra.figure for extra in STUDY_EXTRAS), *STANDARD_FIGURES)
}
"""Every kind of figure by name, in the order of the page."""


def extra_tables(results: StudyResults) -> dict[str, Table]:
    """Return the special tables of a study by name."""
    tables = {extra.name: extra.table(results) for extra in STUDY_EXTRAS}
    return {name: table for name, table in tables.items() if table is not None}


def shown_tables(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables that summaries show, of all tables of a study: the ablation table, unless
    another leads, and the study's special ones.
    """
    special = [extra for extra in STUDY_EXTRAS if extra.name in tables]
    first = [] if any(extra.leads for extra in special) else ["table"]
    return {name: tables[name] for name in (*first, *(extra.name for extra in special))}
