"""`make bench-published`: our DQN and Stable-Baselines3's with equal settings, by distribution.

Scores are the mean return of 20 greedy episodes after training, one for each seed. SB3's runs are
kept one by one in results/benchmarks/sb3, so that the comparison goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import stats

from ablation.config import parse
from ablation.train import Trainer
from analysis.statistics import mean
from benchmarks.setting import default_values

ENVIRONMENTS = ("CartPole-v1", "Acrobot-v1")
STEPS = 20_000
EPISODES = 20
CACHE = Path("results/benchmarks/sb3")
OUTPUT = Path("results/benchmarks/against_sb3.json")

AGENT: dict[str, Any] = {
    "hidden_sizes": [64, 64],
    "batch_size": 64,
    "learning_rate": 1e-3,
    "adam_epsilon": 1e-8,
    "discount": 0.99,
    "loss": "huber",
    "double_q": False,
    "max_gradient_norm": 10.0,
    "target_update_period": 250,
    "learn_period": 2,
    "exploration_epsilon": {"start": 1.0, "end": 0.05, "steps": 4000},
}
REPLAY: dict[str, Any] = {"kind": "uniform", "capacity": STEPS, "min_replay_size": 500}


def our_scores(env_id: str, seeds: int) -> list[float]:
    """Train all seeds as lanes and return their scores."""
    values = default_values()
    values["env"]["id"] = env_id
    values["agent"] |= AGENT
    values["replay"] |= REPLAY
    values["train"] |= {
        "env_steps": STEPS,
        "evaluate_every": STEPS,
        "evaluation_episodes": EPISODES,
    }
    trainer = Trainer(parse(values), range(seeds), torch.device("cpu"))
    records = trainer.run(lambda *_: None)
    trainer.close()
    return [
        float(np.mean([row["episode_return"] for row in lane.evaluations])) for lane in records.lanes
    ]


def sb3_score(env_id: str, seed: int) -> float:
    """Train one SB3 run and return its score, or return the score that was kept."""
    kept = CACHE / f"{env_id}-{seed}.json"
    if kept.exists():
        return float(json.loads(kept.read_text())["score"])
    import gymnasium
    from stable_baselines3 import DQN
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    exploration = AGENT["exploration_epsilon"]
    policy: dict[str, Any] = {"net_arch": AGENT["hidden_sizes"]}
    model = DQN(
        "MlpPolicy",
        env_id,
        learning_rate=AGENT["learning_rate"],
        buffer_size=REPLAY["capacity"],
        learning_starts=REPLAY["min_replay_size"],
        batch_size=AGENT["batch_size"],
        gamma=AGENT["discount"],
        train_freq=AGENT["learn_period"],
        gradient_steps=1,
        target_update_interval=AGENT["target_update_period"],
        exploration_fraction=exploration["steps"] / STEPS,
        exploration_initial_eps=exploration["start"],
        exploration_final_eps=exploration["end"],
        max_grad_norm=AGENT["max_gradient_norm"],
        policy_kwargs=policy,
        device="cpu",
        seed=seed,
    )
    model.learn(STEPS)
    environment = Monitor(gymnasium.make(env_id))
    environment.reset(seed=10_000 + seed)
    score, _ = evaluate_policy(model, environment, n_eval_episodes=EPISODES)
    CACHE.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"score": float(score)}) + "\n")
    return float(score)


def main() -> None:
    """Train what is missing, print the comparison and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against_sb3", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(box=None, title=f"Equal settings, {STEPS:,} steps: mean [95 %], quartiles")
    for heading in ("environment", "ours", "SB3", "difference [95 %]", "Mann-Whitney p", "n"):
        table.add_column(heading)
    report = {}
    for env_id in ENVIRONMENTS:
        ours = np.array(our_scores(env_id, arguments.seeds))
        theirs = np.array([sb3_score(env_id, seed) for seed in range(arguments.seeds)])
        welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        difference = ours.mean() - theirs.mean()
        p_value = stats.mannwhitneyu(ours, theirs).pvalue
        texts = [_text(sample) for sample in (ours, theirs)]
        interval = f"{difference:+.1f} [{welch.low:.1f}, {welch.high:.1f}]"
        table.add_row(env_id, *texts, interval, f"{p_value:.3f}", str(arguments.seeds))
        report[env_id] = {"ours": ours.tolist(), "sb3": theirs.tolist()}
    Console(width=150).print(table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=1) + "\n")
    print(f"Written: {OUTPUT}")


def _text(sample: np.ndarray) -> str:
    interval = mean(sample)
    low, middle, high = np.percentile(sample, [25, 50, 75])
    return (
        f"{interval.estimate:.1f} [{interval.low:.1f}, {interval.high:.1f}], "
        f"{low:.0f} / {middle:.0f} / {high:.0f}"
    )


if __name__ == "__main__":
    main()
