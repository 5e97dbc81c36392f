"""Runs a command and turns what is refused or broken into one line and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ablation.config.validation import ConfigError
from ablation.store.disk import DiskFull, means_disk_full
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.interrupts import EXIT_STOPPED

EXIT_FAILED, EXIT_REFUSED = 1, 2
CONFIG_DIRECTORY = str(Path(__file__).resolve().parent.parent.parent / "conf")


@hydra.main(version_base="1.3", config_path=CONFIG_DIRECTORY, config_name="config")
def supervise_worker(config: DictConfig) -> Any:
    """Keep one worker of a sweep alive; this is what Hydra's launchers run."""
    from ablation.sweep.supervisor import supervise

    return supervise(Path(config.results_dir), config.worker.sweep, config.worker.name)


AFTER_DISK_FULL = "complete runs are intact; free some space, then the same command continues"


def run_command(arguments: Sequence[str]) -> None:
    """Run a command; a refused configuration ends with one message and exit status 2."""
    words = arguments[1:]
    try:
        _refuse_other_modes(words)
        if words[:1] and words[0] in ("plan", "status", "verify"):
            from ablation.cli.commands import COMMANDS

            sys.exit(COMMANDS[words[0]](CONFIG_DIRECTORY, words[1:]))
        else:
            supervise_worker()
    except ConfigError as error:
        _end(str(error), EXIT_REFUSED)
    except DiskFull as error:
        _end(f"{error}; {AFTER_DISK_FULL}", EXIT_FAILED)
    except CodeChanged as error:
        _end(str(error), EXIT_FAILED)
    except YAMLError as error:
        from ablation.cli.config_errors import explain_yaml

        _end(explain_yaml(error), EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(EXIT_STOPPED)
    except (HydraException, OmegaConfBaseException) as error:
        from ablation.cli.config_errors import explain

        _end(explain(error, CONFIG_DIRECTORY, words), EXIT_REFUSED)
    except OSError as error:
        if not means_disk_full(error):
            raise
        _end(f"{error.filename}: disk full ({error.strerror}); {AFTER_DISK_FULL}", EXIT_FAILED)


def _refuse_other_modes(words: Sequence[str]) -> None:
    """Raise `ConfigError` for a mode of Hydra's in which nothing would be planned or trained."""
    for word in words:
        key, _, mode = word.partition("=")
        if key.lstrip("+") == "hydra.mode" and mode.upper() != "MULTIRUN":
            raise ConfigError("hydra.mode", mode, "a sweep is always MULTIRUN; leave this setting out")


def _end(message: str, status: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
