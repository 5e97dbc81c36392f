"""Ctrl-C in the processes of a sweep: finish the current write, then end, within seconds."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_STOPPED = 130
WARNING = signal.SIGUSR2
"""What a cluster sends to every process of a job some minutes before it ends it."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, WARNING)
PATIENCE_SECONDS = 1.0
"""How long the end of a period, with a checkpoint, is waited for."""
STOPPING_SECONDS = 4.0
"""How long workers may take to end after a Ctrl-C."""
WRITING_SECONDS = 1.5
"""How much longer a file that is being written is waited for."""


class Stopped(BaseException):
    """The sweep ends; all progress so far is saved."""


class Stop:
    """Whether this process was asked to end; delays its end while it is writing."""

    def __init__(self, before_exit: Callable[[], None] = lambda: None) -> None:
        self.requested = self._ending = False
        self._writing = threading.Lock()
        self._before_exit = before_exit

    def listen(self) -> None:
        """Take signals as the request to end, also where they were ignored or blocked.

        After a warning there is time to go on to the next checkpoint.
        """
        for number in SIGNALS:
            signal.signal(number, self._request)
        # Only now: a signal that came while they were blocked is delivered at once.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Put off the end of the process until the context is left."""
        with self._writing:
            yield

    def _request(self, number: int, _: object) -> None:
        self.requested = True
        if number != WARNING and not self._ending:
            self._ending = True
            threading.Thread(target=self._end, daemon=True).start()

    def _end(self) -> None:
        threading.Event().wait(PATIENCE_SECONDS)
        self._writing.acquire(timeout=WRITING_SECONDS)
        self._before_exit()
        # Nothing may be finished from here on: the files must be as after a kill.
        os._exit(EXIT_STOPPED)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let processes that are started within the context receive signals only once they listen.

    Until then they are kept by the system: they neither end a process that still imports nor get lost.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class EndRequests:
    """What a supervisor was told by signals: to end, or that its job's time is nearly over."""

    def __init__(self) -> None:
        self.asked, self.warned = threading.Event(), threading.Event()


@contextmanager
def requests_to_end() -> Iterator[EndRequests]:
    """Yield what SIGTERM and a cluster's warning set within the context, in which SIGINT does nothing.

    A terminal's Ctrl-C reaches all of its processes: the sweep and its workers are the ones to handle
    it. In another thread than the main one, signals are left alone.
    """
    asked = EndRequests()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    earlier = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: asked.asked.set()),
        WARNING: signal.signal(WARNING, lambda *_: asked.warned.set()),
    }
    try:
        yield asked
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def stoppable(ask: Callable[[], None], give_up: Callable[[], None]) -> Iterator[threading.Event]:
    """Yield what the first Ctrl-C within the context sets; it also calls `ask` to let others end.

    A second one ends this process at once, as `STOPPING_SECONDS` without an end do; `give_up` is called
    before.
    """
    stopping = threading.Event()

    def exit_now() -> None:
        try:
            give_up()
        finally:
            os._exit(EXIT_STOPPED)

    def exit_late() -> None:
        time.sleep(STOPPING_SECONDS)
        exit_now()

    def stop(*_: object) -> None:
        if stopping.is_set():
            exit_now()
        stopping.set()
        threading.Thread(target=exit_late, daemon=True).start()
        ask()

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in earlier.items():
            # Python resets handlers while it exits: another Ctrl-C then would change the status.
            signal.signal(number, signal.SIG_IGN if stopping.is_set() else handler)
