"""A stand-in for CUDA graphs on the processor: records PyTorch's operations once and repeats those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ablation.capture import WARM_UP

WAITING = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "unique", "equal")
"""Operations that an accelerator has to finish before Python can go on."""


class Tape(TorchDispatchMode):
    """Records the operations of a body on the tensors that they worked on."""

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, Any, Any, list[Any]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITING, f"{name} waits for the device"
        indices = args[1] if name.startswith("index") and isinstance(args[1], list) else []
        assert not any(index is not None and index.dtype == torch.bool for index in indices), name
        result = func(*args, **(kwargs or {}))
        self._operations.append((func, args, kwargs or {}, tree_leaves(result)))
        return result

    def replay(self) -> None:
        """Do the same operations again, results going where they went."""
        for func, args, kwargs, results in self._operations:
            for new, old in zip(tree_leaves(func(*args, **kwargs)), results, strict=True):
                if isinstance(new, Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)


class Taped:
    """What `Captured` is on an accelerator: Python runs in the first calls alone."""

    def __init__(self, body: Callable[[], Any], *_: Any) -> None:
        self._body, self._calls = body, 0
        self._tape = Tape()
        self._result: Any = None

    def __call__(self) -> Any:
        """Do what the body does."""
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._body()
        if self._result is None:
            with self._tape:
                self._result = self._body()
        else:
            self._tape.replay()
        return self._result
