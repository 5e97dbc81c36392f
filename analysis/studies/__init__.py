"""Tables and figures that only some studies have: the article's, the Blind Cliffwalk, streams.

In: `StudyResults`. Out: a `Table` and figures, or None for every other study. `registry.py` is the one
list of them, which report, gallery and command line read. To add one, write its module and add a line
to the registry. Imports `figures`, `tables` and what stands below them.
"""
