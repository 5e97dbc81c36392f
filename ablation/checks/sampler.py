"""The properties of a user's sampler or eviction rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ablation.checks.frequencies import LEVEL, compare_frequencies
from ablation.checks.outcome import Counterexample, Outcome, Resolve
from ablation.checks.play import FIRST, Play, Trace
from ablation.config.registry import load_component
from ablation.config.schema import CellConfig
from ablation.numerics.global_generators import seed_all, used_since
from ablation.replay.component import ComponentError
from ablation.training.dqn import DQNTrainer

CAPACITY, BATCH, STEPS = 23, 4, 120
"""Sizes of the scripted buffers, which wrap around several times."""
WRAPS: dict[str, Mapping[str, Any]] = {
    "the oldest item evicted": {},
    "a random item evicted": {"replay.eviction": "random"},
    "returns of 3 steps": {"replay.n_step": 3},
    "combined with the newest": {"replay.combined": True},
}
SPEED_LANES, SPEED_STEPS, SPEED_ROUNDS = 32, 200, 3
SLOWEST = 10
"""Times the built-in uniform sampler's time from which on training is not worth waiting for."""


@dataclass(frozen=True)
class Subject:
    """The component under test: the overrides that select it, and whether it evicts or draws."""

    chosen: Mapping[str, Any]
    resolve: Resolve
    evicts: bool

    def config(self, changes: Mapping[str, Any]) -> CellConfig:
        """Return a small configuration with the component and with other keys changed."""
        sizes = {
            "replay.capacity": CAPACITY,
            "replay.min_replay_size": BATCH + 4,
            "agent.batch_size": BATCH,
            "train.env_steps": 10_000,
            "replay.importance_sampling_exponent": 0.5,
        }
        return self.resolve(sizes | dict(changes) | dict(self.chosen))

    def settings(self) -> Iterator[tuple[str, CellConfig]]:
        """Yield the ways in which a buffer is filled, with their names."""
        for name, changes in WRAPS.items():
            if not (self.evicts and "replay.eviction" in changes):
                yield name, self.config(changes)


def subject_of(path: str, options: Mapping[str, Any], resolve: Resolve) -> Subject:
    """Return the class at an import path as a subject; raises `ComponentError` if it has no import."""
    try:
        evicts = hasattr(load_component(path), "evict")
    except Exception as error:
        raise ComponentError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    chosen = {"replay.kind": path, "replay.options": dict(options)}
    if evicts:
        chosen = {"replay.eviction": path, "replay.eviction_options": dict(options)}
    return Subject(chosen, resolve, evicts)


def check_sampler(subject: Subject, names: Iterable[str] | None = None) -> Iterator[Outcome]:
    """Yield the outcome of every property, or of those named; the first failure explains most."""
    broken = False
    for name in PROPERTIES if names is None else names:
        prove = PROPERTIES[name]
        if broken:
            yield Outcome(name, None, "not checked: it did not come so far")
            continue
        try:
            yield Outcome(name, True, prove(subject))
        except Counterexample as shown:
            yield Outcome(name, False, str(shown))
        except ComponentError as error:
            broken = True
            yield Outcome(name, False, str(error))
        except Exception as error:
            broken = True
            yield Outcome(name, False, f"{type(error).__name__}: {error}{where(error)}")


def _runs_through(subject: Subject) -> str:
    """Slots are in range through wrap-around, ends of episodes and every way of eviction."""
    for name, config in subject.settings():
        try:
            Play(config, [0, 1]).run(STEPS)
        except ComponentError as error:
            raise ComponentError(f"{error} ({name}, capacity {CAPACITY})") from error
    return f"{STEPS} steps with capacity {CAPACITY}; {', '.join(name for name, _ in subject.settings())}"


def _alone_and_among_others(subject: Subject) -> str:
    for name, config in subject.settings():
        seeds = [0, 1, 2]
        together = Play(config, seeds).run(STEPS)
        for lane, seed in enumerate(seeds):
            alone = Play(config, [seed]).run(STEPS)
            words = f"for seed {seed} alone", f"among seeds {seeds} ({name})"
            alone.require_same(0, together, lane, words)
    return "each of three seeds draws the same bits alone and among the others"


