"""The command line: `python -m ablation [plan|status] [key=value ...]`, Hydra's syntax throughout."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablation.config import ConfigError

EXIT_REFUSED = 2
CONFIG_DIRECTORY = str(Path(__file__).resolve().parent.parent / "conf")


@hydra.main(version_base="1.3", config_path=CONFIG_DIRECTORY, config_name="config")
def train_job(config: DictConfig) -> None:
    """Train the one job that the sweeper worded; this is what a launcher runs."""
    from ablation.config import CELL_SECTIONS, parse, validate
    from ablation.job import Job, run_job
    from ablation.store import Store
    from ablation.tracking import TrackingConfig
    from analysis.scores import summary_scores

    values: Any = OmegaConf.to_container(config, resolve=True)
    cell = parse({section: values[section] for section in CELL_SECTIONS})
    run_job(
        cell,
        validate(Job, values["job"], prefix="job."),
        validate(TrackingConfig, values["tracking"], prefix="tracking."),
        Store(values["results_dir"]),
        partial(summary_scores, env_id=cell.env.id),
    )


def main() -> None:
    """Run a command; a refused configuration ends with one message and exit status 2."""
    # Errors come to us instead of being printed and turned into exit status 1 by Hydra.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        if sys.argv[1:2] and sys.argv[1] in ("plan", "status"):
            from hydra_plugins.ablation.commands import COMMANDS

            COMMANDS[sys.argv[1]](CONFIG_DIRECTORY, sys.argv[2:])
        else:
            train_job()
    except ConfigError as error:
        _refuse(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        from hydra_plugins.ablation.commands import explain

        _refuse(explain(error, CONFIG_DIRECTORY, sys.argv[1:]))


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
