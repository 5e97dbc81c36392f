"""Fonts for the names in a figure: others where the usual one lacks characters, and what none has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

USUAL = "sans-serif"
"""The family of all texts: with matplotlib's settings DejaVu Sans, which comes with it."""

BOXES = "Last Resort"
"""A family that has a box for every character."""


def cover(figure: Figure) -> str:
    """Give a figure's texts fonts for all of their characters; return those that no font here has."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    lacking = {ord(c) for text in texts for c in text.get_text() if not c.isspace()}
    lacking -= _characters(font_manager.findfont(font_manager.FontProperties(family=[USUAL])))
    families = [USUAL]
    for family, path in _installed() if lacking else ():
        if lacking & _characters(path):
            families.append(family)
            lacking -= _characters(path)
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)
    return "".join(map(chr, sorted(lacking)))


def _installed() -> Iterator[tuple[str, str]]:
    """Yield family and path of every upright font of usual weight that draws letters."""
    for font in font_manager.fontManager.ttflist:
        if font.style == "normal" and font.weight == 400 and not font.name.startswith(BOXES):
            yield font.name, font.fname


@cache
def _characters(path: str) -> frozenset[int]:
    """Return the code points that a font has; none of a font of bitmaps, which cannot be scaled."""
    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()
