"""The errors of the analysis: requests that it cannot meet, figures that it could not draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class RequestError(Exception):
    """A request that names something that is not there; the message says what there is."""


class FiguresFailed(Exception):
    """Some figures of a report could not be drawn; `page` is complete without them and names each."""

    def __init__(self, page: Path, lines: Sequence[str]) -> None:
        self.page, self.lines = page, tuple(lines)
        super().__init__("; ".join(lines))
