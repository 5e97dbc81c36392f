"""The ablation table of a study: arms, or their components as check marks, by environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.study.plan import BASELINE, CONTROL, Arm
from analysis.effects.comparability import Mixed
from analysis.effects.comparisons import Comparison
from analysis.effects.design_grid import ABSENT, design_grid
from analysis.expectations.papers import published_beside
from analysis.tables.table import Cell, Footnotes, Table, footer, numbers, plain
from analysis.tables.wording import interval_text, p_text, shortfalls, what_is_missing

CHECK, CROSS = "✓", "–"
AT_LEAST = "≥ "
Layout = Literal["auto", "arms", "components"]


def ablation_table(
    runs: StudyRuns,
    comparisons: Sequence[Comparison],
    layout: Layout = "auto",
    mixed: Mixed | None = None,
    environments: Sequence[str] | None = None,
) -> Table:
    """Return the table of a study: arms (or their components as check marks) by environments.

    `comparisons` are those of the chosen environments, all of them if None.
    """
    score = comparisons[0].score if comparisons else runs.plan.study.primary_score
    environments = environments or runs.environments
    several = len(environments) > 1
    footnotes = Footnotes()
    by_name: dict[str, dict[str, Comparison]] = {}
    for row in comparisons:
        by_name.setdefault(row.arm.name, {})[row.arm.environment] = row
    components = layout == "components" or (layout == "auto" and _components(runs))
    leading, name_cells = _leading(runs, components, footnotes)
    estimates = ["share" if SCORES[score].unit == "share" else "mean"]
    columns = [f"{estimates[0]} (n)", *([] if several or _share(score) else ["IQM"])]
    columns += ["difference from baseline", "p (Holm)"]
    beside = _Beside(runs, score)
    rows = []
    for name, found in by_name.items():
        cells = [
            cell
            for environment in environments
            for cell in [
                *beside.before(environment, name, footnotes),
                *_cells(found.get(environment), columns, footnotes),
                *beside.after(environment, name, footnotes),
            ]
        ]
        rows.append([*name_cells[name], *cells])
    groups = [("", len(leading))]
    columns = [*beside.headings_before, *columns, *beside.headings_after]
    groups += [(runs.arms(environment)[0].env_id, len(columns)) for environment in environments]
    description = SCORES[score].description
    return Table(
        f"Study {runs.plan.study.name}: {description}; estimate [95 % interval]",
        [*leading, *columns * len(environments)],
        rows,
        groups if several else [],
        len(leading),
        footnotes.texts(),
        _notes(runs, comparisons, score, mixed or {}),
        [numbers(row) | beside.values(row.arm) for row in comparisons],
    )


class _Beside:
    """What stands on both sides of an arm's scores: the level that it chose, and published numbers."""

    def __init__(self, runs: StudyRuns, score: str) -> None:
        self._chosen = {(choice.environment, choice.arm): choice for choice in runs.plan.choices}
        # A published number is of the score that the study calls its primary one.
        primary = score == runs.plan.study.primary_score
        self._published = published_beside(runs) if primary else {}
        self.headings_before = list(dict.fromkeys(x.factor for x in runs.plan.choices))
        self.headings_after = ["published"] if self._published else []

    def before(self, environment: str, arm: str, footnotes: Footnotes) -> list[Cell]:
        if not self.headings_before:
            return []
        choice = self._chosen.get((environment, arm if arm != CONTROL else BASELINE))
        if choice is None:
            return [Cell("")]
        mark = footnotes.mark("chosen at the edge of the levels tried") if choice.at_the_edge else ""
        return [Cell(choice.level, marks=mark, value=choice.level)]

    def after(self, environment: str, arm: str, footnotes: Footnotes) -> list[Cell]:
        if not self.headings_after:
            return []
        found = self._published.get((environment, arm), [])
        marks = ",".join(footnotes.mark(f"published ({x.status}): {x.protocol}") for x in found)
        return [Cell("; ".join(number.text for number in found), marks=marks)]

    def values(self, arm: Arm) -> dict[str, str | None]:
        """Return the same as columns of numbers."""
        where = (arm.environment, arm.name)
        chosen = {
            name: self._chosen[where].level for name in self.headings_before if where in self._chosen
        }
        numbers = "; ".join(x.text for x in self._published.get(where, []))
        absent: dict[str, str | None] = dict.fromkeys(self.headings_before)
        return absent | chosen | dict.fromkeys(self.headings_after, numbers)


