"""From effects to figures: drawn one at a time, each with a text description.

In: `StudyResults`. Out: a `StudyFigure` (figure, title, description), saved as SVG, PNG or PDF.
`standard.py` lists the kinds that every study can have. Imports `tables` (wording), `effects` and
`statistics`; the figures of special studies are in `analysis.studies`.
"""
