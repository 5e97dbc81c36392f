"""From effects to tables, and how numbers and results are worded everywhere.

In: `StudyResults` and its effects. Out: a `Table` (caption, cells, notes, and the same numbers at full
precision), written for the terminal or as CSV, Markdown, LaTeX and LaTeX macros. The wording of numbers,
intervals and conclusions serves figures, page and terminal too. Imports `effects` and `statistics`.
"""