def _cells(row: Comparison | None, columns: list[str], footnotes: Footnotes) -> list[Cell]:
    """Return an arm's cells in one environment; dashes where the study has no such arm."""
    if row is None:
        return [Cell(CROSS, marks=footnotes.mark("not part of the study in this environment"))] + [
            Cell(CROSS) for _ in columns[1:]
        ]
    marks = "".join(footnotes.mark(text) for text in _remarks(row))
    missing = what_is_missing(row.statuses)
    prefix = AT_LEAST if row.censored else ""
    text = prefix + interval_text(row.mean, missing=missing) + (f" ({row.mean.n})" if row.mean.n else "")
    found = [Cell(text, row.among_best, marks, row.mean.estimate)]
    if "IQM" in columns:
        found.append(plain(row.interquartile_mean, missing=""))
    difference = row.difference
    if difference is None:
        return [*found, Cell(""), Cell("")]
    marks = ""
    if 0 < difference.n < row.mean.n:
        marks = footnotes.mark(f"over the {difference.n} seeds that arm and baseline both have")
    star = "*" if row.resolved else ""
    text = interval_text(difference, signed=True, missing="")
    found.append(Cell(text + star, marks=marks, value=difference.estimate))
    return [*found, Cell(p_text(row.p_value) if difference.n else "", value=row.p_value)]


def _remarks(row: Comparison) -> list[str]:
    """Return what has to be said of an arm's runs."""
    asked = sum(row.statuses.values())
    statuses = Counter(row.statuses)
    remarks = []
    lacking = {name: n for name, n in statuses.items() if name not in ("complete", "diverged")}
    if lacking:
        counts = ", ".join(f"{n} {name}" for name, n in lacking.items())
        remarks.append(f"of {asked} runs {counts}")
    if statuses["diverged"]:
        remarks.append(
            f"{statuses['diverged']} of {asked} runs diverged; scored by what they stored before"
        )
    unscored = statuses["complete"] + statuses["diverged"] - row.mean.n
    if unscored:
        remarks.append(f"{unscored} of {asked} runs ended without what this score needs")
    if row.censored:
        remarks.append(
            f"{row.censored} of {row.mean.n} runs never reached the threshold: their length counts"
        )
    return remarks


def _leading(
    runs: StudyRuns, components: bool, footnotes: Footnotes
) -> tuple[list[str], dict[str, list[Cell]]]:
    """Return the headings of the columns that say which arm a row is, and each arm's cells."""
    marks: dict[str, str] = {}
    for arm in runs.plan.arms:
        also = [
            m.name for m in runs.plan.merged if m.into == arm.name and m.environment == arm.environment
        ]
        if also:
            marks[arm.name] = footnotes.mark(
                f"also {'; '.join(dict.fromkeys(also))}: trains exactly the same"
            )
    arms = {arm.name: arm for arm in reversed(runs.plan.arms)}
    if not components:
        cells = {name: [Cell(name, marks=marks.get(name, ""), value=name)] for name in arms}
        return ["arm"], cells
    return _factor_names(runs), {
        name: [
            Cell(_check(level), marks=marks.get(name, "") if at == 0 else "", value=level)
            for at, level in enumerate(_levels(runs, arm))
        ]
        for name, arm in arms.items()
    }


def _factor_names(runs: StudyRuns) -> list[str]:
    return list(design_grid(runs, runs.environments[0]).factors)


def _levels(runs: StudyRuns, arm: Arm) -> tuple[str, ...]:
    return design_grid(runs, arm.environment).levels_of(arm)


def _components(runs: StudyRuns) -> bool:
    found = [design_grid(runs, environment) for environment in runs.environments]
    same = len({tuple(levels.factors) for levels in found}) == 1
    return bool(found) and same and all(levels.has_only_components for levels in found)


def _check(level: str) -> str:
    return CROSS if level.lower() in ABSENT else CHECK


def _share(score: str) -> bool:
    return SCORES[score].unit == "share"


def _notes(runs: StudyRuns, comparisons: Sequence[Comparison], score: str, mixed: Mixed) -> list[str]:
    if _share(score):
        how = (
            "Share of runs with Wilson's interval; difference with Newcombe's; p of the permutation test"
        )
    else:
        how = (
            "Mean with Student's t interval (n: runs); IQM: mean of the middle half of the runs with a "
            "bootstrap interval; difference of means paired by seed, Student's t"
        )
    best = "largest" if SCORES[score].higher_is_better else "smallest"
    notes = [
        f"{how}; p corrected by Holm's method for the arms of an environment, * where it is at most "
        f"0.05: the rest is not resolved. Intervals are not corrected. Bold: the {best} estimate and "
        "every one not told apart from it."
    ]
    sizes = [row.mean.n for row in comparisons if row.mean.n > 1]
    if sizes and not _share(score):
        notes += shortfalls(dict.fromkeys(("mean", "iqm", "difference"), min(sizes)))
    for aspect, lines in mixed.items():
        notes.append(f"Mixed {aspect}: {'; '.join(lines)}.")
    return [*notes, footer(runs)]
