"""Names, questions and levels are text whatever they look like: in terminal, tables, figures, page."""

from __future__ import annotations

import html
import io
import os
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from ablation.cli import messages
from ablation.store.runs import RunKey
from ablation.study.plan import Arm
from ablation.sweep.inventory import RunInventory
from analysis.report import page as page_module
from analysis.report.errors import FiguresFailed
from analysis.report.report import open_results, study_tables, write_report
from analysis.tables.markup import latex, markdown, only_lualatex

from .analysis_helpers import STUDY, make_store
from .conftest import Command
from .processes import python, run

NAMES = [
    r"$\textsc{lr}$ up",
    "50 % & more_or_less #1",
    "[/red]",
    "[opt] first",
    "<b>x</b> & <script>alert(1)</script>",
    "*star* `tick` |pipe| __dunder__ [a](b) --- ~~",
    ":smile: {{ 7 * 7 }} {% raw %}",
]
FOREIGN = "学习率 α 🙂"
QUESTION = r"Does <b>bold</b> & $\alpha$ come out as written?"


def odd(*names: str) -> dict[str, Any]:
    levels = {name: {"replay.capacity": 70 + at} for at, name in enumerate(names)}
    return STUDY | {"name": "odd", "question": QUESTION, "factors": {"f": {"levels": levels}}}


def level(arm: Arm, seed: int) -> float:
    return 300.0 + 20 * seed + 7 * len(arm.name)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd")
    make_store(root, odd(*NAMES), level)
    return root


@pytest.fixture(scope="module")
def page(store: Path) -> str:
    return write_report(store, "odd").read_text(encoding="utf-8")


def test_the_page_shows_names_and_question_as_written(page: str) -> None:
    from html.parser import HTMLParser

    class Reader(HTMLParser):
        headings: list[str] = []  # noqa: RUF012
        cells: list[str] = []  # noqa: RUF012
        opened: set[str] = set()  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            self.opened.add(tag)
            if tag in ("h1", "td", "th"):
                self.cells.append("")

        def handle_data(self, data: str) -> None:
            if self.cells:
                self.cells[-1] += data

    reader = Reader()
    reader.feed(page)
    assert reader.cells[0].split("\n")[0] == QUESTION
    for name in NAMES:
        assert any(cell.startswith(f"f={name}") for cell in reader.cells), name
    assert "b" not in reader.opened
    assert "alert(1)" not in "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))


def test_figures_show_names_as_written(store: Path, page: str) -> None:
    report = store / "studies" / "odd" / "report"
    shown = "".join(
        text for path in report.glob("*.svg") for text in ElementTree.parse(path).getroot().itertext()
    )
    for name in NAMES:
        assert name in shown


def test_the_terminal_shows_names_as_written(store: Path) -> None:
    results = open_results(store, "odd", None)
    text = study_tables(results)["table"].to_terminal()
    for name in NAMES:
        assert f"f={name}" in text
    with messages.console.capture() as printed:
        messages.console.print("[/red] :smile:")
    assert printed.get() == "[/red] :smile:\n"
    console = Console(file=io.StringIO(), width=500, markup=False, emoji=False)
    plan = results.runs.plan
    key = RunKey(plan.arms[1].cell, 0)
    inventory = RunInventory({key: "failed"}, errors={key: "E: [/red] :smile:"})
    messages.print_plan(plan, inventory, to=console)
    for line in messages.failure_lines(inventory):
        console.print(line)
    assert "E: [/red] :smile:" in console.file.getvalue()
    assert "Study odd: 8 arms" in console.file.getvalue()


def test_markdown_and_latex_escape_what_they_would_read() -> None:
    assert markdown("a_b *c* `d` |e| <f> $g$ _h_ &amp; & [0.1, 0.2] [i](j)\nk") == (
        r"a_b \*c\* \`d\` \|e\| \<f> \$g\$ \_h\_ \&amp; & [0.1, 0.2] [i]\(j) k"
    )
    assert latex(r"$\a{b}$ 50 % & c_d #1 ~^|") == (
        r"\$\textbackslash{}a\{b\}\$ 50 \% \& c\_d \#1 \textasciitilde{}\textasciicircum{}\textbar{}"
    )
    assert latex("[x] *y -1.5 a-b --- α") == r"{[}x] {*}y $-$1.5 a-b -{}-{}- $\alpha$"
    assert only_lualatex(latex("α ≥ Müller “x” 学🙂学")) == "学🙂"


def test_every_row_of_a_table_keeps_its_columns(store: Path) -> None:
    table = study_tables(open_results(store, "odd", None))["table"]
    lines = table.to_markdown().split("\n\n")[1].splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.headings) + 1}
    text = table.to_latex()
    assert "pdfLaTeX" not in text
    rows = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.headings) - 1}
    assert not any(row.startswith(("[", "*")) for row in rows)


def test_a_table_that_pdflatex_cannot_set_says_so(tmp_path: Path) -> None:
    make_store(tmp_path, odd(FOREIGN, "plain"), level)
    text = study_tables(open_results(tmp_path, "odd", None))["table"].to_latex()
    assert text.startswith("% pdfLaTeX has no symbols for 学习率🙂: use LuaLaTeX")
    assert "$\\alpha$" in text


def test_files_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    make_store(tmp_path, odd(FOREIGN, "plain"), level)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ["-m", "ablation", "report", "odd", "--results", str(tmp_path)]
    python(*words, variables=os.environ | locale)
    report = tmp_path / "studies" / "odd" / "report"
    for name in ("index.html", "table.md", "table.csv", "differences.svg"):
        assert FOREIGN in (report / name).read_text(encoding="utf-8"), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "names"),
    [("pdflatex", [*NAMES, "[0, 1]", "α = 1"]), ("lualatex", [*NAMES, "[0, 1]", FOREIGN])],
    ids=["pdflatex", "lualatex"],
)
def test_tables_of_odd_names_compile(tmp_path: Path, program: str, names: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    make_store(tmp_path, odd(*names), level)
    tables = study_tables(open_results(tmp_path, "odd", None)).values()
    packages = "booktabs,amssymb" + (",fontspec" if program == "lualatex" else "")
    encoding = "" if program == "lualatex" else "\\usepackage[T1]{fontenc}"
    head = f"\\documentclass{{article}}\\usepackage{{{packages}}}{encoding}\n"
    body = "\n".join(table.to_latex() for table in tables)
    text = f"{head}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(text, encoding="utf-8")
    done = run(program, "-interaction=nonstopmode", "-halt-on-error", "paper.tex", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 0


def test_a_figure_that_fails_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    make_store(tmp_path, STUDY, level)
    first, *others = page_module.FIGURE_KINDS.values()

    def fail(*_: object) -> None:
        raise ValueError("no ink\nleft")

    broken = type(first)(first.name, first.title, fail)
    kinds = {first.name: broken} | {kind.name: kind for kind in others}
    monkeypatch.setattr(page_module, "FIGURE_KINDS", kinds)
    line = f"{first.title} could not be drawn: ValueError: no ink"
    with pytest.raises(FiguresFailed) as failed:
        write_report(tmp_path, "s")
    assert failed.value.lines == (line,)
    assert line in html.unescape(failed.value.page.read_text(encoding="utf-8"))
    assert (failed.value.page.parent / "curves-CartPole-v1.svg").exists()
    assert line in command("report", "s", "--results", str(tmp_path), status=1)
