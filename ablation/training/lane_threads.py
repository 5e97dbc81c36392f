"""Shares independent lanes among threads; compiled loops hold no lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


class LaneThreads:
    """A fixed number of threads; with one, everything happens in the caller's."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def share(self, lanes: int, work: Callable[[int, int, int], None]) -> None:
        """Call `work` with (thread, first lane, last lane + 1) in every thread and wait for all."""
        ends = [number * lanes // self.count for number in range(self.count + 1)]
        parts = [(thread, *part) for thread, part in enumerate(pairwise(ends))]
        if self._pool is None:
            work(*parts[0])
        else:
            for running in [self._pool.submit(work, *part) for part in parts]:
                running.result()

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
