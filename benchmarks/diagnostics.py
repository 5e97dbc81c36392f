"""What the diagnostics cost: training with and without them, in turns, in one process."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ablation.config.parse import parse
from ablation.config.schema import CELL_SECTIONS, CellConfig
from ablation.training.dqn import DQNTrainer

CONF = Path(__file__).parent.parent / "conf"
OUTPUT = Path("results/benchmarks/diagnostics.json")
PERIODS_BEFORE = 4


def default_cell(kind: str) -> CellConfig:
    """Return the default configuration with another replay kind."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=[f"replay={kind}"])
    values = {name: OmegaConf.to_container(composed[name], resolve=True) for name in CELL_SECTIONS}
    return parse(values)


def added_share(kind: str, lanes: int, rounds: int) -> dict[str, float]:
    """Return what diagnostics add to the processor's time, as median, smallest and largest share.

    Both trainers take the same logging periods one after the other, the first of them in turns.
    """
    config = default_cell(kind)
    every = config.train.log_every
    trainers = [
        DQNTrainer(config, range(lanes), torch.device("cpu"), diagnosed=looked)
        for looked in (False, True)
    ]
    for trainer in trainers:
        trainer.advance(PERIODS_BEFORE * every)
    shares = []
    for number in range(rounds):
        seconds = [0.0, 0.0]
        for index in (0, 1) if number % 2 else (1, 0):
            began = time.process_time()
            trainers[index].advance(every)
            seconds[index] = time.process_time() - began
        shares.append(seconds[1] / seconds[0] - 1)
    quarters = statistics.quantiles(shares, n=4)
    return {"median": quarters[1], "lower_quartile": quarters[0], "upper_quartile": quarters[2]}


def main() -> None:
    """Print and write the share of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    found = {}
    for kind in ("none", "uniform", "proportional", "rank"):
        found[kind] = added_share(kind, arguments.lanes, arguments.rounds)
        line = "  ".join(f"{name} {100 * value:.1f} %" for name, value in found[kind].items())
        print(f"{kind}, {arguments.lanes} lanes, {arguments.rounds} periods: {line}", flush=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
