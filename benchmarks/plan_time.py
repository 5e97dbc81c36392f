"""Times a plan of 1,000 cells, the start of its process included; `benchmarks.engine` runs this."""

from __future__ import annotations

import json
import time

import psutil
from hydra.types import RunMode

from ablation.cli.compose import Composer, plan_of, to_plain
from ablation.cli.config_errors import config_loader
from ablation.cli.main import CONFIG_DIRECTORY
from ablation.store.runs import Store
from ablation.sweep.config import parse_sweep_config
from ablation.sweep.estimates.forecast import forecast

STUDY = {
    "name": "wide",
    "question": "?",
    "environments": ["cartpole"],
    "baseline": {},
    "factors": {
        "batch": {"key": "agent.batch_size", "levels": list(range(1, 51))},
        "rate": {"key": "agent.learning_rate", "levels": [n / 1e4 for n in range(1, 21)]},
    },
    "design": "factorial",
    "seeds": 10,
    "primary_score": "final",
}
NO_RESULTS = "/none"


def main() -> None:
    """Print the number of cells and the seconds as JSON."""
    with config_loader(CONFIG_DIRECTORY) as loader:
        composer = Composer(loader)
        plan = plan_of(composer, STUDY, composer.read([]))
        values = to_plain(loader.load_configuration("config", [], RunMode.RUN))
        config = parse_sweep_config(values | {"results_dir": NO_RESULTS})
        arms = forecast(plan, config, Store(NO_RESULTS)).as_json()["arms"]
    assert len(arms) == len(plan.cells)
    seconds = {
        "seconds": time.time() - psutil.Process().create_time(),
        "processor_seconds": time.process_time(),
    }
    print(json.dumps({"cells": len(plan.cells), **seconds}))


if __name__ == "__main__":
    main()
