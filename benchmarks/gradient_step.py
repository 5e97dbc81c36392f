"""Time of a gradient step of one network, beside what the core's multiply-add units could do at best."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ablation.agent.layers import Layer, network_layers
from ablation.agent.learner import Learner
from ablation.config.parse import parse
from ablation.config.schema import AgentConfig
from benchmarks.measure import median, repeat
from benchmarks.setting import cell_values, young_values

HERE = Path(__file__).parent.parent
STEPS, CALLS = 8, 300
CASES = ("64-64, batch 32", "64-64, batch 128", "Young & Tian's, batch 32")


def case(name: str) -> tuple[AgentConfig, tuple[int, ...], int]:
    """Return a case's agent, the shape of its observations and its actions."""
    if "Young" in name:
        return parse(young_values(1000)).agent, (4, 10, 10), 6
    return parse(cell_values(1000, batch_size=int(name.rsplit(maxsplit=1)[-1]))).agent, (4,), 2


def multiply_adds(layers: list[Layer], batch: int, double_q: bool) -> int:
    """Return the multiply-adds of a gradient step's products: forward passes, weights, inputs."""
    sizes = [batch * layer.positions * layer.patch * layer.filters for layer in layers]
    # Forward two or three times, by the weights once, by the inputs once but for the first layer.
    return (4 if double_q else 3) * sum(sizes) + sum(sizes[1:])


def drawn(name: str, lanes: int) -> dict[str, Tensor]:
    """Return a random batch for each lane."""
    agent, shape, actions = case(name)
    generator, size = torch.Generator().manual_seed(0), (lanes, agent.batch_size)

    def observed() -> Tensor:
        uniform = torch.rand((*size, int(np.prod(shape))), generator=generator)
        return (uniform < 1 / 12).float() if len(shape) == 3 else uniform - 0.5

    return {
        "observation": observed(),
        "action": torch.randint(0, actions, size, generator=generator),
        "reward": torch.randn(size, generator=generator),
        "discount": torch.full(size, 0.99),
        "next_observation": observed(),
    }


def of_all_lanes(name: str) -> dict[str, float]:
    """Return the 10th percentile of a step's time for each lane, all lanes in one call from Python."""
    torch.set_num_threads(1)
    agent, shape, actions = case(name)
    lanes = 8 if len(shape) == 3 else 32
    learner = Learner(agent, range(lanes), shape, actions, torch.device("cpu"))
    batch, weights = drawn(name, lanes), torch.ones(lanes, agent.batch_size)
    return {"low": _low(lambda: learner.update(batch, weights)) / lanes}


def of_one_lane(name: str) -> dict[str, float]:
    """Return the 10th percentile of a step's time, one lane taking many in one compiled call."""
    from ablation.agent.kernels import Batch, LaneState, StepOutput
    from benchmarks.multiply_adds import gradient_steps

    agent, shape, actions = case(name)
    learner = Learner(agent, [0], shape, actions, torch.device("cpu"))
    batch = {field: values.numpy() for field, values in drawn(name, STEPS).items()}
    batches = Batch(weight=np.ones((STEPS, agent.batch_size), np.float32), **batch)
    engine: Any = learner.backend
    engine._steps = 1
    state = LaneState(*(rows[0] for rows in engine._lanes))
    output = StepOutput(*(np.zeros(agent.batch_size, np.float32) for _ in range(3)))
    constants, space = engine._constants_of_step(), engine._workspace(agent.batch_size)
    arguments = state, engine._network, batches, constants, space, output, STEPS
    return {"low": _low(lambda: gradient_steps(*arguments)) / STEPS}


