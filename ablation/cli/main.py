"""Runs a command and turns what is refused or broken into one line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import hydra
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ablation.cli.command_line import usage
from ablation.cli.hydra_words import to_hydra
from ablation.config.near import one_of
from ablation.config.project import OWN_CONFIGURATION, Project
from ablation.config.validation import ConfigError
from ablation.store.disk import DiskFull, ResultsRemoved, means_disk_full
from ablation.store.keys import BadName
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.interrupts import EXIT_STOPPED

EXIT_FAILED, EXIT_REFUSED = 1, 2
CONFIG_DIRECTORY = str(OWN_CONFIGURATION)


@hydra.main(version_base="1.3", config_path=CONFIG_DIRECTORY, config_name="config")
def compose_sweep(_: DictConfig) -> None:
    """Do nothing: our plugin of Hydra, `hydra_plugins.ablation`, takes over before this is called."""


AFTER_DISK_FULL = "complete runs are intact; free some space, then the same command continues"


def run(name: str, words: Sequence[str], project: Project) -> int | None:
    """Run a command about a study; a refused configuration ends with one message and exit status 2."""
    # Hydra prints errors of its own and exits with status 1 unless it is told to raise them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # Results, and files that an environment opens, lie below the project wherever the shell stands.
    os.chdir(project.root)
    _search_first(project.sources)
    try:
        return _sweep(words) if name == "sweep" else _command(name, words)
    except KeyboardInterrupt:
        sys.exit(EXIT_STOPPED)
    except Exception as error:
        line, status = _explain(error, words, project)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(status)


def _explain(error: Exception, words: Sequence[str], project: Project) -> tuple[str | None, int]:
    """Return one line, None for an error that is a fault of ours, and an exit status."""
    from ablation.cli import config_errors

    line, status = None, EXIT_REFUSED
    match error:
        case ConfigError() | BadName():
            line = str(error)
        case YAMLError():
            line = config_errors.explain_yaml(error)
        case UnicodeDecodeError():
            line = config_errors.explain_encoding([*project.sources, CONFIG_DIRECTORY])
        case HydraException() | OmegaConfBaseException():
            line = config_errors.explain(error, CONFIG_DIRECTORY, words)
        case DiskFull():
            line, status = f"{error}; {AFTER_DISK_FULL}", EXIT_FAILED
        case CodeChanged() | ResultsRemoved():
            line, status = str(error), EXIT_FAILED
        case OSError() if means_disk_full(error):
            line = f"{error.filename}: disk full ({error.strerror}); {AFTER_DISK_FULL}"
            status = EXIT_FAILED
    return line, status


def _command(name: str, words: Sequence[str]) -> int | None:
    from ablation.cli.commands import COMMANDS, FLAGS

    flags = FLAGS.get(name, ())
    if "-h" in words or "--help" in words:
        print(usage(name, flags))
        return 0
    for word in words:
        if word.startswith("-") and word not in flags:
            raise ConfigError("option", word, one_of(word, flags))
    return COMMANDS[name](CONFIG_DIRECTORY, words)


def _sweep(words: Sequence[str]) -> int | None:
    """Hand the words to Hydra, which ends this process by our plugin, `hydra_plugins.ablation`."""
    for word in words:
        key, _, mode = word.partition("=")
        if key.lstrip("+") == "hydra.mode" and mode.upper() != "MULTIRUN":
            raise ConfigError("hydra.mode", mode, "a sweep is always MULTIRUN; leave this setting out")
        if key.lstrip("+").startswith(("hydra/launcher", "hydra.launcher")):
            raise ConfigError(key, mode, "not read: launch=local, slurm or ray says where workers run")
    sys.argv[1:] = [to_hydra(word) for word in words]
    compose_sweep()
    return None


def _search_first(sources: Sequence[str]) -> None:
    """Let Hydra look for configuration files in these places before it looks in ours."""

    class ProjectFirst(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for source in reversed(sources):
                search_path.prepend("project", source, SearchPathQuery("main"))

    if sources:
        Plugins.instance().register(ProjectFirst)
