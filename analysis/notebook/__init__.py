"""From a study's runs to what a notebook shows: data frames, tables, figures in axes of one's own.

In: `StudyRuns`. Out: a `Study`, which `analysis.load` and `analysis.from_frame` return. Imports `report`
(for its tables), `figures`, `tables` and `effects`.
"""