def _low(work: Callable[[], object]) -> float:
    """Return the 10th percentile of the time that something takes, in microseconds."""
    work()
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1e6)
    return sorted(taken)[CALLS // 10]


def peak() -> dict[str, float]:
    """Return the multiply-adds a microsecond that independent sums in registers reach, at the widest."""
    from benchmarks.multiply_adds import SUMS, multiply_add_loop

    half = np.float32(0.5)
    work = SUMS * multiply_add_loop(1, half, half)[1]
    return {"rate": _best_rate(lambda times: multiply_add_loop(times, half, half), work, 20_000)}


def product_rates() -> dict[str, dict[str, float]]:
    """Return multiply-adds a microsecond of Young & Tian's products, ours and OpenBLAS's."""
    from benchmarks.multiply_adds import openblas, ours

    agent, shape, actions = case("Young & Tian's")
    rates: dict[str, dict[str, float]] = {}
    generator = np.random.default_rng(0)
    for layer in network_layers(agent.convolutions, agent.hidden_sizes, shape, actions)[:2]:
        rows = agent.batch_size * layer.positions
        inputs, above = (
            generator.standard_normal((rows, n), np.float32) for n in (layer.patch, layer.filters)
        )
        weight = generator.standard_normal((layer.patch, layer.filters), np.float32)
        work = rows * weight.size
        for name, left, right in (
            (f"{rows} x {layer.patch} by {layer.patch} x {layer.filters}", inputs, weight),
            (f"{layer.patch} x {rows} by {rows} x {layer.filters}", inputs.T, above),
            (f"{layer.patch} x {layer.filters} by {layer.filters} x {rows}", weight, above.T.copy()),
        ):
            result, times = (
                np.empty((left.shape[0], right.shape[1]), np.float32),
                max(1, 2 * 10**7 // work),
            )
            ways = {"ours": ours, "openblas": openblas}
            rates[name] = {
                way: _best_rate(partial(function, left, right, result), work, times)
                for way, function in ways.items()
            }
    return rates


def _best_rate(work: Callable[[int], object], multiply_adds: int, times: int) -> float:
    work(1)
    rates = []
    for _ in range(20):
        began = time.perf_counter()
        work(times)
        rates.append(times * multiply_adds / (time.perf_counter() - began) / 1e6)
    return max(rates)


def main() -> None:
    """Measure in fresh processes that take turns, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gradient_step", description=__doc__)
    parser.add_argument(
        "--beside", type=Path, help="the directory of another checkout, measured in turn"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    console = Console(width=120)
    peaks = [run["rate"] for run in repeat({"": _code(HERE, "peak")}, arguments.repetitions)[""]]
    console.print(
        f"Peak of one core: {_range([rate / 1e3 for rate in peaks])} 10^9 multiply-adds a second"
    )
    console.print(_peak_table(arguments.repetitions, median(peaks)))
    console.print(_product_table(arguments.repetitions))
    console.print(_engine_table(arguments.beside, arguments.repetitions))


def _peak_table(repetitions: int, peak_rate: float) -> Table:
    table = _table("Microseconds of a gradient step, many in one compiled call", "step", "share of peak")
    results = repeat({name: _code(HERE, "of_one_lane", name) for name in CASES}, repetitions)
    for name, runs in results.items():
        agent, shape, actions = case(name)
        layers = network_layers(agent.convolutions, agent.hidden_sizes, shape, actions)
        least = multiply_adds(layers, agent.batch_size, agent.double_q) / peak_rate
        steps = [run["low"] for run in runs]
        table.add_row(name, _range(steps), _range([100 * least / step for step in steps]) + " %")
    return table


def _engine_table(beside: Path | None, repetitions: int) -> Table:
    title = "Microseconds of a gradient step for each lane, one call from Python for all"
    if beside is None:
        table, checkouts = _table(title, "here"), [HERE]
    else:
        table, checkouts = _table(title, "there", "here", "here / there"), [beside.resolve(), HERE]
    for name in CASES:
        codes = {str(checkout): _code(checkout, "of_all_lanes", name) for checkout in checkouts}
        results = repeat(codes, repetitions)
        runs = [[run["low"] for run in results[str(checkout)]] for checkout in checkouts]
        ratios = [here / there for there, here in zip(runs[0], runs[-1], strict=True)]
        table.add_row(name, *map(_range, [*runs, ratios][: len(table.columns) - 1]))
    return table


def _product_table(repetitions: int) -> Table:
    title = "10^9 multiply-adds a second of products, Young & Tian's network"
    table = _table(title, "ours", "OpenBLAS", "ratio")
    results = repeat({"": _code(HERE, "product_rates")}, repetitions)[""]
    for name in results[0]:
        pairs = [[run[name][way] / 1e3 for run in results] for way in ("ours", "openblas")]
        ratios = [ours / theirs for ours, theirs in zip(*pairs, strict=True)]
        table.add_row(name, *map(_range, pairs), _range(ratios))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(box=None, title=f"{title}: median (range)")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _range(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} - {max(values):.2f})"


def _code(checkout: Path, function: str, *arguments: Any) -> str:
    """Return code that runs a function of this file on the modules of a checkout."""
    return (
        f"import json, runpy, sys; sys.path.insert(0, {str(checkout)!r})\n"
        f"measured = runpy.run_path({__file__!r})[{function!r}]\n"
        f"print(json.dumps(measured(*{arguments!r})))"
    )


if __name__ == "__main__":
    main()
