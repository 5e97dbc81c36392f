"""Checks the network, loss and optimizer of the user's: they are made, and take two gradient steps.

Steps are on small random batches, in two lanes and in one of them alone, in this process.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ablation.agent.learner import Learner
from ablation.agent.make_network import make_network
from ablation.agent.optimizers import make_optimizer
from ablation.agent.own_loss import OwnLoss, losses_of_lanes, own_loss
from ablation.config.registry import load_component
from ablation.config.schema import AgentConfig
from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError
from ablation.numerics.random_streams import Stream

NETWORK, LOSS, OPTIMIZER = "agent.network", "agent.loss", "agent.optimizer"
BATCH = 3
CPU = torch.device("cpu")
NOT_INDEPENDENT = ("_BatchNorm", "_DropoutNd", "RReLU")
"""Classes of `torch.nn` whose layers mix the examples of a batch or draw from a global generator."""

Shape = tuple[int, ...]


def check_own_parts(agent: AgentConfig, shape: Shape, actions: int) -> None:
    """Raise `ConfigError` for the first of the user's parts that does not fit, and what was expected."""
    threads = torch.get_num_threads()
    # As in workers; networks as small as these would only wait for a second one.
    torch.set_num_threads(1)
    try:
        _check(agent, shape, actions)
    finally:
        torch.set_num_threads(threads)


def _check(agent: AgentConfig, shape: Shape, actions: int) -> None:
    if agent.network is not None:
        module = _made(agent, agent.network, shape, actions)
        _check_layers(agent.network, module)
        _check_values(agent.network, module, shape, actions)
    _check_loss(agent, shape, actions)
    if is_component(agent.optimizer):
        _check_optimizer(agent)
    _check_lanes(agent, shape, actions)


def _made(agent: AgentConfig, path: str, shape: Shape, actions: int) -> nn.Module:
    factory = _tried(NETWORK, path, "cannot be imported", lambda: load_component(path))
    options = agent.network_options
    given = ", ".join([str(shape), str(actions), *(f"{key}={value}" for key, value in options.items())])
    called = f"called as (observation_shape, actions, **agent.network_options) = ({given}), it failed"
    module = _tried(NETWORK, path, called, lambda: factory(shape, actions, **options))
    if not isinstance(module, nn.Module):
        raise ConfigError(NETWORK, path, f"must return a torch.nn.Module, not {type(module).__name__}")
    return module


def _check_layers(path: str, module: nn.Module) -> None:
    for name, layer in module.named_modules():
        if any(one.__name__ in NOT_INDEPENDENT for one in type(layer).__mro__):
            allowed = (
                f"its layer '{name}' is {type(layer).__name__}: examples, and so seeds, would not "
                "be independent; use LayerNorm, or noise as an input (noise_size)"
            )
            raise ConfigError(NETWORK, path, allowed)
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.UninitializedParameter):
            raise ConfigError(NETWORK, path, f"its parameter '{name}' has no shape yet: give its sizes")
        if parameter.dtype != torch.get_default_dtype():
            raise ConfigError(NETWORK, path, f"its parameter '{name}' is {parameter.dtype}, not float32")
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ConfigError(NETWORK, path, "has no parameters to train")


def _check_values(path: str, module: nn.Module, shape: Shape, actions: int) -> None:
    size = getattr(module, "noise_size", 0)
    inputs, noise = torch.rand((BATCH, *shape)), [torch.zeros(size)] if size else []
    called = f"forward(observation {[BATCH, *shape]}{f', noise {[size]}' if size else ''})"
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    values = _tried(NETWORK, path, f"{called} failed", lambda: module(inputs, *noise))
    _check_tensor(NETWORK, path, f"{called} must return values", values, (BATCH, actions))
    for name, buffer in module.named_buffers():
        if not torch.equal(buffer, before[name]):
            raise ConfigError(NETWORK, path, f"{called} changed its buffer '{name}': it keeps state")


def _check_loss(agent: AgentConfig, shape: Shape, actions: int) -> None:
    """Call the user's loss once and look at what it returns."""
    key, path = (LOSS, agent.loss) if is_component(agent.loss) else (NETWORK, str(agent.network))
    network, rows = make_network(agent, [0, 1], shape, actions, CPU)
    loss = _tried(key, path, "cannot be imported", lambda: own_loss(agent, network))
    if loss is None:
        return
    batch, weights = _batch([0, 1], shape, actions, torch.Generator().manual_seed(0))
    watched, noise = _watched(loss, key, path), network.noise(Stream.NOISE, 1, 2)
    both = rows.requires_grad_(), rows.detach()
    doing = "loss(online, target, batch, weights) failed"
    arguments = network, agent.double_q, both, noise, batch, weights
    losses = _tried(key, path, doing, lambda: losses_of_lanes(watched, *arguments)).losses
    if not losses.requires_grad:
        raise ConfigError(key, path, "its losses do not depend on the parameters of online")


