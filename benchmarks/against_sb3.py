"""`make bench-published`: our DQN and Stable-Baselines3's with equal settings, by distribution.

Scores are the mean return of 20 greedy episodes after training, one for each seed. SB3's runs are
kept one by one in results/benchmarks/sb3, so that the comparison goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import stats

from ablation.config.parse import parse
from ablation.training.dqn import DQNTrainer
from analysis.statistics import mean
from benchmarks.setting import default_values

EPISODES = 20
CACHE = Path("results/benchmarks/sb3")
OUTPUT = Path("results/benchmarks/against_sb3.json")


@dataclass(frozen=True)
class Case:
    """Settings in our keys, and the keywords of SB3's DQN that say the same."""

    name: str
    env_id: str
    steps: int
    seeds: int
    agent: dict[str, Any]
    replay: dict[str, Any]
    sb3: dict[str, Any]


def _shared(name: str, env_id: str) -> Case:
    """Return a case of settings that both sides express alike."""
    agent = {
        "hidden_sizes": [64, 64],
        "batch_size": 64,
        "learning_rate": 1e-3,
        "target_update_period": 250,
        "learn_period": 2,
        "exploration_epsilon": {"start": 1.0, "end": 0.05, "steps": 4000},
    }
    replay = {"capacity": 20_000, "min_replay_size": 500}
    sb3 = {"train_freq": 2, "gradient_steps": 1, "target_update_interval": 250}
    return Case(name, env_id, 20_000, 20, agent, replay, sb3)


RLZOO_CARTPOLE = Case(
    "rl-zoo's settings, CartPole-v1",
    "CartPole-v1",
    50_000,
    10,
    {
        "hidden_sizes": [256, 256],
        "batch_size": 64,
        "learning_rate": 2.3e-3,
        "target_update_period": 10,
        "learn_period": 256,
        "replay_ratio": 0.5,
        "exploration_epsilon": {"start": 1.0, "end": 0.04, "steps": 8000},
    },
    {"capacity": 100_000, "min_replay_size": 1000},
    {"train_freq": 256, "gradient_steps": 128, "target_update_interval": 10},
)

CASES = [
    _shared("CartPole-v1", "CartPole-v1"),
    _shared("Acrobot-v1", "Acrobot-v1"),
    RLZOO_CARTPOLE,
]

COMMON: dict[str, Any] = {
    "loss": "huber",
    "double_q": False,
    "max_gradient_norm": 10.0,
    "discount": 0.99,
    "adam_epsilon": 1e-8,
}
"""What SB3's DQN does where its keywords say nothing else."""


def our_scores(case: Case) -> list[float]:
    """Train all seeds as lanes and return their scores."""
    values = default_values()
    values["env"]["id"] = case.env_id
    values["agent"] |= COMMON | case.agent
    values["replay"] |= case.replay
    values["train"] |= {
        "env_steps": case.steps,
        "evaluate_every": case.steps,
        "evaluation_episodes": EPISODES,
    }
    trainer = DQNTrainer(parse(values), range(case.seeds), torch.device("cpu"))
    records = trainer.run()
    trainer.close()
    return [
        float(np.mean([row["episode_return"] for row in lane.evaluations])) for lane in records.lanes
    ]


def sb3_score(case: Case, seed: int) -> float:
    """Train one SB3 run and return its score, or return the score that was kept."""
    kept = CACHE / f"{case.name.replace(' ', '-')}-{seed}.json"
    if kept.exists():
        return float(json.loads(kept.read_text())["score"])
    import gymnasium
    from stable_baselines3 import DQN
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    exploration = case.agent["exploration_epsilon"]
    model = DQN(
        "MlpPolicy",
        case.env_id,
        learning_rate=case.agent["learning_rate"],
        buffer_size=case.replay["capacity"],
        learning_starts=case.replay["min_replay_size"],
        batch_size=case.agent["batch_size"],
        gamma=COMMON["discount"],
        exploration_fraction=exploration["steps"] / case.steps,
        exploration_initial_eps=exploration["start"],
        exploration_final_eps=exploration["end"],
        max_grad_norm=COMMON["max_gradient_norm"],
        policy_kwargs={"net_arch": case.agent["hidden_sizes"]},
        device="cpu",
        seed=seed,
        **case.sb3,
    )
    model.learn(case.steps)
    environment = Monitor(gymnasium.make(case.env_id))
    environment.reset(seed=10_000 + seed)
    score, _ = evaluate_policy(model, environment, n_eval_episodes=EPISODES)
    CACHE.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"score": float(score)}) + "\n")
    return float(score)


def main() -> None:
    """Train what is missing, print the comparison and write the JSON file."""
    argparse.ArgumentParser(prog="python -m benchmarks.against_sb3", description=__doc__).parse_args()
    torch.set_num_threads(1)
    table = Table(box=None, title="Equal settings: mean [95 %], quartiles")
    for heading in ("case", "ours", "SB3", "difference [95 %]", "Mann-Whitney p", "n"):
        table.add_column(heading)
    report = {}
    for case in CASES:
        ours = np.array(our_scores(case))
        theirs = np.array([sb3_score(case, seed) for seed in range(case.seeds)])
        welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        difference = ours.mean() - theirs.mean()
        p_value = stats.mannwhitneyu(ours, theirs).pvalue
        texts = [_text(sample) for sample in (ours, theirs)]
        interval = f"{difference:+.1f} [{welch.low:.1f}, {welch.high:.1f}]"
        table.add_row(case.name, *texts, interval, f"{p_value:.3f}", str(case.seeds))
        report[case.name] = {"ours": ours.tolist(), "sb3": theirs.tolist()}
        Console(stderr=True).print(case.name, *texts, interval, f"p {p_value:.3f}")
    Console(width=150).print(table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _text(sample: np.ndarray) -> str:
    interval = mean(sample)
    low, middle, high = np.percentile(sample, [25, 50, 75])
    return (
        f"{interval.value:.1f} [{interval.low:.1f}, {interval.high:.1f}], "
        f"{low:.0f} / {middle:.0f} / {high:.0f}"
    )


if __name__ == "__main__":
    main()