def _neighbors(subject: Subject) -> str:
    for name, config in subject.settings():
        first = Play(config, [0, 1]).run(STEPS)
        other = Play(config, [0, 7]).run(STEPS)
        first.require_same(0, other, 0, ("for seed 0 beside seed 1", f"beside seed 7 ({name})"))
    return "seed 0 draws the same bits beside seed 1 and beside seed 7"


def _round_trip(subject: Subject) -> str:
    for name, config in subject.settings():
        whole = Play(config, [0, 1]).run(STEPS)
        for at in (FIRST + 3, CAPACITY + 5, 4 * CAPACITY + 1):
            resumed = Play(config, [0, 1]).run(STEPS, round_trip_at=at)
            for lane in (0, 1):
                words = f"uninterrupted (seed {lane})", f"resumed at step {at} ({name})"
                whole.require_same(lane, resumed, lane, words)
    return "saved and restored at three steps, it goes on with the same bits"


def _no_global_randomness(subject: Subject) -> str:
    config = subject.config({})
    first = _with_global_seed(1, config)
    second = _with_global_seed(2, config)
    first.require_same(0, second, 0, ("in a first run of seed 0", "in a second one"))
    return "two runs draw the same bits, whatever the global generators' state"


def _with_global_seed(seed: int, config: CellConfig) -> Trace:
    before = seed_all(seed)
    trace = Play(config, [0, 1]).run(STEPS)
    if used := used_since(before):
        raise Counterexample(f"it draws from {used}; use its argument random")
    return trace


def _frequencies(subject: Subject) -> str:
    if subject.evicts:
        return "an eviction rule draws no batches"
    tests = 0
    for name, config in subject.settings():
        for items in (FIRST, CAPACITY, STEPS // 2, STEPS) if not config.replay.combined else ():
            play = Play(config, [0, 1])
            play.run(items)
            if not play.buffer.sampler.weighted:
                return "not stated: the class has no method probabilities"
            tests += compare_frequencies(play, f"after {items} steps, {name}")
    return (
        f"agree with probabilities in {tests} chi-squared tests at a level of {LEVEL} for all together"
    )


def _speed(subject: Subject) -> str:
    sizes = {
        "replay.capacity": 1000 if subject.evicts else 10_000,
        "replay.min_replay_size": 1000,
        "agent.batch_size": 32,
        "train.env_steps": 100_000,
    }
    own = subject.resolve(sizes | dict(subject.chosen))
    uniform = subject.resolve(sizes | {"replay.kind": "uniform"})
    ratios = {}
    for how, in_blocks in (("step by step", False), ("in compiled blocks", True)):
        trainers = [_trainer(config, in_blocks) for config in (own, uniform)]
        if in_blocks and not trainers[0].in_blocks:
            continue
        times = np.array([_seconds(trainers) for _ in range(SPEED_ROUNDS)]).min(axis=0)
        ratios[how] = times[0] / times[1]
    seen = ", ".join(f"{ratio:.2f} {how}" for how, ratio in ratios.items())
    seen = f"{seen} times the time of training with the built-in uniform ({SPEED_LANES} seeds)"
    if max(ratios.values()) > SLOWEST:
        raise Counterexample(f"{seen}; at most {SLOWEST} are allowed")
    return seen


def _trainer(config: CellConfig, in_blocks: bool) -> DQNTrainer:
    seeds, device = range(SPEED_LANES), torch.device("cpu")
    trainer = DQNTrainer(config, seeds, device, diagnosed=False, in_blocks=in_blocks)
    trainer.advance(config.replay.min_replay_size + SPEED_STEPS)
    return trainer


def _seconds(trainers: Sequence[DQNTrainer]) -> list[float]:
    times = []
    for trainer in trainers:
        began = time.perf_counter()
        trainer.advance(SPEED_STEPS)
        times.append(time.perf_counter() - began)
    return times


def where(error: Exception) -> str:
    """Return the last place of an exception's traceback, in brackets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


PROPERTIES: dict[str, Callable[[Subject], str]] = {
    "slots in range": _runs_through,
    "no global randomness": _no_global_randomness,
    "lanes alone and among others": _alone_and_among_others,
    "neighbors change nothing": _neighbors,
    "checkpoint round trip": _round_trip,
    "drawn frequencies": _frequencies,
    "speed against uniform": _speed,
}
"""Each returns what it saw, or raises `Counterexample`."""
