"""Makes a user's sampler or eviction rule, and keeps its state in checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch

from ablation.config.registry import load_component

_OBJECT = "attributes of an object"
_PLAIN = (torch.Tensor, bool, int, float, str, type(None))


class ComponentError(Exception):
    """A user's class does not do what its place asks for; says what it did and what was expected."""


def make_component(
    path: str, methods: Collection[str], arguments: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """Return an instance of the class at an import path, made with `arguments` and its own `options`.

    Raises `ComponentError` where it cannot be imported or made, or lacks one of `methods`.
    """
    try:
        factory = load_component(path)
    except Exception as error:
        raise ComponentError(f"{path} cannot be imported: {_line(error)}") from error
    try:
        component = factory(**arguments, **options)
    except Exception as error:
        given = ", ".join([*arguments, *options])
        raise ComponentError(f"{path}({given}) cannot be made: {_line(error)}") from error
    for name in methods:
        if not callable(getattr(component, name, None)):
            raise ComponentError(f"{path} has no method {name}; it needs {', '.join(methods)}")
    try:
        state_of(component)
    except ComponentError as error:
        raise ComponentError(f"{path}: {error}") from None
    return component


def state_of(component: Any) -> Any:
    """Return what its own `state` returns, else its attributes; arrays as tensors that share memory."""
    if callable(getattr(component, "state", None)):
        return _saved(component.state(), "state()")
    return _saved_attributes(component, "")


def restore_state(component: Any, state: Any) -> None:
    """Go on from a state that `state_of` returned, in a component made alike."""
    if callable(getattr(component, "restore", None)):
        component.restore(_restored(None, state))
    else:
        _restored(component, state)


def _saved_attributes(owner: Any, name: str) -> dict[str, Any]:
    prefix = f"{name}." if name else ""
    return {_OBJECT: {key: _saved(value, prefix + key) for key, value in vars(owner).items()}}


def _saved(value: Any, name: str) -> Any:
    """Return a value as tensors and plain values; raises `ComponentError` for what no file can hold."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "bif":
        return torch.from_numpy(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _saved(part, f"{name}[{key!r}]") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_saved(part, f"{name}[{place}]") for place, part in enumerate(value)]
    if isinstance(value, np.random.Generator | np.random.RandomState | torch.Generator):
        raise ComponentError(f"{name} is a random generator; random numbers come as an argument instead")
    if hasattr(value, "__dict__") and not callable(value):
        return _saved_attributes(value, name)
    raise ComponentError(
        f"{name} is a {type(value).__name__}; a checkpoint keeps arrays, tensors, numbers, text, lists, "
        "dicts and objects of these: write methods state() and restore(state) for others"
    )


def _restored_array(now: Any, saved: torch.Tensor) -> Any:
    if isinstance(now, torch.Tensor):
        return now.copy_(saved) if now.shape == saved.shape else saved.clone()
    if isinstance(now, np.ndarray) and now.shape == tuple(saved.shape):
        now[...] = saved.numpy()
        return now
    return saved.numpy().copy()


def _restored(now: Any, saved: Any) -> Any:
    """Return a saved value, written into the arrays and objects that are there where they fit."""
    if isinstance(saved, torch.Tensor):
        return _restored_array(now, saved)
    if isinstance(saved, dict) and _OBJECT in saved:
        for key, value in saved[_OBJECT].items():
            setattr(now, key, _restored(getattr(now, key, None), value))
        return now
    if isinstance(saved, dict):
        by_key = now if isinstance(now, dict) else {}
        return {key: _restored(by_key.get(key), part) for key, part in saved.items()}
    if isinstance(saved, list):
        there = [*now] if isinstance(now, list | tuple) else []
        there += [None] * (len(saved) - len(there))
        parts = [_restored(*pair) for pair in zip(there, saved, strict=False)]
        if hasattr(now, "_fields"):
            return type(now)(*parts)
        return tuple(parts) if isinstance(now, tuple) else parts
    return saved


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
