"""The command line: `python -m ablation [plan|status|verify] [key=value ...]`, in Hydra's syntax."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ablation.config.validation import ConfigError
from ablation.numerics.library_settings import library_settings
from ablation.store.disk import DiskFull
from ablation.sweep.interrupts import EXIT_STOPPED

EXIT_FAILED, EXIT_REFUSED = 1, 2
CONFIG_DIRECTORY = str(Path(__file__).resolve().parent.parent / "conf")


@hydra.main(version_base="1.3", config_path=CONFIG_DIRECTORY, config_name="config")
def supervise_worker(config: DictConfig) -> Any:
    """Keep one worker of a sweep alive; this is what a launcher runs."""
    from ablation.sweep.supervisor import supervise

    return supervise(Path(config.results_dir), config.worker.sweep, config.worker.name)


def train(root: str, sweep: str, name: str) -> NoReturn:
    """Train a sweep's jobs in this process, which a supervisor started."""
    from ablation.store.runs import Store
    from ablation.sweep.worker import run_worker

    sys.exit(run_worker(Store(root), sweep, name))


def main() -> None:
    """Run a command; a refused configuration ends with one message and exit status 2."""
    os.environ.update(library_settings())
    # Errors come to us instead of being printed and turned into exit status 1 by Hydra.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        if sys.argv[1:2] == ["work"]:
            train(*sys.argv[2:])
        elif sys.argv[1:2] and sys.argv[1] in ("plan", "status", "verify"):
            from ablation.cli.commands import COMMANDS

            sys.exit(COMMANDS[sys.argv[1]](CONFIG_DIRECTORY, sys.argv[2:]))
        else:
            supervise_worker()
    except ConfigError as error:
        _refuse(str(error))
    except DiskFull as error:
        advice = "complete runs are intact; free some space, then the same command continues"
        print(f"error: {error}; {advice}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_STOPPED)
    except (HydraException, OmegaConfBaseException) as error:
        from ablation.cli.config_errors import explain

        _refuse(explain(error, CONFIG_DIRECTORY, sys.argv[1:]))


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
