"""Text in figures: legends, names on several lines, and plain numbers on logarithmic axes."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import NullFormatter, StrMethodFormatter

LEGEND_WIDTH = 22
"""Characters in a line of a legend."""


def add_legend(axes: Axes, **options: Any) -> None:
    """Add a legend beside the axes, where it covers no data, with long names on several lines."""
    handles, names = axes.get_legend_handles_labels()
    short = [wrapped(name, LEGEND_WIDTH) for name in names]
    axes.legend(
        handles, short, loc="upper left", bbox_to_anchor=(1.0, 1.02), borderaxespad=0.2, **options
    )


def wrapped(name: str, width: int) -> str:
    """Return an arm's name on lines that end between words or after `=` (not of `(n=20)`)."""
    lines = textwrap.wrap(re.sub(r"(?<!\(n)=", "= ", name), width, break_long_words=False)
    return "\n".join(lines).replace("= ", "=")


def label_powers(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: the usual labels are formulas, which are off here."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.7g}"))
    axis.set_minor_formatter(NullFormatter())
