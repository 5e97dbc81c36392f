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
MEASURED_OTHERWISE = {
    "performance.md",  # benchmarks
    "statistics.md",  # simulations and examples
    "published.md",  # computed from published scores
}
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
INTERVAL = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")
PLACE = re.compile(r"<!-- (\S+):begin[^>]*-->(?=(.*?)<!-- \1:end -->)", re.DOTALL)
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


def names_of(summary: Path) -> list[str]:
    """Return the names of a summary file's estimates."""
    (columns, *_) = csv.reader(summary.read_text(encoding="utf-8").splitlines())
    return [name.removesuffix("_estimate") for name in columns if name.endswith("_estimate")]


def shows(texts: tuple[str, ...], numbers: Triple) -> bool:
    """Return whether texts are these numbers, rounded to the decimals that each has."""
    return all(
        math.isclose(float(text.replace(",", "")), number, rel_tol=1e-9, abs_tol=half_a_unit(text))
        for text, number in zip(texts, numbers, strict=True)
    )


def half_a_unit(text: str) -> float:
    """Return half a unit of a number's last decimal."""
    return 0.5000001 * 10.0 ** -len(text.partition(".")[2])


def known() -> list[Triple]:
    """Return all estimates of the summary files, and what they are the other way round."""
    found = []
    for summary in SUMMARIES:
        for name in names_of(summary):
            found += estimates(summary, name)
    return found + [(-estimate, -high, -low) for estimate, low, high in found]


PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in MEASURED_OTHERWISE
]


def section(summary: str) -> str:
    """Return what a page of the docs shows of the study of a summary file."""
    found = {
        place[1]: place[2]
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for place in PLACE.finditer(page.read_text(encoding="utf-8"))
        if summary.startswith(place[1]) or place[1] == f"{summary}-table"
    }
    return found[max(found, key=len)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_interval_of_a_page_is_in_a_summary_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "claims.md":
        # Its remarks are on means of diagnostics, which are in the studies' reports.
        text = "".join(re.findall(r"<!-- \S+:begin.*?:end -->", text, re.DOTALL))
    numbers = known()
    missing = [
        f"{texts[0]} [{texts[1]}, {texts[2]}]"
        for texts in INTERVAL.findall(text)
        if not any(shows(texts, triple) for triple in numbers)
    ]
    assert not missing


@pytest.mark.parametrize("summary", SUMMARIES, ids=lambda path: path.stem)
def test_a_table_of_the_docs_is_that_of_its_summary_file(summary: Path) -> None:
    shown = section(summary.stem)
    names = names_of(summary)
    # An ablation table shows these two of its intervals.
    names = [name for name in ("mean", "difference") if name in names] or names
    expected = [numbers for name in names for numbers in estimates(summary, name)]
    texts = INTERVAL.findall(shown)
    assert expected
    for numbers in expected:
        assert any(shows(found, numbers) for found in texts), numbers
