"""Numbers in README and docs are those of the committed summary files, which `make gallery` writes."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

from analysis.statistics import Estimate
from analysis.tables.wording import interval_text

ROOT = Path(__file__).parent.parent
SUMMARIES = sorted((ROOT / "docs" / "results").glob("*.csv"))
INTERVAL = re.compile(r"[-+]?[\d.]+ \[[-\d.]+, [-\d.]+\]")


def estimates(summary: Path, name: str, signed: bool) -> list[str]:
    """Return a column of a summary file as a table shows it, for the rows that have it."""
    found = []
    for row in csv.DictReader(summary.read_text(encoding="utf-8").splitlines()):
        numbers = [float(row.get(f"{name}_{part}") or math.nan) for part in ("estimate", "low", "high")]
        if not math.isnan(numbers[0]):
            found.append(interval_text(Estimate(*numbers, n=10), signed=signed))
    return found


def section(study: str) -> str:
    """Return what a page of the docs shows of a study."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        place = re.search(
            rf"<!-- {re.escape(study)}:begin.*?-->(.*?)<!-- {re.escape(study)}:end -->",
            page.read_text(encoding="utf-8"),
            re.DOTALL,
        )
        if place:
            return place[1]
    raise AssertionError(f"no page shows {study}")


@pytest.mark.parametrize("summary", SUMMARIES, ids=lambda path: path.stem)
def test_a_table_of_the_docs_is_that_of_its_summary_file(summary: Path) -> None:
    shown = section(summary.stem)
    columns = summary.read_text(encoding="utf-8").splitlines()[0].split(",")
    names = [name.removesuffix("_estimate") for name in columns if name.endswith("_estimate")]
    # An ablation table shows these two of its intervals.
    names = [name for name in ("mean", "difference") if name in names] or names
    expected = [text for name in names for text in estimates(summary, name, name == "difference")]
    assert expected
    for text in expected:
        assert text in shown, text


def test_intervals_in_the_readme_are_those_of_the_default_study() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    known = {
        text
        for summary in SUMMARIES
        if summary.stem.startswith("replay")
        for name in ("mean", "difference")
        for signed in (False, True)
        for text in estimates(summary, name, signed)
    }
    found = INTERVAL.findall(readme)
    assert found
    for text in found:
        assert text in known, text
