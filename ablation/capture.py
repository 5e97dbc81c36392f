"""Functions over tensors that stay in place, captured once and replayed as a whole: CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

Result = TypeVar("Result")

WARM_UP = 3
"""Calls before one is captured: libraries and optimisers allocate what they keep in their first ones."""


class Captured(Generic[Result]):
    """Calls `body`, which takes nothing; after `WARM_UP` calls its kernels are launched as one graph.

    The body must read and write the same tensors every time, never wait for the device, and decide
    nothing in Python that is not the same every time. What it returns is valid until the next call.
    """

    def __init__(self, body: Callable[[], Result], device: torch.device) -> None:
        self._body, self._device = body, device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Result

    def __call__(self) -> Result:
        """Do what the body does."""
        if self._calls < WARM_UP:
            self._calls += 1
            return self._beside()
        if self._graph is None:
            # Capturing runs nothing; the replay does.
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=self._new_stream()):
                self._result = self._body()
        self._graph.replay()
        return self._result

    def _beside(self) -> Result:
        """Call the body on a stream of its own, as capturing asks for."""
        stream, current = self._new_stream(), torch.cuda.current_stream(self._device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = self._body()
        current.wait_stream(stream)
        return result

    def _new_stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]


def captured(body: Callable[[], Result], device: torch.device) -> Callable[[], Result]:
    """Return what does the same as `body`: captured where that is possible, else itself."""
    return Captured(body, device) if device.type == "cuda" else body
