"""How a worker's process ended, told through a pipe: an exit status could come from anyone's code."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Literal, cast, get_args

Reported = Literal["done", "stopped", "not_shared", "disk_full", "code_changed"]


class EndReporter:
    """The worker's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Processes that an environment starts shall not hold the pipe open.
        os.set_inheritable(descriptor, False)

    def report(self, end: Reported) -> None:
        """Tell the supervisor how this process is about to end."""
        with suppress(OSError):
            os.write(self._descriptor, f"{end}\n".encode())


class EndPipe:
    """The supervisor's end of the pipe, a context that closes it; `descriptor` is for the worker."""

    def __init__(self) -> None:
        self._source, self.descriptor = os.pipe()
        os.set_blocking(self._source, False)

    def __enter__(self) -> EndPipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._source)
        os.close(self.descriptor)

    def read(self) -> Reported | None:
        """Return the first report of a worker that has ended; None if it had no chance to give one."""
        try:
            words = os.read(self._source, 1024).decode(errors="replace").split()
        except BlockingIOError:
            return None
        return cast(Reported, words[0]) if words and words[0] in get_args(Reported) else None