def _watched(loss: OwnLoss, key: str, path: str) -> OwnLoss:
    """Return a loss that raises `ConfigError` for what it should not return."""

    def checked(*arguments: Any) -> tuple[Tensor, Tensor]:
        result = loss(*arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            allowed = f"must return two tensors, losses and errors, not {type(result).__name__}"
            raise ConfigError(key, path, f"loss(online, target, batch, weights) {allowed}")
        for name, value in zip(("losses", "errors"), result, strict=True):
            called = f"loss(online, target, batch, weights) must return {name}"
            _check_tensor(key, path, called, value, (BATCH,))
        return result

    return checked


def _check_optimizer(agent: AgentConfig) -> None:
    path, parameters = agent.optimizer, nn.Parameter(torch.ones(2, 64))
    given = ", ".join(["params", "lr", *agent.optimizer_options])
    made = _tried(
        OPTIMIZER, path, f"called as ({given}), it failed", lambda: make_optimizer(agent, parameters)
    )
    if not isinstance(made, torch.optim.Optimizer):
        allowed = f"must be a class of torch.optim.Optimizer; it made a {type(made).__name__}"
        raise ConfigError(OPTIMIZER, path, allowed)


def _check_lanes(agent: AgentConfig, shape: Shape, actions: int) -> None:
    """Train two lanes, and one of them alone, and compare."""
    key, path = NETWORK, agent.network
    if is_component(agent.loss):
        key, path = LOSS, agent.loss
    if is_component(agent.optimizer):
        key, path = OPTIMIZER, agent.optimizer
    assert path is not None

    def train(lanes: list[int]) -> Tensor:
        return _trained(agent, lanes, shape, actions)

    together = _tried(key, path, "a gradient step failed", lambda: train([0, 1]))
    if torch.equal(together[1:], train([1])):
        return
    if not torch.equal(together, train([0, 1])):
        allowed = (
            "must train the same twice: random numbers come from PyTorch while it is made, or as noise"
        )
    elif key == OPTIMIZER:
        allowed = "must be element-wise: a seed's parameters changed with the seed beside it"
    else:
        allowed = "must compute each seed by itself: its parameters changed with the seed beside it"
    raise ConfigError(key, path, allowed)


def _trained(agent: AgentConfig, lanes: list[int], shape: Shape, actions: int) -> Tensor:
    """Return the parameters `[L, P]` of lanes after two gradient steps."""
    learner = Learner(agent, lanes, shape, actions, CPU)
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        learner.update(*_batch(lanes, shape, actions, generator))
    return learner.parameters.online


def _batch(
    lanes: list[int], shape: Shape, actions: int, generator: torch.Generator
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the batch and weights of some of two lanes."""

    def rows(*sizes: int) -> Tensor:
        return torch.rand((2, BATCH, *sizes), generator=generator)[lanes].contiguous()

    size = torch.Size(shape).numel()
    batch = {"observation": rows(size), "next_observation": rows(size)}
    batch |= {"reward": rows(), "discount": rows(), "action": (rows() * actions).long()}
    return batch, rows()


def _check_tensor(key: str, path: str, called: str, value: object, shape: Shape) -> None:
    if not isinstance(value, Tensor):
        raise ConfigError(key, path, f"{called} {list(shape)}, not a {type(value).__name__}")
    if tuple(value.shape) != shape or not value.is_floating_point():
        given = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        raise ConfigError(key, path, f"{called} {list(shape)}, float32, not {given}")


def _tried(key: str, path: str, doing: str, call: Callable[[], Any]) -> Any:
    """Return what a call of the user's code returns; raises `ConfigError` with its exception's place."""
    try:
        return call()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        line = (str(error).splitlines() or [""])[0]
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not _NOT_OWN & set(Path(frame.filename).parts)]
        place = (own or frames)[-1]
        where = f"{place.filename}, line {place.lineno}"
        allowed = f"{doing}: {type(error).__name__}: {line} ({where})"
        raise ConfigError(key, path, allowed) from None


_NOT_OWN = {"site-packages", "dist-packages", "ablation"}
