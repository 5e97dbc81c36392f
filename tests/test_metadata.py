"""The version is said once in each file that has to say it, and is the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from ablation.cli.command_line import COMMANDS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_citation_is_of_this_version_under_this_license() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_the_changelog_has_this_version_or_says_that_it_is_not_released() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert PROJECT["version"] in headings
    assert headings[0] in ("Unreleased", PROJECT["version"])


def test_hooks_run_the_tools_of_the_environment_and_download_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert all(hook["language"] == "system" for hook in hooks[0]["hooks"])
    tools = [hook["entry"].split()[0] for hook in hooks[0]["hooks"]]
    assert set(tools) == {".venv/bin/ruff", ".venv/bin/mypy"}


def test_readme_and_docs_name_only_commands_that_there_are() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages}
    named = {
        (name, word)
        for name, text in texts.items()
        for word in re.findall(r"(?:[`/]|^)replay-ablation ([a-z][a-z-]*)", text, re.MULTILINE)
    }
    assert len(named) > 30
    assert {place for place in named if place[1] not in COMMANDS} == set()
    assert [name for name, text in texts.items() if re.search(r"python -m analysis", text)] == []
