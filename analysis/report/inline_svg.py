"""Figures as elements of the page: in its colors and font, with unique ids, and small."""

from __future__ import annotations

import re
import zlib

from markupsafe import Markup

from analysis.figures.style import INK, PAPER

PIXELS = 4 / 3
"""CSS pixels in a point."""
_NOTHING = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|(?<=>)\s+(?=<)", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_PLACES = re.compile(r'(?<= )(?:d|x|y|transform)="[^"]*"')
_DECIMALS = re.compile(r"(\d)\.(\d)\d*")
_REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')
_MARKER = r'<use href="{}" x="[^"]+" y="[^"]+" style="{}"/>'
_MARKERS = re.compile(
    _MARKER.format('([^"]+)', '([^"]+)') + f"(?:{_MARKER.format(chr(92) + '1', chr(92) + '2')})+"
)


def inline_svg(svg: str, name: str, title: str) -> Markup:
    """Return a figure as an element of the page, labeled by its title; `name` is that of no other."""
    body = _NOTHING.sub("", svg[svg.index("<svg") :]).replace("xlink:href", "href")
    body = _TAG.sub(lambda tag: _short_numbers(re.sub(r"\s+", " ", tag[0])), body)
    body = _short_ids(body, f"f{zlib.crc32(name.encode()):x}")
    body = _MARKERS.sub(_one_style, body)
    # The page says which font.
    body = re.sub(
        r"font-family: [^;\"]+;? ?", "", re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", body)
    )
    body = body.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    tag, rest = body[: body.index(">")], body[body.index(">") :]
    size = re.search(r'\bwidth="([\d.]+)pt"', tag)
    tag = re.sub(r'\s(width|height)="[\d.]+pt"', "", tag).removeprefix("<svg")
    width = float(size[1]) * PIXELS if size else 600.0
    label = Markup.escape(title)
    return Markup(f'<svg role="img" aria-label="{label}" style="width:{width:.0f}px"{tag}{rest}')


def _short_numbers(tag: str) -> str:
    """Return a tag with one decimal in coordinates, and without the letters that paths imply."""
    tag = _PLACES.sub(lambda place: _DECIMALS.sub(r"\1.\2", place[0]).replace(".0", ""), tag)
    return re.sub(r" L (?=[-\d])", " ", tag)


def _short_ids(body: str, prefix: str) -> str:
    """Return a figure with an id only where something refers to it, the same one in no other figure."""
    short = {name: f"{prefix}-{at}" for at, name in enumerate(dict.fromkeys(_REFERENCE.findall(body)))}
    body = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{short[found[1]]}"' if found[1] in short else "", body
    )
    return _REFERENCE.sub(lambda found: found[0].replace(found[1], short[found[1]]), body)


def _one_style(markers: re.Match[str]) -> str:
    """Return equal markers in a row with their style said once."""
    style = f' style="{markers[2]}"'
    return f"<g{style}>{markers[0].replace(style, '')}</g>"
