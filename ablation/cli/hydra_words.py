"""Words of a command line that set a key of a cell, as Hydra takes them: with `++`.

Hydra takes no key that is in none of its files, as are options of components (`env.kwargs.length`).
What is wrong is refused when the cell is resolved, as for commands that do without Hydra.
"""

from __future__ import annotations

from ablation.config.schema import CELL_SECTIONS

FORCED = "++"


def to_hydra(word: str) -> str:
    """Return a word as Hydra takes it."""
    return f"{FORCED}{word}" if _sets_a_cell(word) else word


def from_hydra(word: str) -> str:
    """Return a word as it was written."""
    written = word.removeprefix(FORCED)
    return written if _sets_a_cell(written) else word


def _sets_a_cell(word: str) -> bool:
    section, dot, _ = word.partition("=")[0].partition(".")
    return bool(dot) and section in CELL_SECTIONS
