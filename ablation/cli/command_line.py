"""Every command by its name: one line of help, and the function that runs it.

Importing this loads no library, so that the list of commands is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

from ablation.config.near import one_of
from ablation.config.program import PROGRAM
from ablation.config.project import Project, project_of
from ablation.config.validation import ConfigError
from analysis.commands import COMMANDS as ANALYSIS

EXIT_REFUSED = 2
Run = Callable[[str, Sequence[str], Project], int | None]
"""Runs a command by its name, its words and the project; returns its exit status, None for 0."""


@dataclass(frozen=True)
class Command:
    """What a command does, in one line, and the import path of its `Run`."""

    help: str
    run: str


_TRAINING = {
    "sweep": "train what is missing of a study, then report it",
    "plan": "show a study's configurations, time and seeds (--json, --calibrate, power=0.8, minutes=30)",
    "status": "show how many runs of each arm are complete (--json)",
    "check": "check a sampler, eviction rule or environment of your own, a line for each property",
    "run": "train one run of a study in this process, for a debugger: run ARM SEED study=NAME",
    "verify": "train stored runs again and compare every bit (runs=3, or names of runs)",
    "repair": "read every stored run in full and set the damaged ones aside, to train again",
}
COMMANDS = {
    **{name: Command(text, "ablation.cli.main:run") for name, text in _TRAINING.items()},
    "play": Command("write an episode of a trained policy as a GIF or MP4", "ablation.cli.play:run"),
    **{name: Command(text, "analysis.commands.main:run") for name, text in ANALYSIS.items()},
    "new": Command("write a small project of your own: new my_project", "ablation.cli.new_project:run"),
}


def run(words: Sequence[str]) -> int | None:
    """Run the command that a line names and return its exit status."""
    try:
        project, words = project_of(words)
        if not words or words[0] in ("-h", "--help", "help"):
            print(listing())
            return 0
        if words[0] == "--version":
            print(f"{PROGRAM} {version('replay-ablation')}")
            return 0
        name, *rest = words
        command = COMMANDS.get(name)
        if command is None:
            raise ConfigError("command", name, _unknown(name))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    if name == "sweep" and sys.stderr.isatty():
        print("Reading the study and what is stored of it.", file=sys.stderr, flush=True)
    project.make_importable()
    module, _, function = command.run.partition(":")
    runs: Run = getattr(import_module(module), function)
    return runs(name, rest, project)


def listing() -> str:
    """Return the commands with their help, a line each."""
    lines = [f"  {name:<13} {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND [key=value ...] [--config-dir DIR]",
            f"       {PROGRAM} --version",
            "",
            *lines,
            "",
            f"`{PROGRAM} COMMAND --help` says more. Configuration files and results are those of the",
            "project in this directory or the nearest one above it that has a conf/; --config-dir names",
            "another project's conf/.",
        ]
    )


def usage(name: str, flags: Collection[str], words: str = "[key=value ...]") -> str:
    """Return what a command takes and does."""
    options = "".join(f" [{flag}]" for flag in flags)
    return f"usage: {PROGRAM} {name} {words}{options}\n\n{COMMANDS[name].help}"


def _unknown(name: str) -> str:
    if "=" in name or name.startswith("-"):
        return f"a command comes first: {PROGRAM} sweep {name}"
    return one_of(name, COMMANDS)
