"""The page in a real browser: no network, sorting, choosing, keyboard, phone width, dark mode."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablation.store.files import read_json, write_json
from ablation.study.plan import Arm
from analysis.report.report import write_report

from .analysis_helpers import STUDY, make_store, outcome

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}


def level(arm: Arm, seed: int) -> float | str:
    found = outcome(arm, seed)
    return found if isinstance(found, str) or arm.env_id == "CartPole-v1" else found - 500


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    make_store(root, STUDY | {"environments": ["CartPole-v1", "Acrobot-v1"]}, level)
    plan = root / "studies/s/plan.json"
    pruned: dict[str, object] = {"name": "replay=rank", "reason": "needs <more> room"}
    pruned |= {"environment": "CartPole-v1", "levels": {}}
    write_json(plan, read_json(plan) | {"pruned": [pruned]})
    return write_report(root, "s")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no chromium is installed (set CHROMIUM to its path)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[Any]:
    contexts = []

    def opened(viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("request", lambda request: page.problems.append(request.url))
        page.goto(report.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


def names(page: Any) -> list[str]:
    return list(page.locator("[data-score]:visible tbody td:first-child").all_inner_texts())


def test_the_page_says_everything_and_needs_nothing_else(report: Path) -> None:
    page = report.read_text()
    assert not re.search(r'(src|href)="(?![#])', page)
    assert "url(http" not in page
    for text in (
        "What matters?",
        "is significantly lower than the baseline (-49.9 [-50.4, -49.5], n = 6, p &lt;0.001)",
        "500 is inconclusive (",
        "has no runs to compare (1 failed, 5 missing)",
        "identical configuration (merged into ",
        "needs &lt;more&gt; room",
        "RuntimeError: no",
        "gymnasium 1.4.0",
        "c" * 40,
        "make sweep STUDY=s",
        "replay-ablation report s",
    ):
        assert text in page, text


def test_it_opens_without_a_request_or_an_error(open_page: Any, report: Path) -> None:
    page = open_page()
    assert page.problems == [report.as_uri()]


def test_a_click_sorts_and_what_is_missing_stays_last(open_page: Any) -> None:
    page = open_page()
    page.select_option("#environment", "CartPole-v1")
    given = names(page)
    heading = page.locator("[data-score]:visible th button", has_text="mean (n)")
    heading.click()
    up = names(page)
    assert up[0].startswith("capacity=16")
    assert up[-1].startswith("replay=none")
    heading.click()
    down = names(page)
    assert down[:-1] == up[:-1][::-1]
    assert down[-1] == up[-1]
    heading.click()
    assert names(page) == given


def test_score_and_environment_can_be_chosen_with_the_keyboard(open_page: Any) -> None:
    page = open_page()
    assert page.locator("[data-score]:visible").count() == 1
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "score":
            break
    page.keyboard.type("best")
    shown = page.locator("[data-score]:visible")
    assert shown.get_attribute("data-score") == "best"
    page.keyboard.press("Tab")
    page.keyboard.type("Acro")
    assert shown.get_attribute("data-environment") == "Acrobot-v1"
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    page.keyboard.press("Enter")
    sorted_by = page.locator("[data-score]:visible th[aria-sort=ascending]")
    assert sorted_by.inner_text() == "arm"


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_window(open_page: Any, viewport: dict[str, int]) -> None:
    page = open_page(viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    # Names of arms stay readable beside the numbers.
    assert page.locator("[data-score]:visible tbody td").first.bounding_box()["width"] >= 100
    # What is wider scrolls in a box that the keyboard reaches.
    for box in page.locator(".wide:visible").all():
        assert box.get_attribute("tabindex") == "0"
        assert box.get_attribute("aria-label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_figures_stand_out_in_light_and_dark(open_page: Any, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    ink = page.locator("body").evaluate("e => getComputedStyle(e).color")
    paper = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert _contrast(ink, paper) >= 7
    text = page.locator("figure svg text").first
    assert _contrast(text.evaluate("e => getComputedStyle(e).fill"), paper) >= 7


def test_every_figure_has_a_name_and_has_a_text_description(open_page: Any) -> None:
    page = open_page()
    figures = page.locator("figure")
    assert figures.count() >= 6
    for figure in figures.all():
        assert figure.locator("svg[role=img][aria-label]").count() == 1
        assert len(figure.locator("details p").text_content()) > 40


def test_ids_in_the_page_are_unique_and_every_reference_is_met(report: Path) -> None:
    page = report.read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_without_scripts_the_table_of_the_primary_score_is_there(open_page: Any) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("[data-score]:visible").count() == 1
    assert not page.locator("#score").is_visible()


def _contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(c) / 255 for c in re.findall(r"\d+", color)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
