"""From the runs of a study to its effects, as numbers without words.

In: the plan and the stored runs (`ablation.results.load`). Out: `StudyResults`, with the comparison of
every arm with its baseline, main effects and interactions, aggregates over environments, the design
grid and diagnostics by run; an error where runs cannot be compared. Imports `analysis.statistics` alone.
"""
