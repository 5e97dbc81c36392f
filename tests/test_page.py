"""The page in a real browser: no network, order, sorting, menus, tabs, keyboard, phone, dark mode."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ablation.store.files import read_json, write_json
from ablation.study.plan import Arm
from analysis.report.report import write_report

from .analysis_helpers import STUDY, make_store, outcome

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE = {"width": 390, "height": 844}
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


TABLE = "[role=tabpanel]:visible [data-score]:visible"


def names(page: Any) -> list[str]:
    return list(page.locator(f"{TABLE} tbody th").all_inner_texts())


def test_the_page_says_everything_and_needs_nothing_else(report: Path) -> None:
    page = report.read_text()
    assert "src=" not in page
    assert "url(http" not in page
    links = re.findall(r'<a href="([^#"][^"]*)" download', page)
    assert len(links) == len(re.findall(r'href="[^#]', page)), "only files to download are linked"
    for link in links:
        assert (report.parent / link).is_file(), link
    assert {"table.csv", "table.tex", "comparisons.csv", "differences.svg"} <= set(links)
    for text in (
        "What matters?",
        "is significantly lower than the baseline (-49.94 [-50.39, -49.48], n = 6, p &lt;0.001)",
        "500 is inconclusive (",
        "has no runs to compare (1 failed, 5 missing)",
        "identical configuration (merged into ",
        "needs &lt;more&gt; room",
        "RuntimeError: no",
        "gymnasium 1.4.0",
        "c" * 40,
        "make sweep STUDY=s",
        "replay-ablation report s",
        "With every run: <code>replay-ablation figure s curves --seeds</code>",
    ):
        assert text in page, text


def test_it_opens_without_a_request_or_an_error(open_page: Any, report: Path) -> None:
    page = open_page()
    assert page.problems == [report.as_uri()]


def test_a_click_sorts_and_what_is_missing_stays_last(open_page: Any) -> None:
    page = open_page()
    page.select_option("#environment", "CartPole-v1")
    given = names(page)
    heading = page.locator(f"{TABLE} th:visible button", has_text="mean (n)")
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
    assert page.locator(TABLE).count() == 1
    press_until(page, "Tab", "document.activeElement.id === 'score'")
    page.keyboard.type("best")
    page.wait_for_selector(f"{TABLE}[data-score=best]")
    assert (
        page.locator("section:visible[aria-label^=Verdict]").get_attribute("aria-label")
        == "Verdict, best"
    )
    page.keyboard.press("Tab")
    page.keyboard.type("Acro")
    groups = page.locator(f"{TABLE} th.group:visible")
    assert groups.all_inner_texts() == ["Acrobot-v1"]
    assert page.locator(".verdict:visible").all_inner_texts()[0].startswith("Acrobot-v1")
    assert page.locator(f"{TABLE} tbody tr").first.locator("td:visible").count() == 3
    press_until(page, "Tab", "document.activeElement.closest('th') !== null")
    page.keyboard.press("Enter")
    sorted_by = page.locator(f"{TABLE} th[aria-sort=ascending]")
    assert sorted_by.inner_text() == "arm"


def press_until(page: Any, key: str, reached: str) -> None:
    for _ in range(20):
        page.keyboard.press(key)
        if page.evaluate(reached):
            return
    raise AssertionError(f"{reached} is not reached by pressing {key}")


def test_tabs_are_moved_between_by_arrows_and_one_table_is_open(open_page: Any) -> None:
    page = open_page()
    tabs = page.locator("[role=tab]")
    assert tabs.all_inner_texts()[:2] == ["Summary", "Comparisons"]
    tabs.first.focus()
    for at in range(tabs.count()):
        assert page.locator("[role=tabpanel]:visible").count() == 1
        assert tabs.nth(at).get_attribute("aria-selected") == "true"
        page.keyboard.press("ArrowRight")
    assert tabs.first.get_attribute("aria-selected") == "true"


def test_everything_follows_the_menu_or_says_that_it_does_not(open_page: Any) -> None:
    page = open_page()
    page.select_option("#score", "area_under_curve")
    page.wait_for_selector(f"{TABLE}[data-score=area_under_curve]")
    for tab in page.locator("[role=tab]").all():
        tab.click()
        panel = page.locator("[role=tabpanel]:visible")
        follows = panel.locator("[data-score=area_under_curve]:visible").count() == 1
        assert follows != ("whatever the menu says" in panel.inner_text())
    assert page.locator(".first:visible svg text", has_text="all evaluations").count() > 0
    assert "whatever the menu says" in page.locator("section:has(#figures)").inner_text()


def test_a_reader_sees_question_verdict_figure_and_table_in_this_order(open_page: Any) -> None:
    page = open_page()
    parts = ["h1", ".verdict:visible", ".first:visible svg:visible", "[role=tablist]", TABLE, "#figures"]
    tops = [page.locator(part).first.bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    figure = page.locator(parts[2]).bounding_box()
    assert figure["y"] + figure["height"] <= 900


def open_details(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.wait_for_function("!document.querySelector('details [data-packed]')")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_window(open_page: Any, viewport: dict[str, int]) -> None:
    page = open_page(viewport)
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    # The first figure is seen whole, with every arm.
    assert page.locator(".first:visible svg:visible").bounding_box()["width"] <= viewport["width"]
    # What is wider scrolls in a box that the keyboard reaches.
    for box in page.locator(".wide:visible").all():
        assert box.get_attribute("tabindex") == "0"
        assert box.get_attribute("aria-label")
    for size in page.locator("svg:visible text").evaluate_all(FONT_SIZES):
        assert size >= 9


FONT_SIZES = """texts => texts.map(text => {
    const svg = text.ownerSVGElement;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return parseFloat(getComputedStyle(text).fontSize) * scale;
})"""


def test_names_stay_whole_and_in_sight_while_a_table_scrolls_on_a_phone(open_page: Any) -> None:
    page = open_page(PHONE)
    box = page.locator(f"{TABLE} .wide")
    box.evaluate("box => { box.scrollLeft = 200; }")
    for name in page.locator(f"{TABLE} tbody th").all():
        assert abs(name.bounding_box()["x"] - box.bounding_box()["x"]) < 2
        background = name.evaluate("e => getComputedStyle(e).backgroundColor")
        assert re.fullmatch(r"rgb\(.*\)", background), "not see-through"
        assert name.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_sees_no_violation(open_page: Any, viewport: dict[str, int], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = open_page(viewport, color_scheme=scheme)
    open_details(page)
    for tab in page.locator("[role=tab]").all():
        tab.click()
        violations = axe.Axe().run(page).response["violations"]
        assert not [
            (found["id"], node["html"][:200]) for found in violations for node in found["nodes"]
        ], tab.inner_text()


def test_the_page_of_sixty_arms_is_legible_and_below_a_megabyte(browser: Any, tmp_path: Path) -> None:
    sixty = STUDY | {"seeds": 3, "environments": ["CartPole-v1"], "design": "factorial"}
    sixty["factors"] = {
        "capacity": {"key": "replay.capacity", "levels": [16, 32, 64, 100, 200]},
        "batch": {"key": "agent.batch_size", "levels": [2, 4, 8, 16]},
        "rate": {"key": "agent.learning_rate", "levels": [0.001, 0.01, 0.1]},
    }
    make_store(tmp_path, sixty, lambda arm, seed: 100.0 + len(arm.name) + seed)
    path = write_report(tmp_path, "s")
    assert path.stat().st_size < 1_000_000
    page = browser.new_page(viewport=DESKTOP)
    page.goto(path.as_uri())
    names = page.locator(".first:visible svg:visible text", has_text="capacity=")
    boxes = sorted((name.bounding_box() for name in names.all()), key=lambda box: box["y"])
    assert len(boxes) == 59
    assert all(low["y"] >= high["y"] + high["height"] - 2 for high, low in pairwise(boxes))
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_figures_stand_out_in_light_and_dark(open_page: Any, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    ink = page.locator("body").evaluate("e => getComputedStyle(e).color")
    paper = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert _contrast(ink, paper) >= 7
    text = page.locator("figure svg:visible text").first
    assert _contrast(text.evaluate("e => getComputedStyle(e).fill"), paper) >= 7


def test_every_figure_has_a_name_and_a_text_description(open_page: Any) -> None:
    page = open_page()
    open_details(page)
    figures = page.locator("figure")
    assert figures.count() >= 6
    for figure in figures.all():
        assert figure.locator("svg[role=img][aria-label]").count() >= 1
        assert len(figure.locator("details p").text_content()) > 40


def test_ids_in_the_page_are_unique_and_every_reference_is_met(open_page: Any) -> None:
    opened = open_page()
    open_details(opened)
    for score in opened.locator("#score option").all():
        opened.select_option("#score", score.get_attribute("value"))
    opened.wait_for_function("!document.querySelector('[data-packed]')")
    page = opened.content()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_without_scripts_the_table_of_the_primary_score_is_there(open_page: Any) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("section:visible[aria-label^=Verdict]").count() == 1
    assert page.locator("#panel-1 [data-score]:visible").count() == 1
    assert not page.locator("#score").is_visible()


def _contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(c) / 255 for c in re.findall(r"\d+", color)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
