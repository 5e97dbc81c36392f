"""The runs of one job, mirrored to W&B by a thread of its own.

The training only says how many rows exist; opening, sending and closing happen in the thread, so that a
server that is slow, absent or refuses costs the training nothing. Whatever goes wrong here ends in
one warning: the rows are in the store, and `replay-ablation sync` sends what the server does not have.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ablation.config.program import command
from ablation.store.records import LaneRecords, Records
from ablation.tracking import client
from ablation.tracking.mirrors import lock_upload, remember_target
from ablation.tracking.rows import RowFeed
from ablation.tracking.runs import EndedRun, TrackedRun, fingerprint

log = logging.getLogger(__name__)

LATER = f"The runs are stored all the same; `{command('sync')}` sends them later."
CLOSE_SECONDS = client.OPEN_SECONDS + client.FINISH_SECONDS + 10
"""How long the end of a job may wait for its runs to be mirrored."""


class Sink:
    """Receives what a job's runs produce; this one tracks nothing."""

    def log(self, records: Records) -> None:
        """Note how many rows there are."""

    def finish(self, lane: int, ended: EndedRun) -> None:
        """Take a run that has ended, as it was stored."""

    def close(self) -> None:
        """Wait, within bounds, until everything has been taken."""


class WandbSink(Sink):
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
        self._lanes = [_Lane(run) for run in runs]
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
                project = f"{self._entity or api.default_entity}/{self._project}"
                known = client.served(api, project, [lane.run.id for lane in self._lanes])
                for lane in self._lanes:
                    lane.go_on_behind(known.get(lane.run.id, []))
            except Exception as error:
                self._go_offline(error)

    def _open(self, lane: _Lane) -> None:
        if self._mode == "offline":
            lane.served = 0
        try:
            lane.opened = client.open_run(self._root, lane.run, self._project, self._entity, self._mode)
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
            lane.log(lane.feed.grown(record.tables(), size))


class _Lane:
    """One run: its open W&B run, and which of its lines were sent.

    `served` is the number of lines that the server has from an earlier attempt. The client will
    add to them, so they are not sent again.
    """

    def __init__(self, run: TrackedRun) -> None:
        self.run, self.feed = run, RowFeed()
        self.opened: Any = None
        self.served = self._line = 0
        self._closing: threading.Thread | None = None
        self.closed = False
        self.error: str | None = None

    def go_on_behind(self, runs: Sequence[Any]) -> None:
        """Take the id and the lines of the latest of the server's runs, if there are any."""
        id, self.served = client.next_line(runs, self.run.id)
        self.run = replace(self.run, id=id)

    def log(self, rows: Iterable[dict[str, Any]]) -> None:
        """Send lines but those that the server has."""
        if self.opened is not None:
            new = list(rows)
            skipped = min(max(self.served - self._line, 0), len(new))
            client.log_rows(self.opened, new[skipped:], self._line + skipped)
            self._line += len(new)

    def finish(self, ended: EndedRun) -> None:
        """Send what is left and close in a thread: lanes wait for a slow server together."""
        self.log(self.feed.ended(ended.tables, ended.final))
        if self.opened is not None:
            self._closing = threading.Thread(target=self._close, args=[ended], daemon=True)
            self._closing.start()
            if self.opened.offline:
                self._closing.join()

    def wait(self, seconds: float) -> None:
        """Wait until it is closed, no longer than told."""
        if self._closing is not None:
            self._closing.join(max(seconds, 0))

    def _close(self, ended: EndedRun) -> None:
        try:
            sign = fingerprint(ended.record, self.run)
            client.close_run(self.opened, ended.summary(), ended.exit_code, sign)
            self.closed = True
        except Exception as error:
            self.error = client.reason(error)
