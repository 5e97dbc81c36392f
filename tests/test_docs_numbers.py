"""Numbers in README and docs are those of the committed summary files, which `make gallery` writes."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("estimate", "low", "high")
SUMMARIES = sorted((ROOT / "docs" / "results").glob("*.csv"))
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
INTERVAL = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")
Triple = tuple[float, float, float]


def estimates(summary: Path, name: str) -> list[Triple]:
    """Return estimate, low and high of the rows of a summary file that have them under a name."""
    rows = csv.DictReader(summary.read_text(encoding="utf-8").splitlines())
    found = []
    for row in rows:
        estimate, low, high = (float(row.get(f"{name}_{part}") or math.nan) for part in PARTS)
        if not math.isnan(estimate):
            found.append((estimate, low, high))
    return found


def shows(texts: tuple[str, ...], numbers: Triple) -> bool:
    """Return whether texts are these numbers, rounded to the decimals that each has."""
    return all(
        math.isclose(float(text.replace(",", "")), number, rel_tol=1e-9, abs_tol=half_a_unit(text))
        for text, number in zip(texts, numbers, strict=True)
    )


def half_a_unit(text: str) -> float:
    """Return half a unit of a number's last decimal."""
    return 0.5000001 * 10.0 ** -len(text.partition(".")[2])


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
    expected = [numbers for name in names for numbers in estimates(summary, name)]
    texts = INTERVAL.findall(shown)
    assert expected
    for numbers in expected:
        assert any(shows(found, numbers) for found in texts), numbers


def test_intervals_in_the_readme_are_those_of_the_default_study() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    known = [
        numbers
        for summary in SUMMARIES
        if summary.stem.startswith("replay")
        for name in ("mean", "difference")
        for numbers in estimates(summary, name)
    ]
    found = INTERVAL.findall(readme)
    assert found
    for texts in found:
        assert any(shows(texts, numbers) for numbers in known), texts
