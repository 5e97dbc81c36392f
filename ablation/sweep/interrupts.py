"""Ctrl-C in a process that trains: finish what is being written, then end, within seconds."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_STOPPED = 130
PATIENCE_SECONDS = 1.0
"""How long the end of a period, with a checkpoint, is waited for."""
WRITING_SECONDS = 1.5
"""How much longer a file that is being written is waited for."""


class Stopped(BaseException):
    """The sweep ends; what was trained so far is saved."""


class Stop:
    """Whether this process was asked to end; delays its end while it is writing."""

    def __init__(self, before_exit: Callable[[], None] = lambda: None) -> None:
        self.requested = False
        self._writing = threading.Lock()
        self._before_exit = before_exit

    def listen(self) -> None:
        """Take SIGINT and SIGTERM as the request to end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Put off the end of the process until the context is left."""
        with self._writing:
            yield

    def _request(self, *_: object) -> None:
        if not self.requested:
            self.requested = True
            threading.Thread(target=self._end, daemon=True).start()

    def _end(self) -> None:
        threading.Event().wait(PATIENCE_SECONDS)
        self._writing.acquire(timeout=WRITING_SECONDS)
        self._before_exit()
        # Nothing may be finished from here on: the files must be as after a kill.
        os._exit(EXIT_STOPPED)
