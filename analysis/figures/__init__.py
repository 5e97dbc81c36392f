"""The figures of a study, drawn one at a time and written as SVG, PNG and PDF."""

from analysis.figures.draw import FIGURES, FORMATS, Drawn, draw, write

__all__ = ["FIGURES", "FORMATS", "Drawn", "draw", "write"]
