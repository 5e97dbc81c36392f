"""The runs of one job, mirrored to W&B by a thread of its own.

The training only says how many rows exist; opening, sending and closing happen in the thread, so that a
server that is slow, absent or refuses costs the training nothing. Whatever goes wrong here ends in
one warning: the rows are in the store, and `make sync` sends what the server does not have.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Protocol

from ablation.store.records import LaneRecords, Records
from ablation.tracking import client
from ablation.tracking.mirrors import Directory, remember_target
from ablation.tracking.rows import RowFeed
from ablation.tracking.runs import FINGERPRINT, EndedRun, TrackedRun
from ablation.tracking.upload_lock import lock_upload

log = logging.getLogger(__name__)

LATER = "The runs are stored all the same; `make sync` sends them later."
CLOSE_SECONDS = client.OPEN_SECONDS + client.FINISH_SECONDS + 10
"""How long the end of a job may wait for its runs to be mirrored."""


class Sink(Protocol):
    """Receives what a job's runs produce."""

    def log(self, records: Records) -> None:
        """Note how many rows there are."""

    def finish(self, lane: int, ended: EndedRun) -> None:
        """Take a run that has ended, as it was stored."""

    def close(self) -> None:
        """Wait, within bounds, until everything has been taken."""


class NoSink:
    """Tracks nothing."""

    def log(self, records: Records) -> None:
        """Do nothing."""

    def finish(self, lane: int, ended: EndedRun) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class WandbSink:
    """One W&B run per lane, all open at once in this process."""

    def __init__(
        self,
        mode: client.Mode,
        project: str,
        entity: str | None,
        runs: Sequence[TrackedRun],
        root: Path,
    ) -> None:
        self._root, self._project, self._entity = root.absolute(), project, entity
        self._lanes = [_Lane(run, project, entity, root.absolute()) for run in runs]
        self._mode: client.Mode = mode
        self._given_up = False
        self._lock: IO[bytes] | None = None
        self._steps: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def log(self, records: Records) -> None:
        """Note how many rows each lane has; they are only ever added to."""
        sizes = [
            (lane, {name: len(rows) for name, rows in lane.tables().items()}) for lane in records.lanes
        ]
        self._steps.put(lambda: self._send(sizes))

    def finish(self, lane: int, ended: EndedRun) -> None:
        """Hand over a run that has ended, as it was stored."""
        self._steps.put(lambda: self._lanes[lane].finish(ended))

    def close(self) -> None:
        """Wait until all runs are closed, `CLOSE_SECONDS` at most; warn of those that are not sent."""
        until = time.monotonic() + CLOSE_SECONDS
        self._steps.put(None)
        self._thread.join(CLOSE_SECONDS)
        for lane in self._lanes:
            lane.wait(until - time.monotonic())
        late = [lane for lane in self._lanes if not lane.closed]
        # What is late may still be sent: then the lock ends with the process.
        if self._lock is not None and not late:
            self._lock.close()
        if late and not self._given_up:
            reason = next((lane.error for lane in late if lane.error), "no answer in time")
            log.warning(
                "W&B does not have %d of %d runs (%s). %s", len(late), len(self._lanes), reason, LATER
            )

    def _work(self) -> None:
        """Open the runs, then do what the training asks for, until it closes the sink."""
        try:
            remember_target(self._root, self._project, self._entity)
            self._try_server()
            for lane in self._lanes:
                self._open(lane)
            for step in iter(self._steps.get, None):
                step()
        except Exception as error:
            self._given_up = True
            log.warning("W&B is not tracking this job (%s). %s", client.reason(error), LATER)

    def _try_server(self) -> None:
        """Ask before any run is opened: the client keeps the id of a run that it failed to open."""
        if self._mode == "online":
            try:
                self._lock = lock_upload(self._root, alone=False)
                api = client.api(self._root, client.OPEN_SECONDS)
                entity = self._entity or str(api.default_entity)
                known = client.served(api, entity, self._project, [lane.id for lane in self._lanes])
                for lane in self._lanes:
                    lane.go_on_behind(known.get(lane.id, []))
            except Exception as error:
                self._go_offline(error)

    def _open(self, lane: _Lane) -> None:
        try:
            lane.open(self._mode)
        except Exception as error:
            if self._mode == "offline":
                raise
            self._go_offline(error)

    def _go_offline(self, error: Exception) -> None:
        self._mode = "offline"
        log.warning(
            "W&B cannot be used (%s): tracking this job offline. %s", client.reason(error), LATER
        )

    def _send(self, sizes: Sequence[tuple[LaneRecords, Mapping[str, int]]]) -> None:
        for lane, (record, size) in zip(self._lanes, sizes, strict=True):
            lane.send(record, size)


class _Lane:
    """One run: its open W&B run, and which of its rows were sent.

    `served` is the number of lines that the server has from an earlier attempt. The client will
    add to them, so they are not sent again.
    """

    def __init__(self, run: TrackedRun, project: str, entity: str | None, root: Path) -> None:
        self._tracked, self._project, self._entity, self._root = run, project, entity, root
        self._feed = RowFeed()
        self._run: Any = None
        self._line = 0
        self._closing: threading.Thread | None = None
        self.served = 0
        self.closed = False
        self.error: str | None = None

    @property
    def id(self) -> str:
        return self._tracked.id

    def go_on_behind(self, runs: Sequence[Any]) -> None:
        """Take the id and the lines of the latest of the server's runs, if there are any."""
        if runs:
            self._tracked = replace(self._tracked, id=runs[-1].id)
            self.served = runs[-1].historyLineCount

    def open(self, mode: client.Mode) -> None:
        if mode == "offline":
            self.served = 0
        self._run = client.open_run(self._root, self._tracked, self._project, self._entity, mode)

    def send(self, record: LaneRecords, sizes: Mapping[str, int]) -> None:
        self._log(self._feed.grown(record.tables(), sizes))

    def finish(self, ended: EndedRun) -> None:
        """Send what is left and close in a thread: lanes wait for a slow server together."""
        self._log(self._feed.ended(ended.tables, ended.final))
        if self._run is not None:
            self._closing = threading.Thread(target=self._close, args=[ended], daemon=True)
            self._closing.start()
            if self._run.offline:
                self._closing.join()

    def wait(self, seconds: float) -> None:
        if self._closing is not None:
            self._closing.join(max(seconds, 0))

    def _log(self, rows: Iterable[dict[str, Any]]) -> None:
        if self._run is not None:
            new = list(rows)
            skipped = min(max(self.served - self._line, 0), len(new))
            client.log_rows(self._run, new[skipped:], self._line + skipped)
            self._line += len(new)

    def _close(self, ended: EndedRun) -> None:
        try:
            summary = ended.summary()
            client.close_run(self._run, summary, ended.exit_code)
            if not self.served:
                Directory(Path(self._run.settings.sync_dir)).complete(summary[FINGERPRINT])
            self.closed = True
        except Exception as error:
            self.error = client.reason(error)
