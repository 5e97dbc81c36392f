"""What the command line said once need not be said again: the words by which a study was swept last."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hydra.types import RunMode

from ablation.cli.compose import CONFIG_NAME, to_plain
from ablation.cli.config_errors import config_loader
from ablation.cli.terminal import console
from ablation.store.runs import Store
from ablation.study.history import stored_command
from ablation.study.sizes import sized

_NAMES = {"study", "size"}
_SETTINGS = {"results_dir", "only", "retry", "launch", "tracking"}
"""Keys and groups that name a study, and those that change nothing of its plan."""


def as_swept(config_directory: str, words: Sequence[str]) -> list[str]:
    """Return the words of the last sweep of the study that a command line names, and say so.

    A line that says more of the plan than its study and size is returned as it is, as is one whose
    study was not swept.
    """
    given = [word for word in words if not word.startswith("-")]
    if any(_key(word) not in _NAMES | _SETTINGS for word in given):
        return list(words)
    with config_loader(config_directory) as loader:
        values = to_plain(loader.load_configuration(CONFIG_NAME, given, RunMode.RUN))
    name = sized(values["study"], values["size"]).get("name")
    command = stored_command(Store(values["results_dir"]), str(name))
    swept = shlex.split(command or "")
    if "sweep" not in swept[:2]:
        return list(words)
    more = [word for word in swept[2:] if _key(word) not in _NAMES | _SETTINGS]
    if more:
        console.print(f"As swept last: {shlex.join(more)} (words of your own replace these)")
    return [*words, *more]


def _key(word: str) -> str:
    """Return the key that a word sets, only its group where it is one of our settings'."""
    key = word.partition("=")[0].lstrip("+~")
    group = key.partition(".")[0]
    return group if group in _SETTINGS else key
